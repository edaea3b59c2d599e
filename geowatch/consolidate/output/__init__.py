"""What people open of a region's sites: tables in, the bytes of files out. No store, no run folder, no clock."""
