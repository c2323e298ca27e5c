"""What one run created and nobody uses, deleted."""
