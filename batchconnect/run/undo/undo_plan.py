"""
What an undo of a run would delete, and what it would leave and why; it reads the service, and changes nothing.

Only what that very run created is looked at: what stood there before it, and what a rerun took over from its
parent, is not its own to delete.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import anyio

from batchconnect.lane.lane import Lane
from batchconnect.lane.orphan import elsewhere
from batchconnect.lane.pool import Pool
from batchconnect.lane.removals import LaneLooks
from batchconnect.lane.why_kept import NOT_ANSWERED, Made, why_kept
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import UNDO, ChangeDoubted, Deleting, RowPlanned, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, planned_rows
from batchconnect.model.contact import is_of_contact
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Looked
from batchconnect.model.org import Org
from batchconnect.model.outcome import Created, Kept
from batchconnect.run.exit_code import TERMINATED
from batchconnect.run.history.history import run_states
from batchconnect.run.rerun.rerun import wanted_of
from batchconnect.run.stop import Stop
from batchconnect.validation.org_registry import OrgRegistry

_AT_ONCE: Final = 500
"""Rows for which the ledger is asked once."""
CREATE_IN_DOUBT: Final = "create_in_doubt"
UPDATE_IN_DOUBT: Final = "update_in_doubt"


@dataclass(slots=True, kw_only=True)
class UndoRow:
    """A connection that the run created, or may have."""

    number: int
    """Of its row in the sheet."""
    marker: str
    planned: RowPlanned
    made: Made | None
    """None: whether it was created is not known."""
    is_begun: bool = False
    """Whether a delete of an earlier undo may have been applied."""
    doubt: ChangeDoubted | None = None
    """What the ledger says of that, where it says so."""
    kept: Kept | None = None
    """Why it stays; None: it would be deleted, as far as is known."""


@dataclass(slots=True, kw_only=True)
class UndoPlan:
    """What an undo would do."""

    run: RunState
    """The run that is undone."""
    rows: list[UndoRow] = field(default_factory=list)
    deleted_before: int = 0
    """Connections that an earlier undo deleted."""
    not_created: int = 0
    """Rows that have another run's connection, or none."""
    begun: RunState | None = None
    """An undo of the run that was cut off: the same command goes on with it."""
    is_refused: bool = False
    """Whether the service refused every lane."""
    cut_off: str = ""
    """Why it was not looked at to the end: nothing was sent."""

    @property
    def agreed(self) -> int | None:
        """The number that was agreed on for the undo that was cut off; None where there is none."""
        return agreed_in(self.begun)

    @property
    def to_delete(self) -> int:
        """Connections that would be deleted."""
        return sum(row.kept is None for row in self.rows)

    @property
    def to_settle(self) -> int:
        """Connections that stay, but an earlier delete of ours may have been applied, or may be yet."""
        return sum(row.is_begun and row.kept is not None for row in self.rows)

    @property
    def has_work(self) -> bool:
        """Whether an undo would do anything: delete, go on with one that was cut off, or settle."""
        can_settle = self.to_settle > 0 and not self.is_refused
        return self.agreed is not None or self.to_delete > 0 or can_settle

    @property
    def kept(self) -> Mapping[str, int]:
        """How many would be left, by their code; the most first."""
        return dict(Counter(row.kept.code for row in self.rows if row.kept).most_common())

    @property
    def exit_code(self) -> ExitCode:
        """Where nothing is deleted."""
        if self.cut_off:
            return ExitCode.TERMINATED if self.cut_off == TERMINATED else ExitCode.INTERRUPTED
        if self.is_refused:
            return ExitCode.STOPPED
        return ExitCode.UNFINISHED if self.kept else ExitCode.OK


def agreed_in(undo: RunState | None) -> int | None:
    """How many connections a person agreed to have deleted by an undo; None: it did not come so far."""
    return undo.identified.agreed if undo is not None and undo.identified is not None else None


def undo_of(ledger: LedgerReader, run: RunState) -> RunState | None:
    """The undo of a run that was cut off, if there is one."""
    for state in run_states(ledger):
        opened = state.opened
        is_of = opened.command == UNDO and opened.parent_run_id == run.opened.run_id
        if is_of and not state.is_closed:
            return state
    return None


def plan_undo(ledger: LedgerReader, run: RunState, orgs: OrgRegistry) -> UndoPlan:
    """
    What the ledger says of the connections that a run created; the service is not asked.

    Raises:
        SettingsError: An org of the run is not in the settings, or is another one there.
    """
    plan = UndoPlan(run=run, begun=undo_of(ledger, run))
    rows = planned_rows(ledger.row_lines(run.number))
    while part := list(islice(rows, _AT_ONCE)):
        states = ledger.states_of(row.marker for row in part if row.marker is not None)
        for row in part:
            whole = states.get(row.marker or "", row)
            _take_in(plan, row, whole, orgs)
    return plan


def _take_in(plan: UndoPlan, row: RowState, whole: RowState, orgs: OrgRegistry) -> None:
    """
    Account for one row of the run.

    Cases, in order:
        1. It was sent, and nobody knows to this day whether it was created: it is named, and left.
        2. The run did not create it: it is none of the undo's.
        3. An earlier undo deleted it.
        4. A key was sent to it, and nobody knows whether it arrived: its etag is not known, so it is left.
        5. It is looked at.
    """
    planned, marker = row.planned, row.marker
    if planned is None or marker is None:
        plan.not_created += 1
        return
    if (row.is_sent or row.doubt) and (whole.is_sent or whole.doubt):
        detail = "Whether it was created is not known."
        kept = Kept(code=CREATE_IN_DOUBT, detail=detail)
        plan.rows.append(
            UndoRow(number=row.number, marker=marker, planned=planned, made=None, kept=kept)
        )
    elif not isinstance(row.outcome, Created) or row.inherited:
        plan.not_created += 1
    elif row.outcome.connection_id.lower() in map(str.lower, whole.gone):
        plan.deleted_before += 1
    else:
        told = plan.run.opened.places.told(row.number)
        plan.rows.append(_looked_at(row, whole, row.outcome, orgs, told))


def _looked_at(
    row: RowState, whole: RowState, created: Created, orgs: OrgRegistry, told: str
) -> UndoRow:
    planned, marker = row.planned, row.marker
    assert planned is not None
    assert marker is not None
    org = _org_of(told, planned, orgs)
    is_last = whole.made is not None and whole.made.lower() == created.connection_id.lower()
    etag = whole.etag if is_last else created.etag
    made = Made(
        row=row.number,
        sandbox=planned.sandbox,
        wanted=wanted_of(marker, planned),
        connection_id=created.connection_id,
        etag=etag,
        client_id=org.client_id,
        is_etag_seen=created.reconciled and etag == created.etag,
    )
    begun = whole.change if isinstance(whole.change, Deleting) else None
    is_begun = begun is not None and begun.connection_id.lower() == created.connection_id.lower()
    kept = None
    if isinstance(whole.change, Updating):
        kept = Kept(
            code=UPDATE_IN_DOUBT,
            detail="A key was sent to it, and whether it arrived is not known.",
            connection_id=created.connection_id,
        )
    return UndoRow(
        number=row.number,
        marker=marker,
        planned=planned,
        made=made,
        is_begun=is_begun,
        doubt=whole.change_doubt if is_begun else None,
        kept=kept,
    )


def _org_of(told: str, planned: RowPlanned, orgs: OrgRegistry) -> Org:
    org = orgs.find(planned.org)
    other = elsewhere(
        told, planned, org, joined="was created in", where="It is deleted where it was created"
    )
    if other is not None:
        raise other
    assert org is not None
    return org


async def look_until(stop: Stop, plan: UndoPlan, lane_of: Callable[[str], Lane]) -> None:
    """As `look`, cut off when the stop is asked for; the plan says so then."""

    async def cut_off(scope: anyio.CancelScope) -> None:
        plan.cut_off = await stop.wait()
        scope.cancel()

    async with anyio.create_task_group() as beside:
        beside.start_soon(cut_off, beside.cancel_scope)
        await look(plan, lane_of)
        beside.cancel_scope.cancel()


async def look(plan: UndoPlan, lane_of: Callable[[str], Lane]) -> None:
    """
    Look at every connection of the plan, and say of each whether it would be deleted.

    Args:
        plan: What the ledger says; each row that has to stay gets its reason.
        lane_of: The lane of an org's settings key; each looks at its own pace.
    """
    by_org: dict[str, list[UndoRow]] = {}
    for row in plan.rows:
        if row.kept is None:
            by_org.setdefault(row.planned.org, []).append(row)
    async with anyio.create_task_group() as tasks:
        for org, rows in by_org.items():
            tasks.start_soon(_look_in_lane, lane_of(org), rows)
    plan.is_refused = bool(by_org) and all(
        lane_of(org).is_refused({row.planned.sandbox for row in rows})
        for org, rows in by_org.items()
    )


async def _look_in_lane(lane: Lane, rows: Iterable[UndoRow]) -> None:
    looks, waiting = LaneLooks(lane), deque(rows)
    of, looked = len(waiting), 0

    def take() -> UndoRow | None:
        return waiting.popleft() if waiting else None

    async def work(row: UndoRow) -> None:
        nonlocal looked
        assert row.made is not None
        if looks.is_stopped(row.made.sandbox):
            detail = "It was not looked at, since others could not be."
            stopped = lane.stopped
            code = stopped.code if stopped and is_of_contact(stopped.code) else NOT_ANSWERED
            row.kept = Kept(code=code, detail=detail, connection_id=row.made.connection_id)
        else:
            row.kept = await why_kept(row.made, looks, is_begun=row.is_begun)
        looked += 1
        lane.on_event(Looked(org=lane.org.key, looked=looked, of=of))

    async def more() -> bool:
        return False

    pool = Pool(take=take, more=more, work=work, capacity=lane.capacity)
    lane.on_admitted = pool.recheck
    await pool.run()
