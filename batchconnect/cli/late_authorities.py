"""
The system's authorities, read when a handshake needs them.

aiohttp makes two TLS contexts when it is imported, each with all of them: a sixth of what a short command does, and
who talks to loopback uses none. For the command line, whose process is its own; a program that imports us is left alone.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Final

_READING: Final = "set_default_verify_paths"
"""OpenSSL's own places, by which both of aiohttp's contexts come to the system's authorities."""


def import_transport() -> None:
    """Import aiohttp, by way of the room that knows it, before a command that needs it does."""
    with read_when_needed():
        import batchconnect.transport.wire  # noqa: F401, PLC0415 - for its import alone


class _ReadsLate(ssl.SSLContext):
    """One that reads the system's authorities before its first handshake; as any other from then on."""

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        return _read(self).wrap_bio(*given, **named)

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        return _read(self).wrap_socket(*given, **named)

    def get_ca_certs(self, *given: Any, **named: Any) -> Any:
        return _read(self).get_ca_certs(*given, **named)

    def cert_store_stats(self) -> dict[str, int]:
        return _read(self).cert_store_stats()


def _read(context: ssl.SSLContext) -> ssl.SSLContext:
    # Another thread may come here meanwhile: it reads them, too, and trusts no less for it.
    context.set_default_verify_paths()
    context.__class__ = ssl.SSLContext
    return context


@contextmanager
def read_when_needed() -> Iterator[None]:
    """
    Contexts that this thread makes inside trust as any other, and read whom only where they are used.

    Other threads are not met.
    """
    if ssl.SSLContext not in _ReadsLate.__mro__ or _READING in vars(ssl.SSLContext):
        yield  # somebody has a class of their own here, as truststore, or a way of their own to read
        return
    here, read_now = get_ident(), ssl.SSLContext.set_default_verify_paths

    def read_late(context: ssl.SSLContext) -> None:
        if get_ident() == here and type(context) is ssl.SSLContext:
            context.__class__ = _ReadsLate
        else:
            read_now(context)

    setattr(ssl.SSLContext, _READING, read_late)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READING)  # what it hid is the base's, and shows again
