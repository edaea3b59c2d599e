"""Tracking: from a heatmap's planes to fragments, tile by tile; pure functions on arrays."""
