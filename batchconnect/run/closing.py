"""How a run over a sheet ends: its exit code, whether the same command goes on with it, and its last line."""

from collections.abc import Callable, Sequence

from batchconnect.lane.lane import SOMEBODY_ELSE
from batchconnect.ledger.aside import aside
from batchconnect.ledger.entry import ROTATE, Line, RunEnded
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event, RunFinished
from batchconnect.run.exit_code import LEDGER_GONE, MAX_ROWS, count_ends, exit_code
from batchconnect.run.job import Job


async def close(
    job: Job,
    *,
    number: int,
    writer: RunWriter,
    reason: str,
    every_lane_refused: bool,
    lines: Sequence[Line] | None = None,
    last_lines: Sequence[Line] = (),
) -> RunState:
    """
    Write how a run ended, by what the ledger says of its rows.

    Args:
        job: The run.
        number: Of the run, in the ledger.
        writer: Writes its lines.
        reason: Why it was stopped, "" where it was not.
        every_lane_refused: Whether the service refused each lane that had rows.
        lines: Its lines so far, as of `Ledger.run_lines`; None: they are asked for.
        last_lines: What is written with the end.

    Raises:
        LedgerError: It cannot be asked, or written.
    """
    ledger = job.ledger
    if lines is None:
        lines = await aside(ledger, lambda: ledger.run_lines(number))
    state = fold_run(lines)
    counts = await aside(ledger, lambda: count_ends(state, ledger.ends(number)))
    code = exit_code(
        counts,
        reason=reason,
        every_lane_refused=every_lane_refused,
        somebody_else=any(stop.code == SOMEBODY_ELSE for stop in state.stops),
        swept=state.swept,
    )
    # An interrupted run stays open, so that the same command goes on with it.
    is_cut_off = code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    # So does a rotation that --max-rows ended: a new one could not tell which keys were sent already.
    is_cut_off |= reason == MAX_ROWS and job.opened.command == ROTATE
    is_closed = not is_cut_off and reason != LEDGER_GONE
    ended = RunEnded(exit_code=code, closed=is_closed, reason=reason)
    last_lines = [*last_lines, writer.line(ended)]
    await writer.write(last_lines)
    return fold_run([*lines, *last_lines])


def tell_end(tell: Callable[[Event], None], state: RunState) -> None:
    """Tell that a run has ended, as its state says; or that this process leaves it."""
    # The time of day may have been set back meanwhile.
    duration_s = max(0, state.last_at_ms - state.opened_at_ms) / 1000
    code = ExitCode(state.ended.exit_code if state.ended is not None else 0)
    tell(RunFinished(run_id=state.opened.run_id, exit_code=code, duration_s=duration_s))
