"""Lets ``python -m gw_cli`` stand in for ``gw``."""

from gw_cli.main import main

main()
