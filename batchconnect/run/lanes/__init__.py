"""What a run does in its lanes: rows in turn, then the sweep, then the asking whether all works."""
