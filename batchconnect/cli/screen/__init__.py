"""What a person sees of a command, and is asked by it."""
