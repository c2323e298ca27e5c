"""One run that several processes work on, lane by lane, each lane under a lease."""
