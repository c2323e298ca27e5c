"""What became of every row of a run, as a program holds it; and the run's files, where they were asked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchconnect.api.call import Call
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Status, Works
from batchconnect.model.report_columns import RESULT_COLUMNS
from batchconnect.model.value import replace
from batchconnect.reports import write_reports
from batchconnect.reports.columns import cells_of, columns_of, values_of
from batchconnect.reports.incident import Incident
from batchconnect.reports.result import Result, is_unfinished, what_is_wrong
from batchconnect.reports.summary import Summary
from batchconnect.run.opening.places import home_of

if TYPE_CHECKING:
    import pandas as pd

_WHOLE: Final = ("row", "http_status", "attempts", "duration_ms")
_WORKS: Final = {Works.YES: "work", Works.NO: "do not work", Works.NOT_TESTED: "not tested"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report(Shown):
    """What became of every row; no secret is in it."""

    run_id: str
    command: str
    """What the run did, in the ledger's word: `onboard`, `rotate`, `verify`, `undo`."""
    parent_run_id: str | None
    simulated: bool
    rows: tuple[Result, ...]
    """One per input row, in input order."""
    counts: Mapping[Status, int]
    works: Mapping[Works, int]
    """Rows by what the last test of their connection said; empty where none was tested."""
    incidents: tuple[Incident, ...]
    """Troubles grouped by cause, the largest first."""
    sweep: Swept | None
    """What the look at the end found; None: there was none."""
    exit_code: int
    """
    As of the command line: 0 every row has its connection, 4 some have none or one that does not work, 6 some
    are in doubt.
    """
    carried: tuple[str, ...]
    """Headers of the sheet's other columns, whose cells each row carries."""
    warnings: tuple[str, ...]
    """What is odd about the sheet; one sentence each."""
    folder: Path | None
    """Where the report's files are; None where none were asked for."""

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a frame with the columns of `results.csv`, those that the sheet carries behind ours."""
        width = len(self.carried)
        return frame(
            [*RESULT_COLUMNS, *columns_of(self.carried, RESULT_COLUMNS)],
            ((*values_of(row), *cells_of(row, width)) for row in self.rows),
            whole=_WHOLE,
        )

    def _line(self) -> str:
        mode = " (simulated)" if self.simulated else ""
        told = counted((status.value.replace("_", " "), self.counts[status]) for status in Status)
        tested = counted((words, self.works.get(works, 0)) for works, words in _WORKS.items())
        rows = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'}"
        parts = [part for part in (told, tested) if part]
        said = f": {'; '.join(parts)}" if parts else ""
        return f"{self.run_id}{mode}: {rows}{said}; exit code {self.exit_code}"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        lines = (
            (
                row.told.removeprefix("row "),
                row.status.value,
                row.name,
                row.org,
                row.sandbox,
                what_is_wrong(row),
                row.hint,
            )
            for row in self.rows
            if is_unfinished(row)
        )
        return ("row", "status", "name", "org", "sandbox", "error", "hint"), lines

    def _where(self) -> str | None:
        return self.incidents[0].hint or None if self.incidents else None


class Reporter:
    """
    Takes a run's summary while its rows can still be read.

    Args:
        call: Whether, and where, files are written.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._told: Report | None = None

    def __call__(self, summary: Summary) -> None:
        """
        Make the report, and write its files where they were asked for.

        Raises:
            ReportError: A file could not be written.
        """
        call = self._call
        folder = None
        if call.names_reports:
            folder = (home_of(call.options) / summary.opened.run_id).absolute()
            placed = replace(summary, place=call.place)
            write_reports(placed, folder, redact=call.listener.redactor.text)
        self._told = report_of(summary, folder=folder)

    @property
    def report(self) -> Report:
        """What was reported."""
        assert self._told is not None, "a run that came to its end was reported"
        return self._told


def report_of(
    summary: Summary, *, folder: Path | None = None, warnings: Sequence[str] = ()
) -> Report:
    """
    A run as a program holds it.

    Args:
        summary: The run, while its rows can still be read.
        folder: Where its files were written.
        warnings: About its sheet.
    """
    opened = summary.opened
    return Report(
        run_id=opened.run_id,
        command=opened.command,
        parent_run_id=opened.parent_run_id,
        simulated=opened.simulated,
        rows=tuple(summary.rows()),
        counts=dict(summary.counts),
        works=dict(summary.works),
        incidents=summary.incidents,
        sweep=summary.sweep,
        exit_code=int(summary.exit_code or 0),
        carried=tuple(summary.carried),
        warnings=tuple(warnings),
        folder=folder,
    )
