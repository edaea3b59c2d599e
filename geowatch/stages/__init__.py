"""The whole system on one page each: one module per command, a frozen configuration and a function.

Commands of one word lie here, those of a group (``gw dataset``, ``gw model``, ``gw evaluate``, ``gw demo``) in a folder
of its name. The other folders hold what lies below the pages: `binding` and `predicting` below predict, `mapping` below
stitch, `tracking` below track, `sites` below consolidate, and `working` below all.
"""
