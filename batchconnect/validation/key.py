"""
The key of a row: judged as far as it stands in the cell, and resolved when the row's turn has come.

What a reference leads to is judged by the same rules as what was typed.
"""

from typing import Protocol, runtime_checkable

import anyio

from batchconnect.model.outcome import NotAttempted, Problem, Rejected
from batchconnect.model.reference import KeyOrigin, Reference, Resolver
from batchconnect.model.row import Header
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.entra import judge_key
from batchconnect.validation.finding import has_error, located


@runtime_checkable
class KnowsTrouble(Protocol):
    """A resolver that knows which of its stores are in trouble."""

    def trouble_of(self, reference: Reference) -> anyio.Event | None:
        """Set when the trouble of the reference's store is over; None: it is in none."""
        ...


class Keys:
    """
    Makes connections ready to be sent.

    Args:
        resolver: Looks the secrets up.
        header: For the addresses of cells.
        strict: Warnings are errors.
    """

    def __init__(self, resolver: Resolver, *, header: Header, strict: bool = False) -> None:
        self._resolver = resolver
        self._header = header
        self._strict = strict

    def trouble(self, connection: BaseConnection) -> anyio.Event | None:
        """What is set when the trouble is over that the store of a row's key is in; None: it is in none."""
        reference = connection.service_principal_key
        if isinstance(reference, Secret) or not isinstance(self._resolver, KnowsTrouble):
            return None
        return self._resolver.trouble_of(reference)

    async def ready(self, connection: BaseConnection) -> BaseConnection | Rejected | NotAttempted:
        """The connection with its key, or why it has none; what holds its key already is ready."""
        reference = connection.service_principal_key
        if isinstance(reference, Secret):
            return connection
        found = (await self._resolver.resolve([reference]))[reference]
        if isinstance(found, NotAttempted):
            return found
        problems = (found,) if isinstance(found, Problem) else judge_key(found.value)
        findings = located(problems, self._header, connection.row, strict=self._strict)
        if isinstance(found, Problem) or has_error(findings):
            return Rejected(problems=findings)
        origin = KeyOrigin(
            reference=reference.text, version=found.version, expires_at_ms=found.expires_at_ms
        )
        return replace(connection, service_principal_key=found.value, key_origin=origin)
