"""The commands of ``gw evaluate``, one module each, and what they share."""
