"""One module per kind of cell, each `check…(text) -> findings`, or a value with its findings."""
