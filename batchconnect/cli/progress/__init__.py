"""Event to what a person sees while a run goes on; this is the door to it."""

from batchconnect.cli.progress.display import Progress, open_progress

__all__ = [
    "Progress",
    "open_progress",
]
