"""Tells somebody, by a webhook or by mail, how a run ended; what cannot be told is a warning, and no more."""
