"""What a command writes for others, beside the report of a run."""
