"""Consolidate: fragments join across seams, whole sites are decided on, and become what people open."""
