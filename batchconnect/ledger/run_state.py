"""
What the ledger's lines say of a run as a whole, folded into one value.

Rows that never had their turn get their reason here: it is derived, not written, so a crash cannot lose
it and a stop does not cost a line per row.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from batchconnect.ledger.entry import (
    LaneTold,
    Line,
    RunEnded,
    RunIdentified,
    RunOpened,
    RunResumed,
    SweepDone,
)
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.model.event import BANNED_UNTIL, LaneStopped, Swept
from batchconnect.model.outcome import NotAttempted
from batchconnect.model.value import Value, field, replace

SHEET_UNREADABLE: Final = "sheet_unreadable"
"""Why a run ended before it was known which rows it is over."""

REASONS = {
    "interrupted": "The run was interrupted before its turn.",
    "terminated": "The run was ended from outside before its turn.",
    "max_rows": "Left out: --max-rows was reached.",
    "max_failures": "Left out: --max-failures was reached.",
    "rejected_rows": "Nothing was sent, since rows of the sheet are rejected.",
    SHEET_UNREADABLE: "Nothing was sent, since the sheet could not be read to its end.",
    "ledger": "The ledger could not be written.",
    "ledger_gone": "The ledger, or its lock, was taken away during the run.",
}
"""For each reason of an end: what the rows say that never had their turn."""


class RunState(Value, hidden={"_by_sandbox"}):
    """One run, as far as the ledger knows it."""

    number: int
    """Number of its first line, which its other lines bear."""
    opened: RunOpened
    opened_at_ms: int
    last_at_ms: int
    """When its last line was written."""
    identified: RunIdentified | None = None
    """None: its intake was cut short, so that nothing was sent; or a version before this wrote it."""
    resumes: int = 0
    stops: tuple[LaneStopped, ...] = ()
    """Lanes and sandboxes that were stopped, since the last resume."""
    swept: Swept | None = None
    ended: RunEnded | None = None
    """How the last process ended; None: it is running, or it crashed."""
    _by_sandbox: dict[tuple[str, str | None], LaneStopped] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        """Whether the run has come to its end; otherwise the same command goes on with it."""
        return self.ended is not None and self.ended.closed

    @property
    def never_began(self) -> bool:
        """Whether its sheet could not be read to its end: nothing was sent, and nothing of it is to be done."""
        return self.ended is not None and self.ended.reason == SHEET_UNREADABLE

    def filled(self, state: RowState) -> RowState:
        """Give a row that never had its turn the reason."""
        planned = state.planned
        if planned is None or state.is_open or state.outcome or state.change_outcome:
            return state
        stop = self._by_sandbox.get((planned.org, None)) or self._by_sandbox.get(
            (planned.org, planned.sandbox)
        )
        if stop is not None:
            outcome = _stopped(stop)
        else:
            reason = (self.ended.reason if self.ended else "") or "interrupted"
            outcome = NotAttempted(code=reason, detail=REASONS.get(reason, ""))
        return replace(state, outcome=outcome)

    def rows(self, lines: Iterable[Line]) -> Iterator[RowState]:
        """Every row of the run with what a report shows of it."""
        return (self.filled(state) for state in planned_rows(lines))


def _stopped(stop: LaneStopped) -> NotAttempted:
    if stop.code == BANNED_UNTIL:
        return NotAttempted(code=BANNED_UNTIL, detail=stop.detail)
    scope = "sandbox" if stop.sandbox else "lane"
    detail = f"{stop.code}: {stop.title}. {stop.detail}".strip()
    return NotAttempted(code=f"{scope}_stopped", detail=detail)


def planned_rows(lines: Iterable[Line]) -> Iterator[RowState]:
    """Every row that the run accounts for, as far as its own lines tell."""
    return (state for state in fold_rows(lines) if state.planned is not None)


def swept_of(lines: Iterable[Line]) -> Swept | None:
    """
    What the sweeps of a run found, taken together; None where there was none.

    Each org has a line of its own, so that its part of the report can tell of it alone; the last one counts.
    A ledger of the first versions has one line for all of them, which either kind of line replaces.
    """
    by_org: dict[str, Swept] = {}
    for line in lines:
        if isinstance(line.entry, SweepDone):
            swept = line.entry.event
            if not swept.org:
                by_org.clear()
            by_org.pop("", None)
            by_org[swept.org] = swept
    return together(by_org.values()) if by_org else None


def together(sweeps: Iterable[Swept]) -> Swept:
    """The findings of several sweeps as those of one."""
    sweeps = tuple(sweeps)
    return Swept(
        expected=sum(one.expected for one in sweeps),
        found=sum(one.found for one in sweeps),
        duplicated=tuple(sorted(marker for one in sweeps for marker in one.duplicated)),
        missing=tuple(sorted(marker for one in sweeps for marker in one.missing)),
        wrong_id=tuple(sorted(marker for one in sweeps for marker in one.wrong_id)),
        complete=all(one.complete for one in sweeps),
    )


def fold_run(lines: Iterable[Line]) -> RunState:
    """
    Fold the lines of a run that are not about a row.

    Args:
        lines: As `Ledger.run_lines` gives them, the `RunOpened` line first.
    """
    lines = list(lines)
    state: RunState | None = None
    for line in lines:
        match line.entry:
            case RunOpened() as opened:
                state = RunState(
                    number=line.run,
                    opened=opened,
                    opened_at_ms=line.at_ms,
                    last_at_ms=line.at_ms,
                )
                continue
            case _:
                assert state is not None
        state = replace(state, last_at_ms=line.at_ms)
        match line.entry:
            case RunResumed():
                state = replace(state, resumes=state.resumes + 1, stops=(), ended=None)
            case RunIdentified() as identified:
                state = replace(state, identified=identified)
            case LaneTold(event=LaneStopped() as stop):
                state = replace(state, stops=(*state.stops, stop))
            case RunEnded() as ended:
                state = replace(state, ended=ended)
            case _:
                pass
    assert state is not None
    state = replace(state, swept=swept_of(lines))
    by_sandbox = {(stop.org, stop.sandbox): stop for stop in state.stops}
    return replace(state, _by_sandbox=by_sandbox)
