"""What stitch makes of a heatmap: maps, pictures, tables of objects."""
