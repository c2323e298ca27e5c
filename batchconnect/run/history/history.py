"""Past runs and running ones, as the ledger tells them; reading needs no lock."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, VERIFY, RunOpened
from batchconnect.ledger.interface import BEFORE_ALL
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, fold_run, planned_rows
from batchconnect.model.errors import UsageError
from batchconnect.model.outcome import LEFT_OUT, NotAttempted, Works
from batchconnect.model.value import replace

if TYPE_CHECKING:
    from batchconnect.reports.since import Before, Identified
    from batchconnect.reports.summary import Summary

_RECONCILED: Final = (ONBOARD, ROTATE)
"""The commands whose runs `reconcile` looks through."""
_MOST_NAMED: Final = 5
"""Runs that are named where several begin alike, newest first."""


def run_states(ledger: LedgerReader) -> Iterator[RunState]:
    """Every run, newest first."""
    for _number, _opened, lines in ledger.runs():
        yield fold_run(lines)


def find_run(ledger: LedgerReader, run_id: str | None, *, command: str | None = None) -> RunState:
    """
    A run by its id, or by the beginning of it; None: the newest that came to read its sheet to the end.

    Args:
        ledger: Where it is looked for.
        run_id: Which.
        command: What a run without an id has to be of, as `RunOpened.command` has it; None: any.

    Raises:
        UsageError: There is none, or several begin so.
    """
    found = [
        state
        for state in run_states(ledger)
        if (
            command in {None, state.opened.command}
            if run_id is None
            else state.opened.run_id.startswith(run_id)
        )
    ]
    if not found:
        wanted = f"no run is called {run_id}" if run_id else "there is no run yet"
        raise UsageError(
            f"{wanted} in the ledger {ledger.name}",
            hint="`batchconnect runs` shows all of them; simulated ones with --simulate.",
        )
    if run_id is None:
        # One that never began has nothing in it to be looked at, as long as there is another.
        return next((state for state in found if not state.never_began), found[0])
    exact = [state for state in found if state.opened.run_id == run_id]
    if len(found) > 1 and not exact:
        raise UsageError(
            f"several runs begin with {run_id}",
            hint="; ".join(_named(state) for state in found[:_MOST_NAMED]),
        )
    return (exact or found)[0]


def _named(state: RunState) -> str:
    """A run as somebody knows it again who has forgotten its id."""
    opened = state.opened
    return " ".join((opened.run_id, opened.command, *opened.sheets))


def run_in_doubt(ledger: LedgerReader, run_id: str | None) -> RunState:
    """
    A run by its id; None: the newest whose creates or keys are in doubt, or else the newest.

    Raises:
        UsageError: There is none; or it is an undo, whose doubts it settles itself.
    """
    if run_id is None:
        for state in run_states(ledger):
            if state.opened.command in _RECONCILED and any(
                row.is_open for row in state.rows(ledger.row_lines(state.number))
            ):
                return state
    found = find_run(ledger, run_id, command=ONBOARD)
    if found.opened.command == UNDO:
        raise UsageError(
            f"{found.opened.run_id} is an undo, which settles its own doubts",
            hint=f"Give `batchconnect undo {found.opened.parent_run_id} --yes N` again: it goes on.",
        )
    return found


def run_to_verify(ledger: LedgerReader, run_id: str | None) -> RunState:
    """
    A run by its id; None: the newest that creates.

    Raises:
        UsageError: There is none; or it is an undo, which leaves nothing to test.
    """
    found = find_run(ledger, run_id, command=ONBOARD)
    if found.opened.command == UNDO:
        raise UsageError(
            f"{found.opened.run_id} is an undo, which deletes connections: there are none to test",
            hint=f"What it kept is tested by `batchconnect verify {found.opened.parent_run_id}`.",
        )
    return found


def failing_in(ledger: LedgerReader) -> Mapping[str, RowState]:
    """By marker: the identities whose connection did not work when it was tested last, whichever run asked."""
    states = ledger.states_of(ledger.tested_markers())
    return {marker: state for marker, state in states.items() if state.works is False}


def summary_of(
    ledger: LedgerReader, state: RunState, *, live: bool = False, compares: bool = False
) -> "Summary":
    """
    The report's content, a pure function of the ledger.

    Args:
        ledger: Where the run stands.
        state: The run.
        live: Whether it is at work.
        compares: Whether to tell what changed since the run before over the same sheet.
    """
    # Late: whoever only reads a sheet asks this room for past runs, and needs none of the reports' modules.
    from batchconnect.reports.summary import summarize  # noqa: PLC0415 - see above

    def rows(behind: int = BEFORE_ALL) -> Iterator[RowState]:
        lines = ledger.row_lines(state.number, behind=behind)
        # Of a live run, a row that waits has no reason yet why it had no turn.
        return planned_rows(lines) if live else state.rows(lines)

    summary = summarize(
        ledger.run_lines(state.number),
        rows,
        rows_behind=rows,
        ledger=ledger.name,
        live=live,
        before=run_before(ledger, state) if compares and not live else None,
    )
    if state.opened.command == VERIFY and summary.works.get(Works.NO):
        # A rerun of the run that it is of sends the corrected keys, and would take up what was left out there.
        return replace(summary, left_out=_left_out_of_parent(ledger, state))
    return summary


def _left_out_of_parent(ledger: LedgerReader, state: RunState) -> Mapping[str, int]:
    """As `Summary.left_out`, of the run whose connections were tested; {} where it is of a sheet."""
    parent_id = state.opened.parent_run_id
    parent = next((one for one in run_states(ledger) if one.opened.run_id == parent_id), None)
    if parent is None:
        return {}
    lines = (line for end in ledger.ends(parent.number) if not isinstance(end, str) for line in end)
    shown = (row.shown for row in parent.rows(lines))
    return Counter(
        one.code for one in shown if isinstance(one, NotAttempted) and one.code in LEFT_OUT
    )


def run_before(ledger: LedgerReader, state: RunState) -> "Before | None":
    """The run that a rerun takes up, or else the newest before it of the same command over the same sheet."""
    from batchconnect.reports.since import before_of  # noqa: PLC0415 - as above

    before = next((one for one in run_states(ledger) if _is_before(one, state)), None)
    if before is None:
        return None
    is_done = before.is_closed and before.ended is not None and before.ended.exit_code == 0

    def rows() -> "Iterator[Identified]":
        from batchconnect.model.remedies import hint_for  # noqa: PLC0415 - as above
        from batchconnect.reports.result import result_of  # noqa: PLC0415 - as above

        for row in before.rows(ledger.row_lines(before.number)):
            yield row.marker, result_of(row, row.shown, stop=None, hint=hint_for)

    return before_of(before.opened.run_id, before.opened_at_ms, None if is_done else rows)


def _is_before(one: RunState, state: RunState) -> bool:
    ours, theirs = state.opened, one.opened
    if one.number >= state.number or one.never_began:
        return False
    if ours.command == ONBOARD and ours.parent_run_id:
        return theirs.run_id == ours.parent_run_id
    return theirs.command == ours.command and _sheet(theirs) == _sheet(ours)


def _sheet(opened: RunOpened) -> tuple[object, ...]:
    """What a sheet is known by again when its cells were corrected."""
    return (
        opened.files or opened.sheets,
        opened.worksheets or opened.worksheet,
        opened.all_worksheets,
    )
