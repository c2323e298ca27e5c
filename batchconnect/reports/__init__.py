"""
What a run leaves behind for people and programs: one summary, rendered in several formats.

A format is one entry of `FORMATS`; each renders the same `Summary` to bytes, in chunks, so that a
million rows are written as they are read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from . import csv, html, json, xlsx
from .result import Result
from .summary import Summary
from .write import ReportError, make_folder, point_latest, redacted, write_file

__all__ = ["FORMATS", "LOG", "Render", "ReportError", "write_reports"]

Render = Callable[[Summary], Iterator[bytes]]
"""A format: the file's bytes in chunks that end at a line's end."""

FORMATS: Mapping[str, Render] = {
    "results.csv": csv.render,
    "results.jsonl": json.render,
    "failed.csv": csv.render_failed,
    "results.xlsx": xlsx.render,
    "report.html": html.render,
    "summary.json": json.render_summary,
}
"""Every file of a run by name. `summary.json` stays last: it names those that were written."""

_PACKED = frozenset({"results.xlsx"})
"""Formats whose bytes are no text: every text is redacted before it is drawn."""

LOG = "run.log.jsonl"
"""Written during the run, by the log; named in `summary.json` where it is there."""

_ESCAPED = frozenset("\"&<>'")
"""Characters that a format writes in its own way, so that a value is not found in the final text."""


def write_reports(
    summary: Summary,
    folder: Path,
    *,
    redact: Callable[[str], str] | None = None,
    is_run: bool = True,
) -> dict[str, Path]:
    """
    Write every format, each file whole or not at all.

    Args:
        summary: The run.
        folder: The run's own folder; `latest` beside it is led there.
        redact: Cuts live secrets out of a text, the last line of defence.
        is_run: False for a part of a run: `latest` stays where it is.

    Returns:
        Absolute paths by file name.

    Raises:
        ReportError: A file could not be written; it is named, and the other formats were tried.
    """
    folder = folder.absolute()
    try:
        make_folder(folder)
        folder.chmod(0o700)
    except OSError as error:
        raise ReportError({folder: error.strerror or str(error)}, {}) from None
    if redact is not None:
        summary = replace(summary, rows=_redacted_rows(summary, redact))
    written: dict[str, Path] = {}
    failed: dict[Path, str] = {}
    for name, render in FORMATS.items():
        path = folder / name
        told = replace(summary, files=_files(folder, written, name))
        is_packed = name in _PACKED
        chunks = render(_wholly_redacted(told, redact) if redact and is_packed else told)
        try:
            write_file(path, redacted(chunks, redact) if redact and not is_packed else chunks)
        except OSError as error:
            failed[path] = error.strerror or str(error)
        else:
            written[name] = path
    try:
        if is_run:
            point_latest(folder)
    except OSError as error:
        failed[folder.parent / "latest"] = error.strerror or str(error)
    if failed:
        raise ReportError(failed, written)
    return written


def _files(folder: Path, written: Mapping[str, Path], name: str) -> dict[str, str]:
    log = {LOG: folder / LOG} if (folder / LOG).is_file() else {}
    return {key: str(path) for key, path in {**written, name: folder / name, **log}.items()}


def _redacted_rows(
    summary: Summary, redact: Callable[[str], str]
) -> Callable[[], Iterator[Result]]:
    """Redact, before a format escapes it, each text that would not be the same in the final text."""

    def clean(text: str) -> str:
        return redact(text) if not _ESCAPED.isdisjoint(text) else text

    def rows() -> Iterator[Result]:
        for row in summary.rows():
            yield replace(
                row,
                name=clean(row.name),
                description=clean(row.description),
                error=row.error and clean(row.error),
                warnings=tuple(map(clean, row.warnings)),
                carried=tuple(map(clean, row.carried)),
            )

    return rows


def _wholly_redacted(summary: Summary, redact: Callable[[str], str]) -> Summary:
    """Redact each text that a packed format shows, since nobody can look at its final text."""

    def rows() -> Iterator[Result]:
        for row in summary.rows():
            texts = [
                *(row.name, row.org, row.sandbox, row.endpoint, row.database, row.tenant),
                *(row.service_principal_id, row.description, row.hint, row.error or ""),
                *(row.connection_id or "", row.error_code or "", *row.carried),
                *(text for problem in row.problems for text in (problem.what, problem.remedy)),
            ]
            # Most rows hold no secret: one look at all of it costs less than one at each text.
            joined = "\0".join(texts)
            yield row if redact(joined) == joined else _redacted_row(row, redact)

    opened = summary.opened
    clean = replace(
        opened,
        sheets=tuple(map(redact, opened.sheets)),
        carried=tuple(map(redact, opened.carried)),
        note=redact(opened.note),
    )
    return replace(summary, opened=clean, rows=rows)


def _redacted_row(row: Result, redact: Callable[[str], str]) -> Result:
    return replace(
        row,
        name=redact(row.name),
        org=redact(row.org),
        sandbox=redact(row.sandbox),
        endpoint=redact(row.endpoint),
        database=redact(row.database),
        tenant=redact(row.tenant),
        service_principal_id=redact(row.service_principal_id),
        description=redact(row.description),
        hint=redact(row.hint),
        error=row.error and redact(row.error),
        connection_id=row.connection_id and redact(row.connection_id),
        error_code=row.error_code and redact(row.error_code),
        carried=tuple(map(redact, row.carried)),
        problems=tuple(
            replace(problem, what=redact(problem.what), remedy=redact(problem.remedy))
            for problem in row.problems
        ),
    )
