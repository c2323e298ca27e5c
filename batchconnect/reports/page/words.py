"""Numbers and findings of a run in the page's words: what a person reads first."""

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, VERIFY
from batchconnect.model.errors import ExitCode
from batchconnect.model.key_end import told
from batchconnect.model.outcome import DONE, Status, Works
from batchconnect.reports import next_step as steps
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
WORKS = {Works.YES: "works", Works.NO: "does not work", Works.NOT_TESTED: "not tested"}
_OF_SEVERAL = {**WORKS, Works.YES: "work", Works.NO: "do not work"}
WORKS_MEAN = {
    Works.YES: "the source accepts the credentials",
    Works.NO: "the source refuses the credentials",
    Works.NOT_TESTED: "nothing is known of the credentials",
}
_OF_A_CREATE = (
    *(Status.CREATED, Status.EXISTING, Status.FAILED, Status.REJECTED, Status.CONFLICT),
    *(Status.IN_DOUBT, Status.NOT_ATTEMPTED),
)
_EXPECTED: Final = {
    ONBOARD: _OF_A_CREATE,
    ROTATE: (Status.UPDATED, Status.UNCHANGED, *_OF_A_CREATE[2:]),
    UNDO: (Status.DELETED, Status.KEPT, Status.IN_DOUBT, Status.NOT_ATTEMPTED),
}
REQUESTS: Final = {
    ONBOARD: "created or tried to create a connection",
    ROTATE: "sent or tried to send a key",
    UNDO: "deleted or tried to delete a connection",
}
"""What the requests are that are drawn; a test of a connection is none of them."""
PARENT: Final = {ONBOARD: "goes on from"}
"""What a run is to the run that it names; of other commands it is about its rows."""
_ALL_DONE = {
    ROTATE: "every row's key is where it belongs",
    VERIFY: "every connection works",
    UNDO: "every connection is deleted",
}
_LEFT = {
    ROTATE: "finished, some keys were not sent",
    VERIFY: "finished, some connections do not work",
    UNDO: "finished, some connections are kept",
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


def iso(at_ms: int) -> str:
    """`2026-11-23T16:15:30Z`."""
    return _at(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def rate(per_s: float) -> str:
    """Requests per second, as short as is true: `0.66/s`, `12/s`."""
    return f"{per_s:.2f}".rstrip("0").removesuffix(".") + "/s"


def done(summary: Summary) -> int:
    """Rows for which nothing is left to do, but that their connection may not work."""
    return sum(summary.counts[status] for status in DONE)


def shown_statuses(summary: Summary) -> list[Status]:
    """Those that a command is about, with or without rows, and those that occur all the same."""
    expected = _EXPECTED.get(summary.opened.command, ())
    occur = (status for status in Status if summary.counts[status])
    return list(dict.fromkeys((*expected, *occur)))


def occurring(summary: Summary) -> list[Status]:
    """Those that have rows."""
    return [status for status in Status if summary.counts[status]]


def meaning(summary: Summary, status: Status) -> str:
    """Of a status, as the run's command leaves it."""
    if status is Status.CREATED and summary.opened.command != ONBOARD:
        return "made by an earlier run"
    if status is Status.CREATED and (before := summary.carried_over.get(status, 0)):
        return f"{number(summary.counts[status] - before)} by this run, {number(before)} before it"
    return MEANINGS[status]


def working(works: Works, count: int) -> str:
    """`works`, or of several `work`."""
    return WORKS[works] if count == 1 else _OF_SEVERAL[works]


def tested(summary: Summary) -> int:
    """Rows whose connection was tested, or should have been."""
    return sum(summary.works.values())


def headline(summary: Summary) -> str:
    """The one sentence that tells how it went."""
    if summary.exit_code == ExitCode.SHEET:
        wrong = summary.counts[Status.REJECTED]
        verb = "is" if wrong == 1 else "are"
        return (
            f"Nothing was sent: {number(wrong)} of {counted(summary.total, 'row')} {verb} rejected"
        )
    if not summary.total:
        return "The sheet has no rows"
    text = _HEADLINES.get(summary.opened.command, _connected)(summary)
    return f"{text} so far" if summary.live else text


def ending(summary: Summary) -> str:
    """How the run ended, with its exit code."""
    if summary.exit_code is None:
        return "still at work"
    code = summary.exit_code
    words = _how(summary, ExitCode(code)) if code in set(ExitCode) else ""
    return f"{words} (exit code {int(code)})" if words else f"exit code {int(code)}"


def keys_ending(summary: Summary) -> str:
    """That keys end soon, and the command that names them; "" where none does."""
    if not summary.keys_ending:
        return ""
    return f"{told(summary.keys_ending)}, by the word of their stores."


def expiring(summary: Summary) -> str:
    """The command that names the keys that end soon."""
    return _placed(summary, "batchconnect", "expiring", summary.opened.run_id)


def heir(summary: Summary) -> str:
    """What a rerun made itself, and what it only accounts for; "" where there is nothing to tell apart."""
    before = sum(summary.carried_over.values())
    if not before or not summary.opened.parent_run_id:
        return ""
    made = summary.counts[Status.CREATED] - summary.carried_over.get(Status.CREATED, 0)
    return (
        f"This rerun made {counted(made, 'connection')} itself;"
        f" {counted(before, 'row')} {'stands' if before == 1 else 'stand'} as run {summary.opened.parent_run_id} left them."
    )


def next_step(summary: Summary) -> tuple[str, str | None] | None:
    """
    What to do from here.

    Returns:
        A sentence, and the command that it ends with; None: nothing is left to do.
    """
    if summary.live:
        words = "The run is still at work. This page is a snapshot; to write it again:"
        return words, _placed(summary, "batchconnect", "report", summary.opened.run_id)
    step = steps.next_step(summary)
    if step is None:
        return None
    return step.why, _placed(summary, *step.command) if step.command else None


def _placed(summary: Summary, *command: str) -> str:
    return shlex.join([*command, *summary.place_flags])


def _how(summary: Summary, code: ExitCode) -> str:
    command, is_done = summary.opened.command, done(summary) == summary.total
    match code:
        case ExitCode.OK:
            return _ALL_DONE.get(command, _EXITS[code])
        case ExitCode.UNFINISHED if is_done and summary.works.get(Works.NO):
            return _LEFT[VERIFY]
        case ExitCode.UNFINISHED if is_done and summary.keys_missing:
            return "finished, some keys are not to be had from their stores"
        case ExitCode.UNFINISHED:
            return _LEFT.get(command, _EXITS[code])
        case ExitCode.IN_DOUBT if is_done and summary.works.get(Works.NOT_TESTED):
            return "finished, some connections could not be tested"
        case _:
            return _EXITS.get(code, "")


def _connected(summary: Summary) -> str:
    have, total = done(summary), summary.total
    if total == have == 1:
        text = "The row has its connection"
    elif have == total:
        text = f"All {number(total)} rows have their connection"
    else:
        verb = "has its connection" if have == 1 else "have their connection"
        text = f"{number(have)} of {counted(total, 'row')} {verb}"
    if not (asked := tested(summary)):
        return text
    works = _share(summary.works.get(Works.YES, 0), asked, "works", "work")
    return f"{text}, {works[0].lower()}{works[1:]}"


def _verified(summary: Summary) -> str:
    return _share(summary.works.get(Works.YES, 0), summary.total, "works", "work")


def _rotated(summary: Summary) -> str:
    sent, needless = summary.counts[Status.UPDATED], summary.counts[Status.UNCHANGED]
    text = f"{_share(sent, summary.total, 'has', 'have')} the sheet's key now"
    return f"{text}, {number(needless)} needed none" if needless else text


def _undone(summary: Summary) -> str:
    return f"{_share(summary.counts[Status.DELETED], summary.total, 'is', 'are')} deleted"


def _share(count: int, total: int, of_one: str, of_many: str) -> str:
    """`The connection works`, `All 200 connections work`, `1 of 200 connections works`."""
    if count < total:
        whose = f"{number(count)} of {counted(total, 'connection')}"
    else:
        whose = "The connection" if total == 1 else f"All {number(total)} connections"
    return f"{whose} {of_one if 1 in {count, total} else of_many}"


_HEADLINES: Final[Mapping[str, Callable[[Summary], str]]] = {
    ROTATE: _rotated,
    VERIFY: _verified,
    UNDO: _undone,
}
"""By `RunOpened.command`."""


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
