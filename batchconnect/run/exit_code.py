"""The exit code of a run: one table, pure, asked once at the end and kept in the ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from batchconnect.ledger.entry import Line
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Swept
from batchconnect.model.outcome import STATUS_BY_NAME, NotAttempted, Status, Works, status_of
from batchconnect.model.value import Value, field, replace

INTERRUPTED: Final = "interrupted"
TERMINATED: Final = "terminated"
MAX_ROWS: Final = "max_rows"
MAX_FAILURES: Final = "max_failures"
REJECTED_ROWS: Final = "rejected_rows"
NOT_SELECTED: Final = "not_selected"
LEDGER_GONE: Final = "ledger_gone"

_UNFINISHED: Final = (
    Status.FAILED,
    Status.REJECTED,
    Status.CONFLICT,
    Status.NOT_ATTEMPTED,
    Status.KEPT,
)


class StatusCounts(Value):
    """The rows of a run, counted."""

    counts: Mapping[Status, int]
    left_out: int = 0
    """Of the rows not attempted, those that `--only` left out: nobody asked for them."""
    without_turn: int = 0
    """Of the rows not attempted, those whose turn did not come before the run ended."""
    works: Mapping[Works, int] = field(default_factory=dict)
    """What the tests of their connections said."""
    keys_missing: int = 0
    """Rows whose key its store did not give when it was only asked."""


def count_statuses(rows: Iterable[RowState]) -> StatusCounts:
    """Count the rows of a run."""
    counts: Counter[Status] = Counter()
    codes: Counter[str] = Counter()
    works: Counter[Works] = Counter()
    keys_missing = 0
    for row in rows:
        shown = row.shown
        if row.tested is not None:
            works[row.tested.works] += 1
        keys_missing += row.key_refusal is not None
        counts[status_of(shown)] += 1
        if isinstance(shown, NotAttempted):
            codes[shown.code] += 1
    without_turn = codes[INTERRUPTED] + codes[MAX_ROWS]
    return StatusCounts(
        counts=counts,
        left_out=codes[NOT_SELECTED],
        without_turn=without_turn,
        works=works,
        keys_missing=keys_missing,
    )


def count_ends(state: RunState, ends: Iterable[str | Sequence[Line]]) -> StatusCounts:
    """
    Count the rows of a run, of most of which no more is read than what became of them.

    Args:
        state: The run.
        ends: As `Ledger.ends` gives them.
    """
    plain: Counter[Status] = Counter()

    def others() -> Iterator[Line]:
        for end in ends:
            if isinstance(end, str):
                plain[STATUS_BY_NAME[end]] += 1
            else:
                yield from end

    counted = count_statuses(state.rows(others()))
    return replace(counted, counts=plain + Counter(counted.counts))


def of_doubts(code: int | None) -> ExitCode:
    """What `reconcile` ends with, of a run that has this code now: how a run was stopped is no matter of its doubts."""
    return ExitCode(code) if code in {ExitCode.OK, ExitCode.IN_DOUBT} else ExitCode.UNFINISHED


def exit_code(
    count_statuses: StatusCounts,
    *,
    reason: str,
    every_lane_refused: bool,
    somebody_else: bool = False,
    swept: Swept | None,
) -> ExitCode:
    """
    Decide the exit code; where several hold, the first of these lines wins.

    Args:
        count_statuses: The rows, counted.
        reason: Why the run was stopped, "" where it was not.
        every_lane_refused: Whether each lane that had rows was stopped by a refusal.
        somebody_else: Whether a lane was stopped because others create its rows.
        swept: What the sweep found.

    Source:
        docs/commands.md, "Exit codes".
    """
    counts = count_statuses.counts
    unfinished = sum(counts.get(status, 0) for status in _UNFINISHED) - count_statuses.left_out
    works = count_statuses.works
    broken, untested = works.get(Works.NO, 0), works.get(Works.NOT_TESTED, 0)
    left = unfinished + untested
    # What --max-rows held back is no failure: the canary ended as it was asked to.
    held_back = count_statuses.without_turn if reason == MAX_ROWS else 0
    unclean = swept is not None and not swept.is_clean
    rules = (
        (reason == TERMINATED, ExitCode.TERMINATED),
        (reason == INTERRUPTED, ExitCode.INTERRUPTED),
        (reason == REJECTED_ROWS, ExitCode.SHEET),
        (reason == LEDGER_GONE or somebody_else, ExitCode.LEDGER),
        (reason == MAX_FAILURES or (every_lane_refused and left > 0), ExitCode.STOPPED),
        (counts.get(Status.IN_DOUBT, 0) > 0 or unclean or untested > 0, ExitCode.IN_DOUBT),
        (
            unfinished > held_back or broken > 0 or count_statuses.keys_missing > 0,
            ExitCode.UNFINISHED,
        ),
        (held_back > 0, ExitCode.AS_ASKED),
    )
    return next((code for holds, code in rules if holds), ExitCode.OK)
