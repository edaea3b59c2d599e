"""Sites: places with a boundary, a start, an end and observations in time; pure values, no input or output."""
