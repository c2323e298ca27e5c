"""
Where a connection points to: one value from the cell to the report, its parts said once.

A tuple, since a sheet may hold a million, each is compared, and each is shown part by part.
"""

from typing import Generic, NamedTuple, TypeVar

from batchconnect.model.column import Column

_Part = TypeVar("_Part")


class TargetParts(NamedTuple, Generic[_Part]):
    """The parts of a target in the order of their columns, whatever is known of each."""

    endpoint: _Part
    """`https://host`."""
    database: _Part
    tenant: _Part
    """GUID or domain."""
    service_principal_id: _Part
    """GUID."""


class Target(TargetParts[str]):
    """
    The parts as texts.

    Of a connection to be: endpoint, tenant and principal in lower case and without braces, the database as
    typed, for it is sent so. Of a row that was refused, a part may be as typed, or "".
    """

    __slots__ = ()

    def compared(self) -> "Target":
        """
        The target of a connection to be as two are compared: only its database may differ in case.

        `validation.rules.canonical_target` does so with parts that nobody judged.
        """
        endpoint, database, tenant, principal = self
        return Target(endpoint, database.lower(), tenant, principal)


_BY_FIELD = {column.field: column for column in Column}

TARGET_COLUMNS = tuple(_BY_FIELD[field] for field in Target._fields)
"""
The columns of a target's parts, in their order.

They are credentials, and columns get swapped: a refused cell of theirs may hold the secret.
"""
