"""
Says what a file is by its first bytes; its name only helps to word the message.

People rename files, and programs export HTML as `.xls`. Each known stranger gets a message that says how
to make a sheet of it.
"""

import re
from enum import Enum, auto
from pathlib import Path

from batchconnect.model.errors import SheetError
from batchconnect.sheet.source import Source

_HEAD = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_AS_XLSX = "Open it in a spreadsheet program and save it as XLSX or `CSV UTF-8`."
_STRANGERS = (
    (rb"\s*<(!doctype\s+html|html|head|meta|body|table|style)\b", "HTML", _AS_XLSX),
    (rb"\s*(mime-version|content-type):", "a web archive (MHTML)", _AS_XLSX),
    (rb"\s*<\?xml", "XML, perhaps of Excel 2003", _AS_XLSX),
    (rb"\x09[\x00\x02\x04\x08][\x04-\x10]\x00", "an Excel file without its container", _AS_XLSX),
    (rb"\{\\rtf", "a rich text document", _AS_XLSX),
    (
        rb"id;p[^\r\n]*[\r\n]+(p;p|f;p|b;[yx]|c;[yx]|o;|nn;|ne;)",
        "SYLK (a sheet saved as .slk)",
        _AS_XLSX,
    ),
    (rb"table\r?\n0,1\r?\n", "DIF (Data Interchange Format)", _AS_XLSX),
    (
        rb"(?s:[\x02\x03\x30\x31\x43\x83\x8b\xf5].[\x01-\x0c][\x01-\x1f].{8}\x00\x00)",
        "a dBase file",
        _AS_XLSX,
    ),
    (rb"\x00\x00[\x02\x1a]\x00", "a Lotus 1-2-3 or Quattro Pro workbook", _AS_XLSX),
    (
        rb"(?s:.{1,4000}?)PK\x03\x04(?s:.{26})(?:xl/|\[Content_Types\]|_rels/|mimetype|docProps/)",
        (
            "a packed workbook behind a beginning of another kind, as in a self-extracting archive "
            "(something stands before the workbook)"
        ),
        "Ask for the workbook itself, or open it and save it anew.",
    ),
    (rb"%pdf-", "a PDF", "Ask for the table itself, as XLSX or CSV."),
    (rb"\x1f\x8b|7z\xbc\xaf|rar!|bzh|\xfd7zxz", "a packed file", "Unpack it first."),
    (rb"par1|sqlite format 3|\x89png|gif8|\xff\xd8\xff", "no table of text", "Export it as CSV."),
    (rb"\s*[\[{]\s*[\"{\[]", "JSON", "Export it as CSV, one line for each connection."),
)

_ENDINGS = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})


class Kind(Enum):
    """How a file is read."""

    CSV = auto()
    WORKBOOK = auto()


def kind_of(source: Source, path: Path | None) -> Kind:
    """
    Say what a file is.

    Args:
        source: Its bytes.
        path: Its name, None for standard input.
    Raises:
        SheetError: It is nothing that we read.
    """
    place = "-" if path is None else str(path)
    if path is not None and path.name.startswith("~$"):
        raise SheetError(
            f"{place}: this is the lock file that Excel keeps while a workbook is open",
            hint=f"Name the workbook itself: `{path.with_name(path.name.removeprefix('~$'))}`.",
        )
    head = source.read(0, _HEAD)
    if not head:
        raise SheetError(
            f"{place}: the file is empty (0 bytes)",
            hint="Save it again; `batchconnect template` writes an empty sheet to fill in.",
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", _OLE)):
        return Kind.WORKBOOK
    for pattern, what, remedy in _STRANGERS:
        if re.match(pattern, head.removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
            raise SheetError(
                f"{place}: this is {what}, not a sheet, whatever its name says", hint=remedy
            )
    return Kind.CSV


def is_named_like_a_sheet(what: str) -> bool:
    """Whether a text names a sheet: it is a file, or is named like one; the id of a run is neither."""
    return what == "-" or Path(what).suffix.lower() in _ENDINGS or Path(what).is_file()
