"""What consolidate decides on and writes: the tables of sites, and what people open of them."""
