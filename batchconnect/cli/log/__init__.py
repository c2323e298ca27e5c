"""Event to structlog, set up once by the command line; this is the door to it."""

from batchconnect.cli.log.log import Log, open_log

__all__ = [
    "Log",
    "open_log",
]
