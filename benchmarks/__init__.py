"""Measurements, never checks. ``python -m benchmarks`` takes them all and writes docs/benchmarks."""
