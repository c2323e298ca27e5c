"""`validate`: every problem of a sheet, offline."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from batchconnect.api.call import Call, SettingsLike, begin
from batchconnect.api.one_error import with_one_error
from batchconnect.api.sheets import SheetLike, opened
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import Problem
from batchconnect.model.row_place import RowPlace
from batchconnect.model.value import by_name, names_of
from batchconnect.options import RunOptions
from batchconnect.run.validate_run import judging, validate_sheet
from batchconnect.sheet.several import places_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Validation(Shown):
    """What is wrong with a sheet; it holds no value of a credential's cell."""

    sheet: str
    """Its name; of several, their names with commas between."""
    rows: int
    """But for blank ones."""
    rejected: tuple[RowPlace, ...]
    """The rows that a run would not send."""
    problems: tuple[tuple[RowPlace, Problem], ...]
    """Row and finding: errors, warnings and notes."""
    blank_rows: int
    warnings: tuple[str, ...]
    """What is odd about the sheet as a whole; one sentence each."""

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a field of the base, told here by the rows
        """As of the command line: 0 no row is rejected, 3 some are."""
        return int(ExitCode.SHEET if self.rejected else ExitCode.OK)

    def to_pandas(self) -> "pd.DataFrame":
        """One line for each finding: its row, sheet and tab, then the fields of a `Problem`."""
        columns = ["row", "sheet", "worksheet", *names_of(Problem)]
        rows = (
            (at.row, at.sheet, at.worksheet, *map(_plain, by_name(problem).values()))
            for at, problem in self.problems
        )
        return frame(columns, rows, whole=("row",))

    def _line(self) -> str:
        fine = self.rows - len(self.rejected)
        return f"{self.sheet}: {counted([('fine', fine), ('rejected', len(self.rejected))]) or 'no rows'}"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        lines = (
            (
                str(at).removeprefix("row "),
                str(one.severity),
                one.cell,
                one.column,
                one.what,
                one.remedy,
            )
            for at, one in self.problems
        )
        return ("row", "severity", "cell", "column", "what", "remedy"), lines

    def _where(self) -> str | None:
        return "Its `problems` say what is wrong, and how to mend it."


def _plain(value: object) -> object:
    """A word of ours as a plain text."""
    return str(value) if isinstance(value, str) else value


@with_one_error
async def validate(
    sheet: SheetLike,
    *,
    settings: SettingsLike = None,
    options: RunOptions | None = None,
) -> Validation:
    """
    Find every problem of a sheet, offline; nothing is sent. As `batchconnect validate`.

    Args:
        sheet: As of `onboard`.
        settings: As of `onboard`; no credential of them is read. Without orgs the `org` cells are not checked.
        options: As of `onboard`; those count that say how a sheet is read and judged.

    Raises:
        BatchConnectError: The sheet cannot be read at all, or the settings are wrong.
    """
    call = begin(settings=settings, options=options, is_offline=True)
    call.warn_of_settings()
    # In a thread: a sheet of a million rows takes a while, and other tasks need not wait for it.
    return await anyio.to_thread.run_sync(partial(_look_through, sheet, call))


def _look_through(sheet: SheetLike, call: Call) -> Validation:
    with opened(sheet, call.options) as found:
        how = judging(
            found, settings=call.settings, options=call.options, environ=os.environ, reads_once=True
        )
        findings = validate_sheet(found, how, call.options, keeps_each=True)
        places = places_of(found)
        unchecked = () if how.checks_orgs else ("no org is set, so the org cells are not checked",)
        return Validation(
            sheet=found.name,
            rows=findings.rows,
            rejected=tuple(map(places.at, sorted(findings.rejected))),
            problems=tuple((places.at(number), one) for number, one in findings.found),
            blank_rows=findings.blank_rows,
            warnings=(*unchecked, *found.warnings),
        )
