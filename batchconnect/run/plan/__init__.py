"""What a run would do: shown, kept as a file, approved, and carried out as it was approved."""
