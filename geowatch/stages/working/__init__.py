"""What all stages have in common: dividing work, telling how it goes, and recording what made a file."""
