"""
Keeps the loggers of the stores' libraries from telling what they send and receive.

They log whole bodies, secrets among them, at a level that a program may well have switched on for its own use
of the same library: so only what they say while they work for us is dropped, and nothing else of theirs.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from typing_extensions import override

_LIBRARIES: Final = frozenset(
    {
        *("azure", "msal", "boto3", "botocore", "s3transfer", "hvac", "requests", "urllib3"),
        *("aiohttp", "asyncio"),
    }
)
_AT_WORK: Final[ContextVar[bool]] = ContextVar("batchconnect_store_at_work", default=False)


class _Unheard(logging.Filter):
    """Drops what is said while a store is asked."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return not _AT_WORK.get()


_UNHEARD: Final = _Unheard()


@contextmanager
def unheard() -> Iterator[None]:
    """Within, and in whatever task or thread is begun within, the libraries' loggers say nothing."""
    hush()
    token = _AT_WORK.set(True)
    try:
        yield
    finally:
        _AT_WORK.reset(token)


def hush() -> None:
    """See that every logger of theirs asks us first; asked again, since they make some late."""
    known = logging.root.manager.loggerDict
    for name in [*known]:
        logger = known[name]
        if name.partition(".")[0] in _LIBRARIES and isinstance(logger, logging.Logger):
            logger.addFilter(_UNHEARD)  # one that is there already is not added twice
