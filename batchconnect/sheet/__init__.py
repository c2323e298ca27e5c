"""The sheets that a person filled in, of whatever kind: rows of cells, every cell as typed."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.row_place import MOST_PLACES
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.header import Renamed
from batchconnect.sheet.header_words import MEANINGS, letters_of
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.kind import Kind, kind_of
from batchconnect.sheet.memory import MemorySheet
from batchconnect.sheet.several import SeveralSheets, labels_of
from batchconnect.sheet.source import FileSource, Source, open_source
from batchconnect.sheet.workbook.hidden_rows import HiddenRows
from batchconnect.sheet.workbook.tabs import open_tabs

__all__ = ["HiddenRows", "MemorySheet", "Sheet", "open_sheet", "open_sheets", "renamed_by"]

STDIN = "-"


def open_sheet(
    source: str | Path,
    *,
    worksheet: str | None = None,
    encoding: str | None = None,
    hidden: HiddenRows = HiddenRows.READ,
) -> Sheet:
    """
    Open one sheet, as `open_sheets` does.

    Args:
        source: A path, or `-` for CSV from standard input.
        worksheet: The tab of a workbook; None: the only one whose headers match.
        encoding: Of a CSV that is not UTF-8 and bears no byte order mark.
        hidden: What becomes of a workbook's rows that nobody sees.
    """
    worksheets = () if worksheet is None else (worksheet,)
    return open_sheets((source,), worksheets=worksheets, encoding=encoding, hidden=hidden)


def open_sheets(
    sources: Sequence[str | Path],
    *,
    worksheets: Sequence[str] = (),
    every_worksheet: bool = False,
    encoding: str | None = None,
    hidden: HiddenRows = HiddenRows.READ,
    renamed: Sequence[str] = (),
) -> Sheet:
    """
    Open sheets as one; what kind each is, its content says.

    Args:
        sources: Paths; `-`, for CSV from standard input, stands alone.
        worksheets: Tabs of each workbook, in the order in which their rows come; none: the only one whose
            headers match.
        every_worksheet: All visible tabs whose headers match, in the workbook's order.
        encoding: Of a CSV that is not UTF-8 and bears no byte order mark.
        hidden: What becomes of a workbook's rows that nobody sees.
        renamed: What headers mean, as `Kunde=name`.

    Raises:
        SheetError: A sheet as a whole cannot be used; the message says where, why and what to do.
        UsageError: An option that cannot be meant, or a file that is named twice.
    """
    _refuse_twice(sources)
    if every_worksheet and worksheets:
        raise UsageError(
            "--worksheet and --all-worksheets exclude each other", hint="Leave one of them out."
        )
    meanings = renamed_by(renamed)
    has_tabs = bool(worksheets) or every_worksheet
    with ExitStack() as stack:
        found: list[Sheet] = []
        without_tabs: list[str] = []
        for source in sources:
            path = None if str(source) == STDIN else Path(source)
            opened = open_source(path)
            stack.callback(opened.close)
            kind = kind_of(opened, path)
            if kind is Kind.CSV:
                without_tabs.append(str(source))
            found += _open(
                opened,
                kind,
                str(source),
                worksheets=worksheets,
                every=every_worksheet,
                encoding=encoding,
                hidden=hidden,
                renamed=meanings,
            )
        if has_tabs and len(without_tabs) == len(sources):
            option = "--all-worksheets" if every_worksheet else f"--worksheet {worksheets[0]}"
            raise UsageError(
                f"{option}: {without_tabs[0]} is a text and has no tabs",
                hint="Leave the option out, or name a workbook.",
            )
        # The last place is left for rows of a parent run that stand in none of them any more.
        if len(found) >= MOST_PLACES:
            raise UsageError(
                f"{len(found)} sheets and tabs: one run takes fewer than {MOST_PLACES}",
                hint="Give some of them a run of their own.",
            )
        stack.pop_all()
    if len(found) == 1:
        return found[0]
    return SeveralSheets(found, labels_of([one.name for one in found]))


def renamed_by(said: Iterable[str]) -> Renamed:
    """
    What a person said that headers mean.

    Args:
        said: As `Kunde=name`; the column as we call it, or in another word that we know.

    Raises:
        UsageError: There is no such column, or one header is to mean two.
    """
    found: dict[str, Column] = {}
    for one in said:
        header, _, word = one.rpartition("=")
        column = MEANINGS.get(letters_of(word))
        plain = letters_of(header)
        if column is None or not plain:
            names = ", ".join(f"`{column}`" for column in Column)
            raise UsageError(
                f"--map {header}=…: what it should mean is no column of ours",
                hint=f'As --map "Kunde=name". The columns are {names}.',
            )
        if found.setdefault(plain, column) is not column:
            raise UsageError(
                f"--map {header}=…: one header cannot mean `{found[plain]}` and `{column}`",
                hint="Leave one of them out; the settings' [columns] count as well.",
            )
    return found


def _refuse_twice(sources: Sequence[str | Path]) -> None:
    if len(sources) > 1 and any(str(source) == STDIN for source in sources):
        raise UsageError(
            "`-` beside files: standard input stands alone",
            hint="Save it as a file, and name that with the others.",
        )
    seen: dict[tuple[int, int], int] = {}
    for at, source in enumerate(sources if len(sources) > 1 else ()):
        try:
            status = os.stat(source)  # noqa: PTH116 - as whoever opens it
        except OSError:
            continue  # told where it is opened
        before = seen.setdefault((status.st_dev, status.st_ino), at)
        if before != at:
            same = f" ({sources[before]})" if str(sources[before]) != str(source) else ""
            raise UsageError(
                f"{source} is named twice{same}",
                hint="Name each file once; each row of it is read once.",
            )


def _open(
    opened: Source,
    kind: Kind,
    name: str,
    *,
    worksheets: Sequence[str],
    every: bool,
    encoding: str | None,
    hidden: HiddenRows,
    renamed: Renamed,
) -> Sequence[Sheet]:
    match kind:
        case Kind.CSV:
            return [CsvSheet(opened, name=name, encoding=encoding, renamed=renamed)]
        case Kind.WORKBOOK if encoding is not None:
            raise UsageError(
                f"--encoding {encoding}: {name} is a workbook and says so itself",
                hint="Leave the option out; it is for CSV.",
            )
        case Kind.WORKBOOK if isinstance(opened, FileSource):
            return open_tabs(
                opened,
                path=name,
                worksheets=worksheets,
                every=every,
                hidden=hidden,
                renamed=renamed,
            )
        case Kind.WORKBOOK:  # the last case
            raise SheetError(
                f"{name}: a workbook cannot be read from a pipe",
                hint="Save it as a file and name that; a pipe carries CSV.",
            )
