"""Where things are: regions, grids, tiles, plans, window lattices and blend weights.

Everything here is pure: documents and numbers go in, frozen values come out, and no file is opened. A region
on the globe becomes one or several pixel grids (`crs`), these are cut into tiles (`tiles`) and sweeps
(`sweeps`), and all of it together is a plan (`plan`) with what it costs (`estimate`).
"""
