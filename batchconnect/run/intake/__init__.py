"""Every row is judged and accounted for before one is sent, and held against the run that is open."""
