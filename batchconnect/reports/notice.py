"""How a run ended, for a channel that many read: numbers, its id, its exit code, and no name of anything."""

from collections.abc import Iterable

from batchconnect.ledger.entry import ONBOARD
from batchconnect.model.errors import ExitCode
from batchconnect.model.notice import Mood, Notice
from batchconnect.model.outcome import Status, Works
from batchconnect.reports.summary import Summary

_RUN = {ONBOARD: "run"}
"""The command that a person gives, where the ledger has another word for it."""
_WARNINGS = frozenset({ExitCode.UNFINISHED, ExitCode.AS_ASKED, ExitCode.INTERRUPTED})
_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.USAGE: "nothing was sent: options or settings are wrong",
    ExitCode.SHEET: "nothing was sent: the sheet has rejected rows, or cannot be used",
    ExitCode.UNFINISHED: "finished, not every row is done",
    ExitCode.LEDGER: "the ledger is in use or unusable",
    ExitCode.IN_DOUBT: "finished, some rows are in doubt",
    ExitCode.STOPPED: "stopped: every lane was refused, or too many rows failed",
    ExitCode.AS_ASKED: "stopped as asked, rows are left",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "interrupted",
}
"""An exit code in a few words: a title says no number alone."""
_WORDS = {Works.YES: "work", Works.NO: "do not work", Works.NOT_TESTED: "not tested"}


def notice_of(summary: Summary) -> Notice:
    """What is told of a run that came to its end."""
    opened = summary.opened
    code = ExitCode(int(summary.exit_code or 0))
    command = _RUN.get(opened.command, opened.command)
    mode = " (simulated)" if opened.simulated else ""
    counts = _counted((status.value.replace("_", " "), summary.counts[status]) for status in Status)
    tested = _counted((_WORDS[works], summary.works.get(works, 0)) for works in Works)
    lines = [
        f"{summary.total} rows: {counts}" if counts else f"{summary.total} rows",
        *([f"connections: {tested}"] if tested else []),
        f"run {opened.run_id}, {round(summary.duration_s)} s, exit code {int(code)}",
    ]
    return Notice(
        title=f"batchconnect {command}{mode}: {_meaning(code)}",
        body="\n".join(lines),
        mood=_mood(code),
    )


def notice_of_error(command: str, code: int) -> Notice:
    """
    What is told where a command ended before there was anything to sum up.

    Args:
        command: As it was given: `run`, `verify`, ...
        code: Its exit code. Its message may hold names, and is not told.
    """
    known = ExitCode(code)
    return Notice(
        title=f"batchconnect {command}: {_meaning(known)}",
        body=f"It ended with exit code {code}, and without a report: its own output says why.",
        mood=_mood(known),
    )


def _mood(code: ExitCode) -> Mood:
    if code is ExitCode.OK:
        return Mood.SUCCESS
    return Mood.WARNING if code in _WARNINGS else Mood.FAILURE


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts if count)


def _meaning(code: ExitCode) -> str:
    return _MEANINGS.get(code, "an unexpected error")
