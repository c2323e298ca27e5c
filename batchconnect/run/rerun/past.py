"""
What a command finds of runs before it: the one that it goes on with, or the one that it takes up the rest of.

It is looked for before anything is written, so that the ledger's lines are of the right run from the first on.
"""

from collections.abc import Callable

from batchconnect.ledger import Ledger, LedgerReader
from batchconnect.ledger.deletions import deletions_in
from batchconnect.ledger.entry import RunIdentified, RunOpened
from batchconnect.ledger.run_state import RunState
from batchconnect.model.value import Value
from batchconnect.run.history.history import failing_in, find_run
from batchconnect.run.intake.intake import Parse, identify
from batchconnect.run.intake.same_run import RowsPrint, goes_on, open_reruns, open_runs, row_key
from batchconnect.run.rerun.rerun import ParentRun, since_deleted
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.fast_scan import Scan


class Past(Value):
    """What a command finds of runs before it."""

    resumed: RunState | None = None
    """The run that it goes on with."""
    identified: RunIdentified | None = None
    """Which run its rows are; None: no run is open, so that nobody had to look."""
    seen: int | None = None
    """The `RowsPrint` of the sheet's rows, where they are those of an open run."""
    left_open: tuple[RunState, ...] = ()
    """Runs over the same sheet that are open, and not this one."""
    settle_s: float = 0.0
    """The longest settle window of the runs that it goes on with: what they sent may be under way so long."""
    parent: str | None = None
    chain: ParentRun | None = None


def look_back(
    ledger: Ledger,
    sheet: Sheet,
    judge: Parse,
    *,
    opened: RunOpened,
    parent: str | None,
    scanner: Callable[[], Scan] | None,
) -> Past:
    """
    Find the run that a command goes on with, and the one that a rerun takes up the rest of.

    Raises:
        SheetError: The sheet cannot be read to its end.
        UsageError: The parent is not known.
    """
    if parent is not None:
        return _look_back_at(ledger, sheet, judge, opened=opened, parent=parent)
    candidates = list(open_runs(ledger, opened.command))
    if not candidates:
        return Past()
    seen = RowsPrint()
    now = identify(sheet, judge, opened, scanner() if scanner else None, seen)
    others: list[RunState] = []
    for state in candidates:
        keys = (row_key(row, judge(row)) for row in sheet.rows())
        if goes_on(state, opened, now, keys, ledger):
            return Past(
                resumed=state,
                identified=now,
                seen=seen.value,
                settle_s=state.opened.settle_s,
            )
        if opened.files and state.opened.files == opened.files:
            others.append(state)
    return Past(identified=now, left_open=tuple(others))


def parent_run(ledger: LedgerReader, run: RunState) -> ParentRun:
    """A run as the parent of a rerun, with what is known of its connections today."""
    rows = since_deleted(run.rows(ledger.row_lines(run.number)), deletions_in(ledger).ids)
    return ParentRun(rows, failing_in(ledger))


def _look_back_at(
    ledger: Ledger, sheet: Sheet, judge: Parse, *, opened: RunOpened, parent: str
) -> Past:
    """As `look_back`, of a rerun."""
    before, resumed, now = find_run(ledger, parent), None, None
    is_open = before.opened.parent_run_id is not None and not before.is_closed
    candidates = [before] if is_open else list(open_reruns(ledger, before.opened.run_id))
    if candidates:
        now = identify(sheet, judge, opened)
        # A rerun that was cut off goes on under its own id, whether it is named or its parent.
        resumed = next((state for state in candidates if state.identified == now), None)
    if is_open and (resumed is not None or before.identified is None):
        # Over another sheet it is another rerun: of that one, where it has come to send anything.
        before = find_run(ledger, before.opened.parent_run_id)
    chain = parent_run(ledger, before)
    chain.look_ahead(sheet, judge)
    taken_up = [before] if resumed is None else [before, resumed]
    return Past(
        resumed=resumed,
        identified=now,
        parent=before.opened.run_id,
        chain=chain,
        settle_s=max(run.opened.settle_s for run in taken_up),
    )
