"""Stores of secrets that the settings name: each client behind one interface, asked at a bounded pace."""
