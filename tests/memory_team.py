"""
A team's ledger in memory: several processes of one test, each with leases of its own, over the same lanes.

What PostgreSQL makes sure of is shown on a real server (`tests/ledger/postgres/`); here a test sees what a
process does with it, and may have any one question fail.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from batchconnect.ledger.entry import Line, Settled
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease, Sighting, Terms
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.run_lanes import STEPS
from batchconnect.ledger.team import Company, Holding, LaneRow, WorkerRow
from batchconnect.model.org import Org
from batchconnect.run.team.team import Team
from tests.fake_service import Bench, MortalLedger

TERMS = Terms(ttl_s=3600)
"""So long that no lease ends within a test by itself."""


@dataclass
class Lanes:
    """What all processes see."""

    rows: dict[Holding, LaneRow] = field(default_factory=dict)
    workers: dict[str, WorkerRow] = field(default_factory=dict)

    def row(self, holding: Holding) -> LaneRow:
        """A lane; it is made when it is first named."""
        if holding not in self.rows:
            self.rows[holding] = LaneRow(
                lane=len(self.rows) + 1, holding=holding, sighting=Sighting(0, 0), holder="",
                terms=TERMS, run=None, held_s=0, silent_s=0, waits_s=0, failures=0,
            )  # fmt: skip
        return self.rows[holding]

    def change(self, row: LaneRow, *, beat: bool = False, **changes: object) -> LaneRow:
        """A lane was taken, renewed or handed back."""
        epoch, beats = row.sighting
        sighting = Sighting(epoch, beats + 1) if beat else Sighting(epoch + 1, beats)
        self.rows[row.holding] = replace(row, sighting=sighting, **changes)  # type: ignore[arg-type]
        return self.rows[row.holding]


class MemoryLeases:
    """One process's. `Leases`."""

    def __init__(self, lanes: Lanes, name: str) -> None:
        self.name = name
        self._lanes = lanes
        self._waited: set[Sighting] = set()
        """Of lanes that were left alone when they were looked at last."""

    def lanes(self, run_id: str = "") -> Sequence[LaneRow]:
        """As of `LaneReader`. What is left alone for a while is so until it is looked at twice."""
        for row in list(self._lanes.rows.values()):
            if row.waits_s and row.sighting in self._waited:
                self._lanes.rows[row.holding] = replace(row, waits_s=0.0)
        seen = [row for row in self._lanes.rows.values() if row.holding.run_id in {"", run_id}]
        self._waited = {row.sighting for row in seen if row.waits_s}
        return seen

    def workers(self) -> Sequence[WorkerRow]:
        """As of `LaneReader`."""
        return list(self._lanes.workers.values())

    def company(self, run_id: str) -> Company:
        """As of `LaneReader`."""
        return Company(lanes=self.lanes(run_id), workers=self.workers())

    def make(self, keys: Collection[LaneKey]) -> None:
        """As of `Leases`."""
        for key in keys:
            self._lanes.row(Holding(key=key))

    def take(
        self, holding: Holding, *, over: Collection[LaneRow], terms: Terms, run: int | None
    ) -> tuple[int, int] | None:
        """As of `Leases`."""
        row = self._lanes.row(holding)
        seen = {(one.lane, one.sighting) for one in over}
        for one in self._lanes.rows.values():
            is_anothers = one.holder not in {"", self.name} and (one.lane, one.sighting) not in seen
            if is_anothers and holding.is_one_right_with(one.holding):
                return None
        if row.waits_s:
            return None
        taken = self._lanes.change(row, holder=self.name, terms=terms, run=run)
        return taken.lane, taken.sighting.epoch

    def renew(self, leases: Collection[Lease]) -> Collection[int]:
        """As of `Leases`."""
        mine = [self._of(lease) for lease in leases]
        return {self._lanes.change(row, beat=True).lane for row in mine if row is not None}

    def hand_back(self, lease: Lease, *, back_off_s: float | None = None) -> None:
        """As of `Leases`."""
        row = self._of(lease)
        if row is not None:
            failures = 0 if back_off_s is None else row.failures + 1
            self._lanes.change(row, holder="", waits_s=back_off_s or 0.0, failures=failures)

    def release(self, lane: int) -> None:
        """As of `Leases`."""
        (row,) = (row for row in self._lanes.rows.values() if row.lane == lane)
        self._lanes.change(row, holder="")

    def here(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> None:
        """As of `Leases`."""
        self._lanes.workers[self.name] = WorkerRow(
            name=self.name, run=run, wants=wants, silent_s=0, terms=terms,
            pins=None if pins is None else frozenset(pins),
        )  # fmt: skip

    def arrive(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> Mapping[int, int]:
        """As of `Leases`; lines have no numbers here, so that all of a run are behind this."""
        self.here(run, wants=wants, terms=terms, pins=pins)
        return {}

    def leave(self, leases: Collection[Lease]) -> None:
        """As of `Leases`."""
        for lease in leases:
            self.hand_back(lease)
        self._lanes.workers.pop(self.name, None)

    def _of(self, lease: Lease) -> LaneRow | None:
        for row in self._lanes.rows.values():
            if (row.lane, row.sighting.epoch, row.holder) == (lease.lane, lease.epoch, self.name):
                return row
        return None


_QUESTIONS: Final = frozenset(
    {
        *(
            "append",
            "last_lines",
            "lines",
            "lines_of_row",
            "identities",
            "open_markers",
            "row_lines",
            "run_lines",
        ),
        *(
            "settled_behind",
            "runs",
            "states_of",
            "steps",
            "deleted_markers",
            "tested_markers",
            "has_markers",
        ),
    }
)
"""Of `Ledger`; each is a round trip at the least."""


class MemoryTeamLedger(MortalLedger):
    """A ledger that a team shares. `TeamLedger`; lines are fenced by nothing, for one test writes them all."""

    def __init__(self, *, lanes: Lanes | None = None, name: str = "us") -> None:
        super().__init__()
        self.leases = MemoryLeases(lanes or Lanes(), name)
        self.on_steps: Callable[[], None] = lambda: None
        """Told before the steps of a run are read; what it raises, the ledger answers."""
        self.on_append: Callable[[Sequence[Line]], None] = lambda lines: None
        """Likewise, before lines are written."""
        self.loop: int | None = None
        """The thread of the loop, while that is watched."""
        self.asked_in_loop: list[str] = []
        """What was asked in that thread: a server's answer may take longer than a lease runs."""

    def __getattribute__(self, name: str) -> Any:
        """Questions are watched: each call, and each step of an answer that comes bit by bit."""
        found = super().__getattribute__(name)
        return partial(self._ask, name, found) if name in _QUESTIONS else found

    def _ask(self, name: str, question: Callable[..., Any], *words: Any, **named: Any) -> Any:
        self._watch(name)
        answer = question(*words, **named)
        return self._told(name, answer) if isinstance(answer, Iterator) else answer

    def _told(self, name: str, answer: Iterator[Any]) -> Iterator[Any]:
        for part in answer:
            self._watch(name)
            yield part

    def _watch(self, name: str) -> None:
        if threading.get_ident() == self.loop:
            self.asked_in_loop.append(name)

    @property
    def is_remote(self) -> bool:
        """As a server it is asked in threads."""
        return True

    @property
    def held(self) -> MemoryLeases:
        """As of `TeamReader`."""
        return self.leases

    def append(self, lines: Sequence[Line]) -> int:
        """As of `LedgerWriter`."""
        self.on_append(lines)
        return super().append(lines)

    def steps(self, run: int) -> list[Line]:
        """As of `TeamReader`."""
        self.on_steps()
        return [line for line in self.run_lines(run) if isinstance(line.entry, STEPS)]

    def settled_behind(
        self, run: int, behind: Mapping[int, int]
    ) -> Mapping[int, tuple[int, Sequence[int]]]:
        """As of `TeamReader`; all of a run at each time, as if it stood in one lane."""
        settled = [line.row for line in self.row_lines(run) if isinstance(line.entry, Settled)]
        return {lane: (0, [row for row in settled if row]) for lane in [*behind][:1]}


def team_of(bench: Bench, ledger: MemoryTeamLedger, keeper: LeaseKeeper) -> Team:
    """One process of a team."""

    def org(name: str) -> Org:
        return next(one for one in bench.orgs if one.key == name)

    return Team(
        ledger=ledger,
        keeper=keeper,
        new_lane=lambda name, permit: bench.lane(org(name), permit=permit),
        key_of=lambda name: bench.lane(org(name)).key,
        poll_s=0.001,
    )
