"""What predict does below its page: the recipe is settled, the work cut into passes and sweeps, each computed."""
