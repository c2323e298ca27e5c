"""What is left of an earlier run, and which rows of today's sheet it is."""
