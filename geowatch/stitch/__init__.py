"""From scores of windows to stitched heatmaps on disk, and from heatmaps to maps and pictures."""
