"""
The name of a sheet's file, held against the keys of the sheet before anybody is told it.

People name files by what is in them. A name is shown by every message, ledger and report, and is refused
where it holds a key; else it stays as it was typed.
"""

import re
from pathlib import Path
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.model.secret import SHORTEST_REDACTED, is_entra_secret
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of
from batchconnect.sheet.workbook.workbook import WorkbookSheet
from batchconnect.validation.misplaced_key import holds_key, key_of

_RENAME: Final = "Give it another name: ledger, log and reports would show it."


class NameHoldsKeyError(SheetError):
    """The name of the sheet's file, or of a folder above it, cannot be told; it is not told here either."""

    def __init__(self) -> None:
        super().__init__("the name of the sheet's file, folder or tab holds a key", hint=_RENAME)


def check_name(path: str) -> None:
    """
    Refuse the path of a sheet before any message can name it.

    Raises:
        NameHoldsKeyError: It has the shape of a client secret; whether it is a row's key, the rows tell.
    """
    if is_entra_secret(path) or is_entra_secret(Path(path).stem):
        raise NameHoldsKeyError


def full_name(sheet: Sheet) -> str:
    """What a run keeps of a sheet's name: as it was typed, and of a file its absolute path."""
    return "\0".join(map(_full_name, parts_of(sheet)))


def _full_name(sheet: Sheet) -> str:
    if sheet.name == "-" or not isinstance(sheet, CsvSheet | WorkbookSheet):
        return sheet.name
    return f"{sheet.name}\0{Path(sheet.name).absolute()}"


def is_named(name: str, key: str) -> bool:
    """
    Whether a name holds a key: a long one anywhere, a shorter one as a part between slashes, dots or blanks.

    Args:
        name: Of a file; several are parted by NUL.
        key: Without outer white space.
    """
    if len(key) < SHORTEST_REDACTED or key not in name:
        return False
    return any(holds_key(part, key) or key in _words(part) for part in re.split(r"[/\\\0]", name))


def _words(part: str) -> set[str]:
    """A part between slashes without its ending, and between blanks, dots, or either: a key may hold dots."""
    stem = Path(part).stem
    return {stem, *stem.split(), *part.split("."), *re.split(r"[\s.]+", part)}


def _refuse(name: str, key: str) -> None:
    if is_named(name, key.strip()):
        raise NameHoldsKeyError


def check_rows(sheet: Sheet) -> None:
    """
    Hold the name of a sheet, as it was typed, against the keys of its rows, as far as it can be read.

    What ends that is told by others.

    Raises:
        NameHoldsKeyError: One of the keys is in it.
    """
    if len(sheet.name) < SHORTEST_REDACTED:
        return
    name = _names(sheet)
    for part in parts_of(sheet):
        _check_rows_of(part, name)


def _names(sheet: Sheet) -> str:
    return "\0".join(part.name for part in parts_of(sheet))


def _check_rows_of(sheet: Sheet, name: str) -> None:
    key_at = sheet.header.columns[Column.SERVICE_PRINCIPAL_KEY]
    try:
        for piece in sheet.blocks():
            keys = [key_of(piece)] if isinstance(piece, Row) else piece.columns[key_at]
            for key in keys:
                _refuse(name, key)
    except NameHoldsKeyError:
        raise
    except SheetError:
        return
