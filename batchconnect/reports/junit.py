"""
A run as JUnit XML, one test case per row, for the page on which a CI server shows failed tests.

JUnit has no standard; this is the form that Jenkins, GitLab, Azure Pipelines and GitHub's actions read alike.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from batchconnect.model.outcome import DONE, LEFT_OUT, Status, Works
from batchconnect.model.value import Value
from batchconnect.reports.advice import placing
from batchconnect.reports.columns import iso
from batchconnect.reports.fan_out import batches
from batchconnect.reports.result import Result, lacks_key, what_is_wrong
from batchconnect.reports.summary import Summary

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML may hold, not even as a reference."""


class Verdict(Enum):
    """What a CI server makes of a row, by the name of JUnit's element."""

    PASSED = ""
    FAILURE = "failure"
    """It has no connection, or one that does not work, or a key that its store refuses."""
    ERROR = "error"
    """Whether it has one, whether that works or has its key, is not known; or it never had its turn."""
    SKIPPED = "skipped"
    """Nobody asked for it."""


class Case(Value):
    """One row as a test case."""

    group: str
    """Org and sandbox, as `acme.prod`: by it servers build a tree."""
    name: str
    verdict: Verdict = Verdict.PASSED
    kind: str = ""
    """A code."""
    message: str = ""
    """One line."""
    text: str = ""
    """What to do."""
    seconds: float = 0.0


def render(summary: Summary) -> Iterator[bytes]:
    """A run; each chunk holds whole lines."""
    opened, advice = summary.opened, placing(summary.place_flags)
    yield from render_cases(
        lambda: (_case(row, advice) for row in summary.rows()),
        name=f"batchconnect {opened.command} {opened.run_id}",
        at=iso(summary.started_at_ms),
        seconds=summary.duration_s,
    )


def render_cases(
    cases: Callable[[], Iterable[Case]], *, name: str, at: str | None = None, seconds: float = 0.0
) -> Iterator[bytes]:
    """
    Test cases as a document.

    Args:
        cases: One pass over them; asked for twice, since the numbers stand at the top.
        name: Of the suite.
        at: When it began.
        seconds: How long it took.
    """
    counts = dict.fromkeys(Verdict, 0)
    for case in cases():
        counts[case.verdict] += 1
    numbers = (
        f'tests="{sum(counts.values())}" failures="{counts[Verdict.FAILURE]}" '
        f'errors="{counts[Verdict.ERROR]}" skipped="{counts[Verdict.SKIPPED]}" time="{seconds:.3f}"'
    )
    # `Z` is left out: some servers take a timestamp without a zone alone.
    stamp = f' timestamp="{at.removesuffix("Z")}"' if at else ""
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {numbers}>\n'
        f"<testsuite name={_quoted(name)} {numbers}{stamp}>\n"
    ).encode()
    for batch in batches(iter(cases())):
        yield "".join(map(_element, batch)).encode()
    yield b"</testsuite>\n</testsuites>\n"


def _element(case: Case) -> str:
    head = (
        f"<testcase classname={_quoted(case.group)} name={_quoted(case.name)} "
        f'time="{case.seconds:.3f}"'
    )
    if case.verdict is Verdict.PASSED:
        return f"{head}/>\n"
    tag = case.verdict.value
    kind = "" if case.verdict is Verdict.SKIPPED else f" type={_quoted(case.kind)}"
    text = escape(_clean(case.text))
    return f"{head}><{tag}{kind} message={_quoted(case.message)}>{text}</{tag}></testcase>\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _quoted(text: str) -> str:
    return quoteattr(_clean(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def group_of(*parts: str) -> str:
    """Parts of a group; a dot within one would be read as one more."""
    return ".".join(part.replace(".", "\u2024") for part in parts if part) or "batchconnect"


def _case(row: Result, advice: Callable[[str], str]) -> Case:
    verdict = _verdict(row)
    is_test = row.works is Works.NO or (row.works is not None and not lacks_key(row))
    return Case(
        group=group_of(row.org, row.sandbox),
        name=f"{row.told}: {row.name}",
        verdict=verdict,
        kind=(row.works_error if row.status in DONE and is_test else row.error_code)
        or row.status.value,
        message=what_is_wrong(row) or row.error or row.works_error or "",
        text="\n".join(
            part
            for part in (
                advice(row.hint),
                f"connection {row.connection_id}" if row.connection_id else "",
                f"request {row.request_id}" if row.request_id else "",
            )
            if part
        ),
        seconds=(row.duration_ms or 0) / 1000,
    )


def _verdict(row: Result) -> Verdict:
    if row.status in DONE:
        # A key that is refused is told at its cell; a store that did not answer, at none.
        if row.works is Works.NO or (lacks_key(row) and row.error_column):
            return Verdict.FAILURE
        is_unknown = row.works is Works.NOT_TESTED or lacks_key(row)
        return Verdict.ERROR if is_unknown else Verdict.PASSED
    if row.status is Status.NOT_ATTEMPTED:
        return Verdict.SKIPPED if row.error_code in LEFT_OUT else Verdict.ERROR
    return Verdict.ERROR if row.status is Status.IN_DOUBT else Verdict.FAILURE
