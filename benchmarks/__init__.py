"""Measurements, never checks: each module runs by itself and prints its figures."""
