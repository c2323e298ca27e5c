"""The exit code of a run: one table, pure, asked once at the end and kept in the ledger."""

from collections.abc import Mapping
from typing import Final

from batchconnect.errors import ExitCode
from batchconnect.event import Swept
from batchconnect.outcome import Status

INTERRUPTED: Final = "interrupted"
TERMINATED: Final = "terminated"
MAX_ROWS: Final = "max_rows"
MAX_FAILURES: Final = "max_failures"
REJECTED_ROWS: Final = "rejected_rows"

_UNFINISHED: Final = (Status.FAILED, Status.REJECTED, Status.CONFLICT, Status.NOT_ATTEMPTED)


def exit_code(
    *,
    counts: Mapping[Status, int],
    left_out: int,
    reason: str,
    every_lane_refused: bool,
    swept: Swept | None,
) -> ExitCode:
    """
    Decide the exit code; where several hold, the first of these lines wins.

    Args:
        counts: Rows per status.
        left_out: Of the rows not attempted, those that `--only` left out: nobody asked for them.
        reason: Why the run was stopped, "" where it was not.
        every_lane_refused: Whether each lane that had rows was stopped by a refusal.
        swept: What the sweep found.

    Source:
        design.md, "Commands", exit codes.
    """
    unfinished = sum(counts.get(status, 0) for status in _UNFINISHED) - left_out
    # What --max-rows left out is no failure: the canary ended as it was asked to.
    failed = sum(counts.get(status, 0) for status in _UNFINISHED[:3])
    unclean = swept is not None and (bool(swept.duplicated) or bool(swept.missing))
    rules = (
        (reason == TERMINATED, ExitCode.TERMINATED),
        (reason == INTERRUPTED, ExitCode.INTERRUPTED),
        (reason == REJECTED_ROWS, ExitCode.SHEET),
        (reason == MAX_FAILURES or (every_lane_refused and unfinished > 0), ExitCode.STOPPED),
        (counts.get(Status.IN_DOUBT, 0) > 0 or unclean, ExitCode.IN_DOUBT),
        (failed > 0 or (unfinished > 0 and reason != MAX_ROWS), ExitCode.UNFINISHED),
        (reason == MAX_ROWS and unfinished > 0, ExitCode.AS_ASKED),
    )
    return next((code for holds, code in rules if holds), ExitCode.OK)
