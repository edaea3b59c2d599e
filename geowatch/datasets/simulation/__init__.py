"""A simulation of image series with known building sites: land, seasons, clouds, sensors, truth."""
