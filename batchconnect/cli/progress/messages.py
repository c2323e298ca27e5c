"""The messages of a run: what is said of an event, once, in plain words."""

from collections.abc import Sequence
from typing import Final, assert_never

from batchconnect.cli.progress.view import WAITS_FOR_SETTLE
from batchconnect.cli.progress.words import duration, rows
from batchconnect.model.contact import is_of_contact
from batchconnect.model.event import (
    CellsWarned,
    Draining,
    Event,
    FaultMet,
    LaneAwaited,
    LaneCounted,
    LanePaused,
    LanesHeld,
    LaneStopped,
    Looked,
    NotReached,
    PaceChanged,
    PageRead,
    Planned,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RowTested,
    RunAwaited,
    RunCounted,
    RunFinished,
    RunStarted,
    SandboxListed,
    Settling,
    SheetWarned,
    StorePaused,
    StoreStopped,
    Swept,
    Verifying,
)
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Deleted,
    Existing,
    Failed,
    InDoubt,
    Kept,
    NotAttempted,
    Outcome,
    Rejected,
    Severity,
    Unchanged,
    Updated,
    Works,
    status_of,
)
from batchconnect.model.remedies import title_for
from batchconnect.model.row_place import NOWHERE, Places
from batchconnect.model.value import Value

_MOST_LEFT_OPEN: Final = 3
"""Open runs that are named; the newest come first."""
_OUTAGES: Final = {
    "doubts": "many answers in a row got lost; it goes on with one row at a time",
}
"""Pauses that are worth a message of their own; the others come and go with the pace."""
_STORES: Final = {
    "store_throttled": "asks to be left alone",
    "store_down": "does not answer",
    "store_signed_out": "does not take our sign-in any more",
}
"""Why a store is asked nothing for a while."""
_DRAINS: Final = {
    "interrupted": "stopping, as asked",
    "terminated": "stopping, as asked from outside",
    "max_failures": "stopping: --max-failures is reached",
    "ledger": "stopping: the ledger cannot be written",
}
_TROUBLES: Final = frozenset({"max_failures", "ledger"})
"""Reasons of a stop that nobody asked for: `--quiet` does not hide them."""
_LONG_PAUSE_S: Final = 60
"""Seconds from which on a pause that the service asks for has a message of its own."""


class Message(Value, kw_only=False):
    """One message."""

    text: str
    is_error: bool = False
    """Said with `--quiet` too."""


class Messages:
    """
    What is said of each event, once.

    Args:
        verbose: From 1 on, also each row and each cut of the pace.
    """

    def __init__(self, verbose: int) -> None:
        self._verbose = verbose
        self._unread: dict[tuple[str, str], str] = {}
        """Sandboxes that could not be read, and why."""
        self._outages: set[tuple[str, str]] = set()
        self._faults: set[str] = set()
        self._unreached: set[tuple[str, str]] = set()
        """Why hosts were not reached, by code and detail: many orgs have one network."""
        self._stops: set[tuple[str, str]] = set()
        """Likewise of what stopped lanes."""
        self._is_draining = False
        self._places = NOWHERE
        """The sheets of the run whose events these are."""

    def of(self, event: Event) -> Message | None:
        """The message for an event, None where it is shown as a number or not at all."""
        match event:
            case RowStarted() | RowSettled() | RowInDoubt() | RowTested():
                return _row(event, self._places) if self._verbose else None
            case Draining():
                self._is_draining = True
                return _draining(event)
            case LanePaused() | NotReached() | LaneStopped() | PaceChanged() | SandboxListed():
                return self._lane(event)
            case StorePaused() | StoreStopped() | FaultMet():
                return self._told_once(event)
            case SheetWarned() | CellsWarned() | Planned() | Swept() | RunStarted() | Verifying():
                if isinstance(event, RunStarted):
                    self._places = event.places
                return _of_run(event, self._places)
            case (
                LaneAwaited()
                | LanesHeld()
                | RunAwaited()
                | Settling()
                | LaneCounted()
                | RunCounted()
                | RunFinished()
                | PageRead()
                | Looked()
            ):
                return (
                    _of_team(event)
                    if isinstance(event, LaneAwaited | LanesHeld | RunAwaited)
                    else None
                )
            case _:
                assert_never(event)

    def _lane(
        self, event: LanePaused | NotReached | LaneStopped | PaceChanged | SandboxListed
    ) -> Message | None:
        match event:
            case NotReached():
                return self._not_reached(event)
            case LanePaused():
                return self._paused(event)
            case LaneStopped():
                return self._stopped(event)
            case SandboxListed():
                return self._read(event)
            case PaceChanged(org=org, rate=rate, reason="congestion") if self._verbose:
                return Message(f"{org}: pace cut to {rate:.1f}/s, since the service is congested")
            case PaceChanged():
                return None
            case _:
                assert_never(event)

    def _not_reached(self, event: NotReached) -> Message | None:
        key = (event.code, event.detail)
        if key in self._unreached:
            return None
        self._unreached.add(key)
        title = title_for(event.code)
        detail = f" ({event.detail})" if event.detail else ""
        wait = duration(event.patience_s)
        return Message(
            f"{event.org}: {title}{detail}. It is tried again for up to {wait}"
            " (--patience); nothing is lost. `batchconnect doctor` looks closer",
            is_error=True,
        )

    def _told_once(self, event: StorePaused | StoreStopped | FaultMet) -> Message | None:
        match event:
            case FaultMet():
                return self._fault(event)
            case StorePaused(store=store, reason=reason):
                key = (f"store {store}", reason)
                if key in self._outages:
                    return None
                self._outages.add(key)
                return Message(f"store {store}: {_STORES[reason]}; rows with keys in it wait")
            case StoreStopped():
                text = f"{event.detail} Rows with keys in it are not attempted"
                return Message(text, is_error=True)
            case _:
                assert_never(event)

    def _fault(self, event: FaultMet) -> Message | None:
        label = event.fault.label
        # What ends the command is told by its own last words.
        if label in self._faults or event.where in {"run", "report"}:
            return None
        self._faults.add(label)
        return Message(f"a fault of batchconnect ({event.where}): {label}", is_error=True)

    def _paused(self, event: LanePaused) -> Message | None:
        if event.reason == WAITS_FOR_SETTLE:
            wait = duration(event.pause_s)
            return Message(
                f"{event.org}: waits {wait} before it sends to one sandbox:"
                " what was sent to it lately may still show up"
            )
        if event.reason == "retry_after" and event.pause_s >= _LONG_PAUSE_S:
            wait = duration(event.pause_s)
            return Message(f"{event.org}: the service asks to be left alone for {wait}")
        key = (event.org, event.reason)
        if event.reason not in _OUTAGES or key in self._outages:
            return None
        self._outages.add(key)
        return Message(f"{event.org}: {_OUTAGES[event.reason]}")

    def _read(self, event: SandboxListed) -> Message | None:
        if event.complete:
            place = f"{event.org}/{event.sandbox}"
            odd = f"warning: {place}: {event.detail}"
            return Message(odd, is_error=True) if event.detail else None
        if self._is_draining:
            return None  # it was cut off, as asked
        if is_of_contact(event.code):
            return None  # the stop of the lane tells it
        self._unread[event.org, event.sandbox] = event.detail
        why = f": {event.detail}" if event.detail else ""
        place = f"{event.org}/{event.sandbox}"
        return Message(f"{place}: the sandbox could not be read{why}", is_error=True)

    def _stopped(self, event: LaneStopped) -> Message | None:
        told = self._unread.get((event.org, event.sandbox or ""))
        if event.code == "listing_failed" and told is not None:
            return None
        if is_of_contact(event.code):
            key = (event.code, event.detail)
            if key in self._stops:
                return None
            self._stops.add(key)
        place = f"{event.org}/{event.sandbox}" if event.sandbox else event.org
        title = event.title.rstrip(".")
        known = {"", title, *self._unread.values()}
        # Of a listing the code stands before its words, which were told as it could not be read.
        why = event.detail.removeprefix(f"{event.code}: ")
        detail = f" {why.rstrip('.')}." if why not in known else ""
        rest = "" if is_of_contact(event.code) else " Its other rows are not attempted"
        text = f"{place}: stopped: {title} ({event.code}).{detail}{rest}"
        return Message(text, is_error=True)


def _row(event: RowStarted | RowSettled | RowInDoubt | RowTested, places: Places) -> Message | None:
    place = f"{places.told(event.row)} {event.org}/{event.sandbox}"
    match event:
        case RowSettled(outcome=outcome):
            return Message(f"{place}: {_ended(outcome)}")
        case RowTested(works=Works.YES):
            return Message(f"{place}: works")
        case RowTested(works=works, code=code):
            said = "does not work" if works is Works.NO else "not tested"
            return Message(f"{place}: {said} ({code})")
        case RowInDoubt(code=code):
            return Message(f"{place}: in doubt ({code}), is being settled")
        case RowStarted():
            return None
        case _:
            assert_never(event)


_MOST_ROWS_NAMED = 20
"""New rows that the message of a rerun names."""


def _of_run(
    event: RunStarted | Planned | Swept | CellsWarned | SheetWarned | Verifying, places: Places
) -> Message | None:
    match event:
        case Verifying(connections=connections):
            are = "connection is" if connections == 1 else "connections are"
            return Message(f"verify: {connections} {are} tested by the source")
        case RunStarted(left_open=left):
            return _left_open(left) if left else None
        case Planned():
            return _planned(event, places)
        case Swept():
            return _swept(event)
        case CellsWarned():
            return Message(f"warning: {event.where}: {event.what}", is_error=True)
        case SheetWarned():
            return Message(f"warning: {event.cells}: {event.what}. {event.remedy}", is_error=True)
        case _:
            assert_never(event)


def _of_team(event: LaneAwaited | LanesHeld | RunAwaited) -> Message:
    match event:
        case LaneAwaited(org=org, lane=int(lane), holder=holder, held_s=held_s):
            other = f"lane {lane} of its org, " if event.is_of_other_client else ""
            return Message(
                f"waits for the lane of {org}: {other}held {duration(held_s)} by {holder}"
            )
        case LaneAwaited(org=org, holder=holder, at_most_s=at_most_s):
            what = f"the lane of {org}" if org else "the run"
            if holder:
                return Message(
                    f"waits for {what}: {holder} holds it, and shows within {at_most_s:.0f} s "
                    "whether it is at work"
                )
            return Message(f"waits for {what}: it failed, and may be taken in {at_most_s:.0f} s")
        case RunAwaited(run_id=run_id):
            return Message(f"waits for run {run_id}, whose sheet is being read: it may be this one")
        case LanesHeld():
            who = "this worker alone" if event.workers == 1 else f"{event.workers} workers"
            return Message(f"lanes: {event.open} of {event.total} open, {event.mine} here; {who}")
        case _:
            assert_never(event)


def _planned(event: Planned, places: Places) -> Message:
    parts = [f"{rows(event.to_create)} to do"]
    if event.settled:
        parts.append(f"{event.settled} settled already")
    if event.to_settle:
        parts.append(f"{event.to_settle} in doubt from before")
    if event.left_out:
        named = ", ".join(
            places.told(number).removeprefix("row ") for number in event.left_out[:_MOST_ROWS_NAMED]
        )
        more = ", ..." if len(event.left_out) > _MOST_ROWS_NAMED else ""
        parts.append(f"new and left for `batchconnect run`: row {named}{more}")
    return Message(", ".join(parts))


def _draining(event: Draining) -> Message:
    why = _DRAINS.get(event.reason, f"stopping ({event.reason})")
    text = f"{why}; nothing more is sent, {rows(event.in_flight)} on the way may finish"
    return Message(text, is_error=event.reason in _TROUBLES)


def _swept(event: Swept) -> Message:
    parts = [f"{event.expected} expected", f"{event.found} found"]
    if event.duplicated:
        parts.append(f"{len(event.duplicated)} duplicated")
    if event.missing:
        parts.append(f"{len(event.missing)} missing")
    if event.wrong_id:
        parts.append(f"{len(event.wrong_id)} answered with the id of another connection")
    if not event.complete:
        parts.append("missing unknown, since not every sandbox could be read")
    return Message(f"sweep: {', '.join(parts)}", is_error=not event.is_clean)


def _ended(outcome: Outcome) -> str:
    word = status_of(outcome).replace("_", " ")
    match outcome:
        case Created() | Updated() | Deleted():
            how = "found by its marker" if isinstance(outcome, Created) else "found by asking"
            return f"{word} {outcome.connection_id}" + (f", {how}" if outcome.reconciled else "")
        case Existing(connection_id=connection_id):
            return f"{word} {connection_id}"
        case Rejected(problems=problems):
            errors = [p.what for p in problems if p.severity is Severity.ERROR]
            return f"{word}: {' '.join(errors)}"
        case Failed() | Conflict() | NotAttempted() | InDoubt() | Unchanged() | Kept():
            return f"{word}: {outcome.detail} ({outcome.code})"
        case _:
            assert_never(outcome)


def _left_open(runs: Sequence[str]) -> Message:
    """Runs of the same sheet that are still to be gone on with; this command is none of them."""
    listed = "; ".join(runs[:_MOST_LEFT_OPEN])
    return Message(
        "the rows of this command are other ones than those of an open run over the same sheet, so "
        f"this is a new run; what goes on with the open one, with the options that it was given: {listed}"
    )
