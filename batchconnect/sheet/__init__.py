"""The sheet that a person filled in, of whatever kind: rows of cells, every cell as typed."""

from pathlib import Path

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.kind import Kind, kind_of
from batchconnect.sheet.memory import MemorySheet
from batchconnect.sheet.source import FileSource, Source, open_source
from batchconnect.sheet.workbook.hidden_rows import HiddenRows
from batchconnect.sheet.workbook.workbook import WorkbookSheet

__all__ = ["HiddenRows", "MemorySheet", "Sheet", "open_sheet"]


def open_sheet(
    source: str | Path,
    *,
    worksheet: str | None = None,
    encoding: str | None = None,
    hidden: HiddenRows = HiddenRows.READ,
) -> Sheet:
    """
    Open a sheet; what kind it is, its content says.

    Args:
        source: A path, or `-` for CSV from standard input.
        worksheet: The tab of a workbook; None: the only one whose headers match.
        encoding: Of a CSV that is not UTF-8 and bears no byte order mark.
        hidden: What becomes of a workbook's rows that nobody sees.
    Raises:
        SheetError: The sheet as a whole cannot be used; the message says where, why and what to do.
        UsageError: An option that cannot be meant.
    """
    path = None if str(source) == "-" else Path(source)
    opened = open_source(path)
    try:
        return _open(
            opened, path, str(source), worksheet=worksheet, encoding=encoding, hidden=hidden
        )
    except BaseException:
        opened.close()
        raise


def _open(
    opened: Source,
    path: Path | None,
    name: str,
    *,
    worksheet: str | None,
    encoding: str | None,
    hidden: HiddenRows,
) -> Sheet:
    match kind_of(opened, path):
        case Kind.CSV if worksheet is not None:
            raise UsageError(
                f"--worksheet {worksheet}: {name} is a text and has no tabs",
                hint="Leave the option out, or name a workbook.",
            )
        case Kind.CSV:
            return CsvSheet(opened, name=name, encoding=encoding)
        case Kind.WORKBOOK if encoding is not None:
            raise UsageError(
                f"--encoding {encoding}: {name} is a workbook and says so itself",
                hint="Leave the option out; it is for CSV.",
            )
        case Kind.WORKBOOK if isinstance(opened, FileSource):
            return WorkbookSheet(opened, path=name, worksheet=worksheet, hidden=hidden)
        case Kind.WORKBOOK:
            raise SheetError(
                f"{name}: a workbook cannot be read from a pipe",
                hint="Save it as a file and name that; a pipe carries CSV.",
            )
