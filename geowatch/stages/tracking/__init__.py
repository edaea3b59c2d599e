"""What track looks at: planes of scores or of boxes, and the fragments that it leaves."""
