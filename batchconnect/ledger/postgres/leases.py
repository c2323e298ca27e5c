"""
Takes, renews and hands back lanes, on connections that no row's commit has to wait for.

Each call is one way there and back and one transaction, so that it works through PgBouncer's transaction mode
too; the rules stand in `ledger.lease`, and what must be looked at in one transaction with the change in the schema's functions.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease, Sighting, Terms
from batchconnect.ledger.postgres.connections import Connections, Question, Session, answers
from batchconnect.ledger.postgres.held_lane import HeldLane
from batchconnect.ledger.postgres.tail import ENDS
from batchconnect.ledger.team import OPENING, Company, Holding, LaneRow, WorkerRow

_AGE: Final = "extract(epoch FROM clock_timestamp() - {})::double precision"
_LANES: Final = (
    "SELECT id, host, org_id, client_id, run_id, epoch, beat, holder, ttl_s, run, "
    f"coalesce({_AGE.format('taken_at')}, 0), coalesce({_AGE.format('beat_at')}, 0), "
    f"greatest(0, coalesce(-{_AGE.format('not_before')}, 0)), failures "
    "FROM batchconnect.lane WHERE run_id IN ('', %s, %s) ORDER BY id"
)
_WORKERS: Final = (
    f"SELECT name, run, wants, {_AGE.format('seen_at')}, ttl_s, pins "
    "FROM batchconnect.worker ORDER BY name"
)
_HAND_BACK: Final = "SELECT batchconnect.hand_back(%s, %s, %s)"


class PostgresLeases:
    """
    The leases of one ledger. `Leases`.

    Args:
        connections: Their own.
        name: Of this process, its own among all.
        on_taken: Told of what is taken, and under which epoch its lines go in from now on.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        name: str,
        on_taken: Callable[[Holding, HeldLane], None],
    ) -> None:
        self.name = name
        self._connections = connections
        self._on_taken = on_taken

    def lanes(self, run_id: str = "") -> Sequence[LaneRow]:
        """As of `LaneReader`."""
        return [_lane_row(row) for row in self._ask(_LANES, run_id, OPENING.run_id)]

    def workers(self) -> Sequence[WorkerRow]:
        """As of `LaneReader`."""
        return [_worker_row(row) for row in self._ask(_WORKERS)]

    def company(self, run_id: str) -> Company:
        """As of `LaneReader`."""
        lanes, workers = self._ask_all((_LANES, (run_id, OPENING.run_id)), (_WORKERS, ()))
        return Company(
            lanes=[_lane_row(row) for row in lanes], workers=[_worker_row(row) for row in workers]
        )

    def make(self, keys: Collection[LaneKey]) -> None:
        """As of `Leases`."""
        columns = [list(column) for column in zip(*keys, strict=True)]
        if columns:
            self._ask("SELECT batchconnect.make_lanes(%s, %s, %s)", *columns)

    def take(
        self, holding: Holding, *, over: Collection[LaneRow], terms: Terms, run: int | None
    ) -> tuple[int, int] | None:
        """As of `Leases`."""
        key = holding.key or LaneKey("", "", "")
        ((lane, epoch, n),) = self._ask(
            "SELECT id, epoch, n FROM batchconnect.take_lease("
            "%s, %s, %s, %s, %s, %s, %s, %s::bigint[], %s::bigint[], %s::bigint[])",
            *(*key, holding.run_id, self.name, terms.ttl_s, run),
            [row.lane for row in over],
            [row.sighting.epoch for row in over],
            [row.sighting.beat for row in over],
        )
        if lane is None:
            return None
        self._on_taken(holding, HeldLane(lane=lane, epoch=epoch, n=n))
        return lane, epoch

    def renew(self, leases: Collection[Lease]) -> Collection[int]:
        """As of `Leases`."""
        ((still,),) = self._ask(
            "SELECT batchconnect.renew_leases(%s, %s::bigint[], %s::bigint[])",
            self.name,
            [lease.lane for lease in leases],
            [lease.epoch for lease in leases],
            # It is asked again before long, and must not be stuck in a question while the leases end.
            waits=False,
        )
        return set(still)

    def hand_back(self, lease: Lease, *, back_off_s: float | None = None) -> None:
        """As of `Leases`."""
        self._ask(_HAND_BACK, lease.lane, lease.epoch, back_off_s)

    def release(self, lane: int) -> None:
        """As of `Leases`."""
        self._ask("SELECT batchconnect.release(%s)", lane)

    def here(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> None:
        """As of `Leases`."""
        sql, values = self._here(run, wants=wants, terms=terms, pins=pins)
        self._ask(sql, *values)

    def arrive(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> Mapping[int, int]:
        """As of `Leases`."""
        here = self._here(run, wants=wants, terms=terms, pins=pins)
        _said, ends = self._ask_all(here, (ENDS, ()))
        return dict(ends)

    def _here(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None
    ) -> Question:
        return (
            "SELECT batchconnect.worker_is_here(%s, %s, %s, %s, %s::bigint[])",
            (self.name, run, wants, terms.ttl_s, None if pins is None else sorted(pins)),
        )

    def leave(self, leases: Collection[Lease]) -> None:
        """As of `Leases`."""
        # As one transaction, so in the order in which everybody locks lanes.
        in_order = sorted(leases, key=attrgetter("lane"))
        self._ask_all(
            *((_HAND_BACK, (lease.lane, lease.epoch, None)) for lease in in_order),
            ("SELECT batchconnect.worker_is_gone(%s)", (self.name,)),
        )

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _ask(self, sql: str, *values: object, waits: bool = True) -> list[tuple[Any, ...]]:
        def question(session: Session) -> list[tuple[Any, ...]]:
            with session.cursor(binary=True) as cursor:
                return cursor.execute(sql.encode(), values or None).fetchall()

        return self._connections.ask(question, waits=waits)

    def _ask_all(self, *questions: Question) -> list[list[tuple[Any, ...]]]:
        return self._connections.ask(lambda session: answers(session, *questions))


def _worker_row(columns: Sequence[Any]) -> WorkerRow:
    name, run, wants, silent_s, ttl_s, pins = columns
    return WorkerRow(
        name=name,
        run=run,
        wants=wants,
        silent_s=silent_s,
        terms=Terms(ttl_s=ttl_s),
        pins=None if pins is None else frozenset(pins),
    )


def _lane_row(columns: Sequence[Any]) -> LaneRow:
    lane, host, org_id, client_id, run_id, epoch, beat, holder, ttl_s, run, *times, failures = (
        columns
    )
    held_s, silent_s, waits_s = times
    key = None if run_id else LaneKey(host, org_id, client_id)
    return LaneRow(
        lane=lane,
        holding=Holding(key=key, run_id=run_id),
        sighting=Sighting(epoch, beat),
        holder=holder,
        terms=Terms(ttl_s=ttl_s),
        run=run,
        held_s=held_s,
        silent_s=silent_s,
        waits_s=waits_s,
        failures=failures,
    )
