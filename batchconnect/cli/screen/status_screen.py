"""
A run at work, for who looks from beside: what waits, what is being settled, how fast, and until when.

It has no advice: whatever a person would do, the run holds the ledger until it is through.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from batchconnect.cli.progress.words import duration
from batchconnect.ledger.entry import LaneTold
from batchconnect.model.escape import escape_control
from batchconnect.model.event import LanePaused
from batchconnect.model.outcome import Status
from batchconnect.reports.result import IN_FLIGHT, PENDING, Result
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import cause_lines

_PACE_OVER_MS: Final = 60_000
"""The pace is that of the last minute: an average from the start would hide a storm."""


@dataclass(slots=True)
class _Seen:
    """What the rows of a run at work add up to."""

    counts: Counter[Status] = field(default_factory=Counter)
    """Of rows that are through."""
    waiting: int = 0
    sending: int = 0
    settling: int = 0
    recent: int = 0
    """Rows that were settled in the last minute."""
    decided_ms: int = 0
    """When the last doubt is decided at the latest."""


def live_lines(summary: Summary, *, now_ms: int, width: int) -> Iterator[str]:
    """
    How far a run is, line by line, each harmless for a terminal.

    Args:
        summary: Of a run at work.
        now_ms: The wall clock.
        width: Columns of the terminal.
    """
    opened = summary.opened
    for_s = max(0, now_ms - summary.started_at_ms) / 1000
    mode = " (simulated)" if opened.simulated else ""
    rows = f"{summary.total} row" if summary.total == 1 else f"{summary.total} rows"
    yield (
        f"{escape_control(opened.command)} {escape_control(opened.run_id)}{mode}:"
        f" {rows}, at work for {duration(for_s)}"
    )
    seen = _seen(summary, now_ms)
    figures = len(str(summary.total))
    for status, count in seen.counts.items():
        yield f"  {count:>{figures}} {status.value}"
    settle_left_s = max(0, seen.decided_ms - now_ms) / 1000
    for count, what in (
        (seen.sending, "on the way    the answer is awaited"),
        (
            seen.settling,
            f"being settled the answer was lost; decided within {duration(max(1, settle_left_s))}",
        ),
        (seen.waiting, "waiting       for their turn"),
    ):
        if count:
            yield f"  {count:>{figures}} {what}"
    yield f"pace: {', '.join(_pace(seen, for_s, settle_left_s))}"
    for org, left_s in _pauses(summary, now_ms):
        yield escape_control(f"{org}: paused, {duration(left_s)} left")
    yield from cause_lines(summary, width=width)


def _seen(summary: Summary, now_ms: int) -> _Seen:
    seen = _Seen()
    settle_ms = round(summary.opened.settle_s * 1000)
    for row in summary.rows():
        if row.error_code == PENDING:
            seen.waiting += 1
        elif row.error_code == IN_FLIGHT:
            seen.sending += 1
        elif row.status is Status.IN_DOUBT:
            seen.settling += 1
            seen.decided_ms = max(seen.decided_ms, (row.finished_at_ms or now_ms) + settle_ms)
        else:
            seen.counts[row.status] += 1
            seen.recent += _is_recent(row, now_ms)
    return seen


def _is_recent(row: Result, now_ms: int) -> bool:
    at_ms = row.finished_at_ms
    return not row.carried_over and at_ms is not None and at_ms > now_ms - _PACE_OVER_MS


def _pace(seen: _Seen, for_s: float, settle_left_s: float) -> Iterator[str]:
    """Rows per second, and how long it takes from here, as far as that is known."""
    rate = seen.recent / max(1.0, min(for_s, _PACE_OVER_MS / 1000))
    yield f"{rate:.1f} rows/s" if rate else "no row was settled in the last minute"
    if not seen.waiting and not seen.sending and not seen.settling:
        yield "closing"
    elif rate or not seen.waiting:
        left_s = max(seen.waiting / rate if rate else 0.0, settle_left_s)
        yield f"about {duration(max(1, left_s))} left"


def _pauses(summary: Summary, now_ms: int) -> Iterator[tuple[str, float]]:
    """Lanes that send nothing now, and for how long."""
    until_ms: dict[str, int] = {}
    for line in summary.lines:
        if isinstance(line.entry, LaneTold) and isinstance(line.entry.event, LanePaused):
            pause = line.entry.event
            ends_ms = line.at_ms + round(pause.pause_s * 1000)
            until_ms[pause.org] = max(until_ms.get(pause.org, 0), ends_ms)
    for org, ends_ms in until_ms.items():
        if ends_ms > now_ms:
            yield org, (ends_ms - now_ms) / 1000
