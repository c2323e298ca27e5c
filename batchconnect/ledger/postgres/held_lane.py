"""
One lane that this process holds: its epoch, the number of its next line, and how lines go in.

The number is made here, by the lane's only writer. So an append whose answer was lost comes again with the
same numbers, and the server knows what it has already.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, LiteralString

import psycopg

from batchconnect.ledger.codec import encode
from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.interface import LaneKey, SharedIdError
from batchconnect.ledger.kind import word_of
from batchconnect.ledger.postgres.arrays import Longs, Numbers, Texts, longs, numbers, texts
from batchconnect.ledger.postgres.connections import Connections, Session
from batchconnect.ledger.postgres.migrations import ID_IS_KNOWN
from batchconnect.ledger.postgres.trouble import is_passing
from batchconnect.ledger.shared_id import Answered, answered_in, by_id
from batchconnect.model.value import Value

_APPEND: Final[LiteralString] = (
    "SELECT batchconnect.append("
    "%b::bigint, %b::bigint, %b::bigint, %b, %b, %b, %b, %b, %b, %b, %b::bigint)"
)


@dataclass(slots=True)
class HeldLane:
    """A lane as its holder knows it."""

    lane: int
    epoch: int
    """Who holds an older one writes nothing any more."""
    n: int
    """Number of the next line."""


class _Packed(Value, kw_only=False):
    """Lines as the append function takes them."""

    count: int
    columns: tuple[Longs | Numbers | Texts, ...]
    ids: Texts | None
    created: tuple[Answered, ...]


class LaneWriter:
    """
    Writes one lane's lines. A `LedgerWriter`.

    Args:
        connections: How the server is reached.
        take: Takes the lane; asked when its first line is written.
        check_ids: Whether rows may be created with these ids; up to which line that was looked at.
        name: What people call the ledger.
    """

    def __init__(
        self,
        connections: Connections,
        take: Callable[[], HeldLane],
        check_ids: Callable[[Sequence[Answered]], int],
        *,
        name: str,
    ) -> None:
        self.name = name
        self._connections = connections
        self._take = take
        self._check_ids = check_ids
        self._held: HeldLane | None = None
        self._unanswered: _Packed | None = None
        """Lines of which nobody knows whether they are written: they go first, under their numbers."""
        self._mutex = threading.Lock()

    def hold(self, held: HeldLane) -> None:
        """The lane was taken: from now on lines go in under its new epoch."""
        with self._mutex:
            self._held = held
            # Who waited for these was told that nobody knows; what became of them stands in the ledger.
            self._unanswered = None

    def append(self, lines: Sequence[Line], *, checks_ids: bool = True) -> int:
        """
        Write lines in one transaction; as of `LedgerWriter.append`.

        Args:
            lines: What is to be written.
            checks_ids: Whether an id may be one row's only; of what stands in another ledger it is as it was.
        """
        if not lines:
            return 0
        packed = _packed(lines, checks_ids=checks_ids)
        with self._mutex:
            if self._held is None:
                self._held = self._take()
            if self._unanswered is not None:
                try:
                    self._write(self._held, self._unanswered)
                except SharedIdError:
                    # It was not written, and cannot be as it is; whoever waited for it was told that nobody knows.
                    self._unanswered = None
            return self._write(self._held, packed)

    def of_lane(self, lane: LaneKey) -> "LaneWriter":  # noqa: ARG002 - it is one lane's already
        """These are its own."""
        return self

    def _write(self, held: HeldLane, packed: _Packed) -> int:
        judged = 0
        while True:
            call = partial(self._call, held=held, packed=packed, judged=judged)
            last = self._connections.ask(call)
            if last is not None:
                held.n += packed.count
                self._unanswered = None
                return last
            judged = self._check_ids(packed.created)

    def _call(
        self, session: Session, *, held: HeldLane, packed: _Packed, judged: int
    ) -> int | None:
        """The number of the last line; None: one of the ids is another row's, or was."""
        values = (held.lane, held.epoch, held.n, *packed.columns, packed.ids, judged)
        try:
            with session.cursor(binary=True) as cursor:
                found = cursor.execute(_APPEND, values).fetchone()
        except psycopg.Error as error:
            if error.sqlstate == ID_IS_KNOWN:
                return None
            # What the server refused is not written; of what it did not answer nobody knows.
            self._unanswered = packed if is_passing(error, is_lost=session.closed) else None
            raise
        assert found is not None
        (last,) = found
        assert isinstance(last, int)
        return last


def _packed(lines: Sequence[Line], *, checks_ids: bool) -> _Packed:
    made = [answered_in(line) if checks_ids else None for line in lines]
    created = tuple(one for one in made if one is not None)
    by_id(created)  # two rows with one id, handed in at once
    return _Packed(
        count=len(lines),
        columns=(
            longs([None if isinstance(line.entry, RunOpened) else line.run for line in lines]),
            numbers([line.row for line in lines]),
            texts([None if line.marker is None else line.marker.encode() for line in lines]),
            texts([word_of(line.entry).encode() for line in lines]),
            longs([line.at_ms for line in lines]),
            texts([encode(line.entry) for line in lines]),
        ),
        ids=texts([one and one.connection_id.encode() for one in made]) if created else None,
        created=created,
    )
