"""
The end of a run on a terminal: what happened, why, and the exact next command, in few plain lines.

Lines are ASCII but for the user's own texts, and need no colour. Whatever a hostile sheet or service put
into a name cannot steer the terminal: such characters are shown as their escapes. The caller prints
the lines as they are, without markup.
"""

import shlex
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from batchconnect.ledger.entry import ROTATE, UNDO, VERIFY
from batchconnect.model.escape import escape_control
from batchconnect.model.event import Swept
from batchconnect.model.key_end import told as told_ending
from batchconnect.model.outcome import Status, Works
from batchconnect.reports.advice import with_place
from batchconnect.reports.incident import Incident, what_to_send
from batchconnect.reports.next_step import NextStep, next_step
from batchconnect.reports.summary import Summary
from batchconnect.reports.workbook.layout import LAST_ROW

_MOST_INCIDENTS = 8
_MEANING = {
    Status.CREATED: "",
    Status.EXISTING: "stood there already; the key was not compared, not sent",
    Status.FAILED: "refused by the service",
    Status.REJECTED: "wrong in the sheet, not sent",
    Status.CONFLICT: "something else stands in the way",
    Status.IN_DOUBT: "sent, and the answer is unknown",
    Status.NOT_ATTEMPTED: "stopped before their turn",
    Status.UPDATED: "the connection has the sheet's key now",
    Status.UNCHANGED: "there was no need to send the key",
    Status.DELETED: "",
    Status.KEPT: "not deleted",
}
_REFUSED = {ROTATE: "not updated", UNDO: "not deleted"}
"""What became of a row that the service refused, by command; of the others it is not created."""


def closing_lines(
    summary: Summary,
    *,
    folder: Path | None = None,
    next_command: str | None = None,
    width: int = 80,
) -> list[str]:
    """
    Tell how a run ended.

    Args:
        summary: The run.
        folder: Where its report is; None where none was written.
        next_command: What to do next, as `next_command` tells.
        width: Columns of the terminal; lines are wrapped, a long path or command is not.
    """
    incidents = summary.incidents[:_MOST_INCIDENTS]
    lines = [_headline(summary), *_counts(summary), *_works(summary)]
    if not summary.total:
        lines.append("  no rows yet: there was nothing to do below the header")
    for incident in incidents:
        lines += ["", *_told(incident, summary, width)]
    if more := len(summary.incidents) - len(incidents):
        lines += ["", f"and {more} more kinds of trouble: see the report"]
    lines += [*_sweep(summary.sweep, width), ""]
    if folder is not None:
        lines.append(f"report: {escape_control(str(folder))}")
        if summary.total >= LAST_ROW:
            lines.append(
                f"        results.xlsx ends at Excel's row {LAST_ROW:,}; results.csv has all"
            )
    if next_command is not None:
        lines.append(f"next:   {escape_control(next_command)}")
    return lines if lines[-1] else lines[:-1]


def incident_lines(summary: Summary, *, width: int = 80) -> list[str]:
    """What went wrong, and nothing else."""
    return [line for one in summary.incidents for line in _told(one, summary, width)]


def cause_lines(summary: Summary, *, width: int = 80) -> list[str]:
    """What stands in the way of a run at work, without advice: it would be refused until the run is through."""
    command = summary.opened.command
    causes = (one for one in summary.incidents if one.status is not Status.IN_DOUBT)
    return [line for one in causes for line in _named(one, command, width)]


def next_command(
    summary: Summary,
    *,
    same: str,
    options: Sequence[str] = (),
    kept: Callable[[NextStep], Sequence[str]] | None = None,
) -> str | None:
    """
    The command that goes on from here.

    Args:
        summary: The run.
        same: The command that was given, ready for a shell.
        options: What the next command needs to find the same run, as `--simulate`, `--reports DIR`.
        kept: Options of the command that was given, without which the next one would do more, or otherwise;
            None: nobody knows which were given.

    Returns:
        The command, behind what a person does first where it needs that: `correct the keys, then: ...`.
        None where nothing is left to do, or where the run is still at work.
    """
    step = next_step(summary)
    if step is None:
        return None
    flags = [*options, *(kept(step) if kept is not None else ())]
    command = shlex.join([*step.command, *flags]) if step.command else same
    lost = [flag for flag in step.forgets if flag not in flags]
    first = [
        *([step.first] if step.first else []),
        *([f"add the {' and '.join(lost)} of that run"] if lost else []),
    ]
    return f"{' and '.join(first)}, then: {command}" if first else command


def _headline(summary: Summary) -> str:
    opened = summary.opened
    parent = opened.parent_run_id if opened.command in {VERIFY, UNDO} else None
    whose = f" of run {escape_control(parent)}" if parent else ""
    mode = " (simulated)" if opened.simulated else ""
    state = " so far" if summary.live else "" if summary.closed else ", not finished"
    what = f"{escape_control(opened.command)} {escape_control(opened.run_id)}{whose}{mode}"
    return f"{what}: {_rows(summary.total)} in {_time(summary.duration_s)}{state}"


def _counts(summary: Summary) -> list[str]:
    figures = max(len(str(count)) for count in summary.counts.values())
    return [
        f"  {count:>{figures}} {status.value:<13} {_meaning(summary, status)}".rstrip()
        for status, count in summary.counts.items()
        if count
    ]


def _meaning(summary: Summary, status: Status) -> str:
    if status is Status.EXISTING and summary.opened.command == VERIFY:
        return "found; nothing is sent"
    before = summary.carried_over.get(status, 0)
    if status is not Status.CREATED or not before:
        return _MEANING[status]
    return f"{summary.counts[status] - before} by this run, {before} before it"


def _works(summary: Summary) -> list[str]:
    told = [
        f"{count} {word.value.replace('_', ' ')}"
        for word in Works
        if (count := summary.works.get(word))
    ]
    changed = {
        "no more": summary.stopped_working,
        "again": summary.works_again,
    }
    since = [f"{count} {word}" for word, count in changed.items() if count]
    return [
        *([f"  works: {', '.join(told)}"] if told else []),
        *([f"  works, unlike at the last test: {', '.join(since)}"] if since else []),
        *(
            [f"  {told_ending(summary.keys_ending)}: see key_expires"]
            if summary.keys_ending
            else []
        ),
    ]


def hint_lines(hint: str, *, width: int = 80) -> list[str]:
    """What to do about a cause, below the line that names it."""
    return textwrap.wrap(
        escape_control(hint), width, initial_indent="  -> ", subsequent_indent="     "
    )


def _told(incident: Incident, summary: Summary, width: int) -> list[str]:
    hint = with_place(incident.hint, place=summary.place_flags, kept=summary.kept)
    return [
        *_named(incident, summary.opened.command, width),
        *hint_lines(hint, width=width),
        *(f"     {escape_control(line)}" for line in what_to_send(incident)),
    ]


def _named(incident: Incident, command: str, width: int) -> list[str]:
    place = "/".join(escape_control(part) for part in (incident.org, incident.sandbox) if part)
    what = f"{escape_control(incident.title).rstrip('.')} ({escape_control(incident.code)})"
    met = _met(incident, command) if incident.rows else ""
    text = ": ".join(part for part in (place, what, met) if part)
    return textwrap.wrap(text, width, initial_indent="! ", subsequent_indent="  ")


def _met(incident: Incident, command: str) -> str:
    """Its rows: one reason of a source keeps a row from being created, and a connection from working."""
    if incident.works is Works.NO:
        became = " does not work" if incident.rows == 1 else " do not work"
    elif incident.works is Works.NOT_TESTED:
        became = " not tested"
    elif incident.status is Status.FAILED:
        became = f" {_REFUSED.get(command, 'not created')}"
    else:
        became = ""
    return f"{_rows(incident.rows)}{became}, first {incident.first or f'row {incident.first_row}'}"


def _sweep(sweep: Swept | None, width: int) -> list[str]:
    if sweep is None:
        return []
    missing = f"{len(sweep.missing)} missing" if sweep.complete else "missing unknown (not listed)"
    text = (
        f"sweep: {sweep.expected} expected, {sweep.found} found,"
        f" {len(sweep.duplicated)} duplicated, {missing}"
        + (f", {len(sweep.wrong_id)} with a wrong id" if sweep.wrong_id else "")
    )
    return ["", *textwrap.wrap(text, width, subsequent_indent="  ")]


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _time(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{duration_s:.1f} s"
