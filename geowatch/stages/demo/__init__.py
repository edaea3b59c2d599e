"""The commands of ``gw demo`` that are stages."""
