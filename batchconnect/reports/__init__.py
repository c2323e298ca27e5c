"""
What a run leaves behind for people and programs: one summary, rendered in several formats.

A format is one entry of `FORMATS`; each renders the same `Summary` to bytes, in chunks, so that a
million rows are written as they are read, all files in one pass.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from batchconnect.model.file_mode import set_mode
from batchconnect.model.value import replace
from batchconnect.reports import csv, json
from batchconnect.reports.fan_out import ReadRows, Steps, fan_out
from batchconnect.reports.page import html
from batchconnect.reports.redaction import Redact, cleaned
from batchconnect.reports.summary import Summary
from batchconnect.reports.workbook import xlsx
from batchconnect.reports.write import (
    ReportError,
    make_folder,
    point_latest,
    redacted,
    remove_left_parts,
    search_packed,
    writing,
)

__all__ = ["FORMATS", "LOG", "Render", "ReportError", "write_reports"]

Render = Callable[[Summary], Iterator[bytes]]
"""
A format: the file's bytes in chunks that end at a line's end.

It asks for the rows once, and gives a chunk for every `ROWS_PER_STEP` of them, empty where it has nothing
to write yet: so all formats keep step.
"""

FORMATS: Mapping[str, Render] = {
    "results.csv": csv.render,
    "results.jsonl": json.render,
    "failed.csv": csv.render_failed,
    "results.xlsx": xlsx.render,
    "report.html": html.render,
    "summary.json": json.render_summary,
}
"""Every file of a run by name. `summary.json` stays last: it names those that were written."""

_LAST = "summary.json"
_PACKED = frozenset({"results.xlsx"})
"""No text: these are looked at once more as they are unpacked, all else as it is about to be written."""

LOG = "run.log.jsonl"
"""Written during the run, by the log; named in `summary.json` where it is there."""


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
        remove_left_parts(folder)
        set_mode(folder, 0o700)
    except OSError as error:
        raise ReportError({folder: error.strerror or str(error)}, {}) from None
    files = _Files(
        folder, summary if redact is None else cleaned(summary, redact), redact, is_run=is_run
    )
    files.write()
    try:
        if is_run:
            point_latest(folder)
    except OSError as error:
        files.failed[folder.parent / "latest"] = error.strerror or str(error)
    written = {name: folder / name for name in files.written}
    if files.failed:
        raise ReportError(files.failed, written)
    return written


class _Files:
    """The files of one run on their way to the disk."""

    def __init__(
        self, folder: Path, summary: Summary, redact: Redact | None, *, is_run: bool
    ) -> None:
        self.written: dict[str, str] = {}
        """Paths by name."""
        self.failed: dict[Path, str] = {}
        self._unexpected: Exception | None = None
        """A mistake of ours in one format; the others are written before it is told."""
        self._folder = folder
        self._summary = summary
        self._redact = redact
        self._is_run = is_run
        self._log = {LOG: self._told(folder / LOG)} if (folder / LOG).is_file() else {}

    def write(self) -> None:
        """Those with rows in one pass; what tells of them all, after them."""
        names = [name for name in FORMATS if name != _LAST]
        fan_out(self._summary.rows(), [partial(self._steps, name) for name in names])
        if _LAST in FORMATS:
            for _ in self._steps(_LAST, self._summary.rows):
                pass
        if self._unexpected is not None:
            raise self._unexpected

    def _steps(self, name: str, rows: ReadRows) -> Steps:
        path = self._folder / name
        # Live, and read from the last map to the first: a format that looks when its rows are through
        # finds what was written before it, itself, and the log.
        files = ChainMap(self._log, {name: self._told(path)}, self.written)
        chunks = FORMATS[name](replace(self._summary, rows=rows, files=files))
        check = None
        if self._redact is not None:
            if name in _PACKED:
                check = partial(search_packed, redact=self._redact)
            else:
                chunks = redacted(chunks, self._redact)
        try:
            yield from writing(path, chunks, check=check)
        except OSError as error:
            self.failed[path] = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001 - the ledger is read elsewhere: it is the format's own
            self._unexpected = self._unexpected or error
        else:
            self.written[name] = self._told(path)

    def _told(self, path: Path) -> str:
        """A part is handed over: where it was written is nobody's business there."""
        return str(path) if self._is_run else path.name
