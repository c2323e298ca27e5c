"""
The values that every room above may know: rows, orgs, outcomes, events, secrets, errors.

Nothing here reads a file, opens a socket, or waits.
"""
