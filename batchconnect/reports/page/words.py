"""Numbers and findings of a run in the page's words: what a person reads first."""

from datetime import UTC, datetime

from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import DONE, Status
from batchconnect.reports.summary import Summary

LABELS = {
    Status.CREATED: "created",
    Status.EXISTING: "existing",
    Status.FAILED: "failed",
    Status.REJECTED: "rejected",
    Status.CONFLICT: "conflict",
    Status.IN_DOUBT: "in doubt",
    Status.NOT_ATTEMPTED: "not attempted",
    Status.UPDATED: "updated",
    Status.UNCHANGED: "unchanged",
    Status.DELETED: "deleted",
    Status.KEPT: "kept",
}
MEANINGS = {
    Status.CREATED: "made by this run",
    Status.EXISTING: "there before; its key was not compared, not sent",
    Status.FAILED: "refused by the service",
    Status.REJECTED: "wrong in the sheet, not sent",
    Status.CONFLICT: "something else stands in the way",
    Status.IN_DOUBT: "sent, and the answer is unknown",
    Status.NOT_ATTEMPTED: "stopped before their turn",
    Status.UPDATED: "the connection has the sheet's key now",
    Status.UNCHANGED: "there was no need to send the key",
    Status.DELETED: "the connection is gone",
    Status.KEPT: "the connection was not deleted",
}
_EXITS = {
    ExitCode.OK: "every row has its connection",
    ExitCode.SHEET: "rows of the sheet are rejected, nothing was sent",
    ExitCode.UNFINISHED: "finished, some rows have no connection",
    ExitCode.IN_DOUBT: "finished, some rows are in doubt",
    ExitCode.STOPPED: "stopped: every lane refused, or too many failures",
    ExitCode.AS_ASKED: "stopped as asked by --max-rows",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "ended from outside",
}
_SAME = {
    ExitCode.SHEET: "Correct the cells named below, then give the same command again.",
    ExitCode.AS_ASKED: "The same command takes the next rows.",
}

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS


def number(count: float) -> str:
    """`4,712`."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """`1 row`, `4,712 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def span(ms: float) -> str:
    """A length of time in two units at most: `80 ms`, `1.2 s`, `12 min 33 s`, `3 h 5 min`."""
    if ms < _SECOND_MS:
        return f"{ms:.0f} ms"
    if ms < 10 * _SECOND_MS:
        return f"{ms / _SECOND_MS:.1f}".removesuffix(".0") + " s"
    seconds = round(ms / _SECOND_MS)
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def clock(at_ms: int) -> str:
    """`16:15:30`, UTC."""
    return _at(at_ms).strftime("%H:%M:%S")


def stamp(at_ms: int) -> str:
    """`2026-11-23 16:15:30 UTC`."""
    return _at(at_ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def rate(per_s: float) -> str:
    """Requests per second, as short as is true: `0.66/s`, `12/s`."""
    return f"{per_s:.2f}".rstrip("0").removesuffix(".") + "/s"


def done(summary: Summary) -> int:
    """Rows that have their connection."""
    return sum(summary.counts[status] for status in DONE)


def headline(summary: Summary) -> str:
    """The one sentence that tells how it went."""
    have, total = done(summary), summary.total
    if summary.exit_code == ExitCode.SHEET:
        wrong = summary.counts[Status.REJECTED]
        verb = "is" if wrong == 1 else "are"
        return f"Nothing was sent: {number(wrong)} of {counted(total, 'row')} {verb} rejected"
    if not total:
        return "The sheet has no rows"
    if have == total:
        return (
            "The row has its connection"
            if total == 1
            else f"All {number(total)} rows have their connection"
        )
    verb = "has its connection" if have == 1 else "have their connection"
    text = f"{number(have)} of {counted(total, 'row')} {verb}"
    return f"{text} so far" if summary.live else text


def ending(summary: Summary) -> str:
    """How the run ended, with its exit code."""
    if summary.exit_code is None:
        return "still at work"
    code = summary.exit_code
    words = _EXITS.get(ExitCode(code), "") if code in set(ExitCode) else ""
    return f"{words} (exit code {int(code)})" if words else f"exit code {int(code)}"


def next_step(summary: Summary) -> tuple[str, str | None] | None:
    """
    What to do from here.

    Returns:
        A sentence, and the command that it ends with; None: nothing is left to do.
    """
    run, code = summary.opened.run_id, summary.exit_code
    if summary.closed and code == ExitCode.OK:
        return None
    if summary.live:
        words = "The run is still at work. This page is a snapshot; to write it again:"
        return words, f"batchconnect report {run}"
    # Three cases for the same command, as at the end of a run on the screen.
    if not summary.closed:
        return "The run was cut off. The same command goes on under the same run id.", None
    if code in _SAME:
        return _SAME[ExitCode(code)], None
    if summary.counts[Status.IN_DOUBT] or done(summary) == summary.total:
        words = "Look for the rows in doubt again; nothing is sent by that:"
        return words, f"batchconnect reconcile {run}"
    words = "When the causes below are removed, send only what is unfinished:"
    return words, f"batchconnect rerun {run}"


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
