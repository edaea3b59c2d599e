"""The whole system on one page each: one module per command, a frozen configuration and a function."""
