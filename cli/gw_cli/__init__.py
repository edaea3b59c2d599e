"""The command line of gw: a thin shell around the stages of `geowatch`."""
