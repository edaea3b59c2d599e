"""Track: from a heatmap to fragments, tile by tile; every decision on a whole site waits for `consolidate`."""
