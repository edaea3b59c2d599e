"""The commands of ``gw model``."""
