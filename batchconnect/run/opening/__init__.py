"""What a command opens before it begins: its sheets, its ledger, the service, and where it writes."""
