"""
A run as a short summary in Markdown, for a pull request or the page of a CI job.

What people typed stands in it as code, so that no name becomes a link, a mention of somebody, or markup.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import Works
from batchconnect.reports.advice import with_place
from batchconnect.reports.columns import iso
from batchconnect.reports.incident import Incident
from batchconnect.reports.result import Result, is_unfinished, what_is_wrong
from batchconnect.reports.summary import Summary

MOST_ROWS: Final = 50
"""Rows that are listed: a comment of GitHub ends at 65,536 characters, and a person before that."""
_MOST_INCIDENTS: Final = 10
_LONGEST: Final = 160
"""Characters of a text in a table."""
_FENCES: Final = re.compile(r"`+")
_MARKS: Final = re.compile(r"([\\`*_~#\[\]<>@|])")


def render(summary: Summary) -> Iterator[bytes]:
    """The summary of a run; each chunk holds whole lines."""
    for line in _lines(summary):
        yield encoded(line)


def encoded(line: str) -> bytes:
    """A line as it is written: what no UTF-8 holds is shown as its escape."""
    return f"{line}\n".encode("utf-8", "backslashreplace")


def code(text: str) -> str:
    """A text of somebody else's as code, on one line of a table; "" stays so."""
    text = escape_control(" ".join(text.split()))
    if not text:
        return ""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    fence = "`" * (1 + max(map(len, _FENCES.findall(cut)), default=0))
    space = " " if "`" in {cut[0], cut[-1]} else ""
    # Within a table a bar ends the cell, even in code.
    return f"{fence}{space}{cut}{space}{fence}".replace("|", "\\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; its cells are ready."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines that are shown when somebody asks for them."""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield "</details>"
    yield ""


def _lines(summary: Summary) -> Iterator[str]:
    opened = summary.opened
    mode = " (simulated)" if opened.simulated else ""
    yield f"### {opened.command} {code(opened.run_id)}{mode}: {_verdict(summary)}"
    yield ""
    note = f", {code(opened.note)}" if opened.note else ""
    yield f"{', '.join(map(code, opened.places.known))}, {iso(summary.started_at_ms)}{note}"
    yield ""
    counts = [(status.value, str(count)) for status, count in summary.counts.items() if count]
    yield from table(("status", "rows"), counts or [("none", "0")])
    if summary.works:
        told = (f"{summary.works.get(one, 0)} {one.value.replace('_', ' ')}" for one in Works)
        yield f"Works: {', '.join(told)}."
        yield ""
    if summary.sweep is not None and not summary.sweep.is_clean:
        swept = summary.sweep
        missing = str(len(swept.missing)) if swept.complete else "an unknown number"
        yield (
            f"**Sweep**: {swept.expected} expected, {swept.found} found, "
            f"{len(swept.duplicated)} duplicated, {missing} missing, {len(swept.wrong_id)} with a wrong id."
        )
        yield ""
    for incident in summary.incidents[:_MOST_INCIDENTS]:
        yield _incident(incident, summary.place_flags)
    if (more := len(summary.incidents) - _MOST_INCIDENTS) > 0:
        yield f"- and {more} more kinds of trouble"
    yield ""
    yield from _unfinished(summary)


def _verdict(summary: Summary) -> str:
    end = "still at work" if summary.exit_code is None else f"exit code {int(summary.exit_code)}"
    cut = "" if summary.closed or summary.live else ", not finished"
    rows = "1 row" if summary.total == 1 else f"{summary.total} rows"
    return f"{rows}, {end}{cut}"


def _incident(incident: Incident, place: Sequence[str]) -> str:
    where = "".join(f", {code(part)}" for part in (incident.org, incident.sandbox) if part)
    rows = f"1 row, {plain(incident.first)}" if incident.rows == 1 else f"{incident.rows} rows"
    hint = plain(with_place(incident.hint, place=place))
    return f"- **{plain(incident.title)}** ({code(incident.code)}{where}, {rows}): {hint}"


def plain(text: str) -> str:
    """A sentence of ours that may hold a word of somebody else's: nothing in it is markup, but its code."""
    parts = escape_control(" ".join(text.split())).split("`")
    if len(parts) % 2 == 0:  # one that is never closed
        return _MARKS.sub(r"\\\1", "`".join(parts))
    told = (part if at % 2 else _MARKS.sub(r"\\\1", part) for at, part in enumerate(parts))
    return "`".join(told)


def _unfinished(summary: Summary) -> Iterator[str]:
    rows = (row for row in summary.rows() if is_unfinished(row))
    listed = list(islice(rows, MOST_ROWS))
    if not listed:
        return
    left = sum(1 for _ in rows)
    title = "1 row" if len(listed) + left == 1 else f"{len(listed) + left} rows"
    lines = [*table(("row", "status", "name", "why"), map(_cells, listed))]
    if left:
        lines.append(f"and {left} more: see `failed.csv`")
    yield from folded(f"{title} to look at", lines)


def _cells(row: Result) -> tuple[str, str, str, str]:
    where = plain(row.told.removeprefix("row "))
    return where, row.status.value, code(row.name), code(what_is_wrong(row))
