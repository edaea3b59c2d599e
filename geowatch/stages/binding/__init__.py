"""What a run stands on: its region, its imagery, and the planes that these give."""
