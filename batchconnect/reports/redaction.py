"""
A run's rows without live secrets: the look at every text, before any format writes it in its own way.

Escaped or packed, a value may not be found any more. Hardly a row holds one, so the texts of many rows
are looked at together, once for all formats: that took a third of the reports' time when each format
had its own look at each row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from batchconnect.model.target import Target
from batchconnect.reports.fan_out import batches
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary

ROWS_PER_LOOK = 32
"""Some 10 kB: a longer text often holds what a secret might begin with, and is looked at twice."""

Redact = Callable[[str], str]
"""Cuts live secrets out of a text."""


def cleaned(summary: Summary, redact: Redact) -> Summary:
    """The same run; each text of a row, and what its sheet brought, is looked at."""
    opened = summary.opened

    def rows() -> Iterator[Result]:
        for batch in batches(summary.rows(), ROWS_PER_LOOK):
            yield from _cleaned(batch, redact)

    return replace(
        summary,
        opened=replace(
            opened,
            sheets=tuple(map(redact, opened.sheets)),
            carried=tuple(map(redact, opened.carried)),
            note=redact(opened.note),
        ),
        rows=rows,
    )


def _cleaned(rows: Sequence[Result], redact: Redact) -> Sequence[Result]:
    if _is_clean(chain.from_iterable(map(_texts, rows)), redact):
        return rows
    return [row if _is_clean(_texts(row), redact) else _redacted(row, redact) for row in rows]


def _is_clean(texts: Iterator[str] | Sequence[str], redact: Redact) -> bool:
    joined = "\0".join(texts)
    return redact(joined) == joined


def _texts(row: Result) -> Sequence[str]:
    texts = (
        row.name,
        row.org,
        row.sandbox,
        *row.target,
        row.description,
        row.hint,
        row.connection_id or "",
        row.etag or "",
        row.request_id or "",
        row.error_code or "",
        row.error or "",
        *row.warnings,
        *row.carried,
    )
    if not row.problems:
        return texts
    return (*texts, *(text for one in row.problems for text in (one.what, one.remedy)))


def _redacted(row: Result, redact: Redact) -> Result:
    return replace(
        row,
        name=redact(row.name),
        org=redact(row.org),
        sandbox=redact(row.sandbox),
        target=Target(*map(redact, row.target)),
        description=redact(row.description),
        hint=redact(row.hint),
        connection_id=row.connection_id and redact(row.connection_id),
        etag=row.etag and redact(row.etag),
        request_id=row.request_id and redact(row.request_id),
        error_code=row.error_code and redact(row.error_code),
        error=row.error and redact(row.error),
        warnings=tuple(map(redact, row.warnings)),
        carried=tuple(map(redact, row.carried)),
        problems=tuple(
            replace(problem, what=redact(problem.what), remedy=redact(problem.remedy))
            for problem in row.problems
        ),
    )
