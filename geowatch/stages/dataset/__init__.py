"""The commands of ``gw dataset``, one module each, and what they share."""
