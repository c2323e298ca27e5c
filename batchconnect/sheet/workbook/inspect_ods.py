"""The second look at ODS: the XML of all tabs, streamed, with its repeated rows and cells."""

import zipfile
from typing import IO
from xml.parsers import expat

from batchconnect.sheet.workbook.unsupported import (
    MOST_MERGED,
    TABBED,
    ForbiddenXmlError,
    UnsupportedCells,
)


def inspect_ods(file: IO[bytes]) -> dict[str, UnsupportedCells]:
    """
    Look at every tab of a document.

    Raises:
        FarCellError: A cell lies too far out.
        ForbiddenXmlError: The document has a document type.
    """
    with zipfile.ZipFile(file) as archive, archive.open("content.xml") as xml:
        return _Inspection().of(xml)


class _Inspection:
    """Follows tables, rows and cells; a row or a cell may stand for many."""

    def __init__(self) -> None:
        self._tabs: dict[str, UnsupportedCells] = {}
        self._odd = UnsupportedCells()
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._kind: str | None = None
        self._holds = self._in_cell = False
        self._depth = 0

    def of(self, xml: IO[bytes]) -> dict[str, UnsupportedCells]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _forbid
        parser.ParseFile(xml)
        return self._tabs

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "table:table":
                self._depth += 1
                if self._depth == 1:
                    self._odd = self._tabs.setdefault(
                        attributes.get("table:name", ""), UnsupportedCells()
                    )
                    self._row = 0
            case "table:table-row" if self._depth == 1:
                self._rows = _count(attributes.get("table:number-rows-repeated"))
                self._column = 0
            case "table:table-cell" | "table:covered-table-cell" if self._depth == 1:
                self._columns = _count(attributes.get("table:number-columns-repeated"))
                value_type = attributes.get("office:value-type")
                self._in_cell, self._holds = True, value_type is not None
                # 1. LibreOffice stores an error as a text and says so in a word of its own.
                # 2. A formula without the type of its value was never calculated.
                # 3. What a merged cell covers.
                if attributes.get("calcext:value-type") == "error":
                    self._kind = "error"
                elif "table:formula" in attributes and value_type is None:
                    self._kind = "formula"
                elif tag == "table:covered-table-cell":
                    self._kind = "merged"
                else:
                    self._kind = None

            case "text:tab" if self._in_cell:
                # calamine leaves a tab inside a text out: what it shows is not what was typed.
                self._kind = TABBED
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._in_cell and text.strip():
            self._holds = True

    def _end(self, tag: str) -> None:
        match tag:
            case "table:table":
                self._depth -= 1
            case "table:table-row" if self._depth == 1:
                self._row += self._rows
            case "table:table-cell" | "table:covered-table-cell" if self._depth == 1:
                if self._holds or self._kind is not None:
                    self._note()
                self._column += self._columns
                self._in_cell = False
            case _:
                pass

    def _note(self) -> None:
        last_row, last_column = self._row + self._rows - 1, self._column + self._columns - 1
        if self._kind == "merged" and not self._holds:
            if self._rows * self._columns <= MOST_MERGED:
                for row in range(self._row, last_row + 1):
                    for column in range(self._column, last_column + 1):
                        self._odd.kinds.setdefault(row, {})[column] = "merged"
            return
        self._odd.saw(last_row, last_column, None)
        if self._kind is not None:
            for row in range(self._row, last_row + 1):
                for column in range(self._column, last_column + 1):
                    self._odd.saw(row, column, self._kind)


def _count(text: str | None) -> int:
    return max(1, int(text)) if text is not None and text.isdecimal() else 1


def _forbid(*_: object) -> None:
    raise ForbiddenXmlError
