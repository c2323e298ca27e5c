"""
Reads ODS: the XML of all tabs, streamed, with its repeated rows and cells.

NOTE: no second look is needed here, for one reader sees each cell with its kind. Calamine leaves tabs and
line breaks out of texts, joins what stands above a text to it, and refuses what Gnumeric and SheetJS write.

Source: OpenDocument 1.3, part 3, sections 9.1 (tables), 6.1 (texts), 19.385 (office:value-type).
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from batchconnect.model.row import letters
from batchconnect.sheet.workbook.inspected import (
    BROKEN,
    MARKED,
    TABBED,
    UNCLEAR,
    FarCellError,
    ForbiddenXmlError,
    InspectedTab,
    check,
)

_SPACES = {
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0": "office",
    "urn:oasis:names:tc:opendocument:xmlns:style:1.0": "style",
    "urn:oasis:names:tc:opendocument:xmlns:table:1.0": "table",
    "urn:oasis:names:tc:opendocument:xmlns:text:1.0": "text",
    "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0": "calcext",
}
"""The names that the prefixes stand for, which a program may choose as it likes."""
_LAST_ROW, _MOST_COLUMNS = 1 << 20, 1 << 14
_MOST_REPEATED = 1 << 20
"""Cells of one tab that are there because a cell or row with something in it is repeated."""
_NUMBERS = frozenset({"float", "percentage", "currency"})

Value = str | list[str]
"""A text, or kind and text of what is none."""


@dataclass(slots=True)
class OdsTab:
    """One tab: what it holds, row by row, and what there is to say of it."""

    name: str
    is_visible: bool
    look: InspectedTab = field(default_factory=InspectedTab)
    cells: dict[int, dict[int, Value]] = field(default_factory=dict)
    """Row and column, from 0."""

    def rows(self) -> Iterator[list[Value]]:
        """Every row, from the first on."""
        for number in range(max(self.cells, default=-1) + 1):
            cells = self.cells.get(number, {})
            yield [cells.get(column, "") for column in range(max(cells, default=-1) + 1)]


def read_ods(file: IO[bytes]) -> list[OdsTab]:
    """
    Read every tab of a document.

    Raises:
        FarCellError: A cell lies too far out.
        ForbiddenXmlError: The document has a document type.
    """
    with zipfile.ZipFile(file) as archive, archive.open("content.xml") as xml:
        tabs = _Reader().of(xml)
    for tab in tabs:
        check(tab.look)
    return tabs


class _Reader:
    """Follows tables, rows, cells and paragraphs; a row or a cell may stand for many."""

    def __init__(self) -> None:
        self._tabs: list[OdsTab] = []
        self._names: dict[str, str] = {}
        self._hidden: set[tuple[str, str | None]] = set()
        """Family and name of each style that hides."""
        self._style = ""
        self._row = self._column = 0
        self._row_count = self._column_count = 1
        self._is_row_hidden = False
        self._hidden_groups: list[bool] = []
        self._cells: dict[int, Value] = {}
        self._repeated = 0
        self._cell: Mapping[str, str] | None = None
        self._is_covered = False
        self._paragraphs: list[str] = []
        self._mark: str | None = None
        self._in_paragraph = 0
        self._skipped = 0
        """How deep we are in a part that is no cell's own text: a note, a drawing, an inner table."""

    def of(self, xml: IO[bytes]) -> list[OdsTab]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _forbid
        parser.ParseFile(xml)
        return self._tabs

    def _name(self, full: str) -> str:
        """`table:table-row`, whatever prefix the document uses."""
        name = self._names.get(full)
        if name is None:
            space, _, local = full.rpartition(" ")
            name = self._names[full] = f"{_SPACES.get(space, '?')}:{local}"
        return name

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        name = self._name(full)
        if self._skipped:
            self._skipped += 1
        elif self._in_paragraph:
            self._start_in_paragraph(name, attributes)
        elif self._cell is not None:
            self._start_in_cell(name)
        else:
            named = {self._name(key): value for key, value in attributes.items()}
            self._start_outside(name, named)

    def _start_outside(self, name: str, attributes: Mapping[str, str]) -> None:
        match name:
            case "table:table-cell" | "table:covered-table-cell":
                self._cell, self._is_covered = attributes, name == "table:covered-table-cell"
                self._column_count = _count(attributes.get("table:number-columns-repeated"))
                self._paragraphs, self._mark = [], None
            case "table:table-row":
                self._row_count = _count(attributes.get("table:number-rows-repeated"))
                self._column, self._cells = 0, {}
                self._is_row_hidden = (
                    attributes.get("table:visibility", "visible") != "visible"
                    or ("row", attributes.get("table:style-name")) in self._hidden
                    or any(self._hidden_groups)
                )
            case "table:table-row-group":
                self._hidden_groups.append(attributes.get("table:display") == "false")
            case "table:table":
                is_hidden = ("table", attributes.get("table:style-name")) in self._hidden
                self._tabs.append(OdsTab(attributes.get("table:name", ""), not is_hidden))
                self._row = self._repeated = 0
                self._hidden_groups = []
            case "style:style":
                self._style = attributes.get("style:name", "")
            case "style:table-properties" if attributes.get("table:display") == "false":
                self._hidden.add(("table", self._style))
            case "style:table-row-properties" if _is_nothing(attributes.get("style:row-height")):
                self._hidden.add(("row", self._style))
            case "table:shapes" | "table:tracked-changes":
                self._skipped = 1
            case _:
                pass

    def _start_in_cell(self, name: str) -> None:
        if name == "text:p":
            self._in_paragraph = 1
            self._paragraphs.append("")
        else:
            # A note, a drawing, an inner table; a list or a heading has paragraphs that we do not read.
            if name.startswith("text:"):
                self._mark = MARKED
            self._skipped = 1

    def _start_in_paragraph(self, name: str, attributes: Mapping[str, str]) -> None:
        match name:
            case "text:s":
                named = {self._name(key): value for key, value in attributes.items()}
                self._paragraphs[-1] += " " * _count(named.get("text:c"))
            case "text:tab":
                self._mark = self._mark or TABBED
            case "text:line-break":
                self._mark = self._mark or BROKEN
            case "text:span" | "text:a":
                self._in_paragraph += 1
                return
            case "office:annotation":
                pass
            case _:
                # What stands above a text, a field, a footnote: who is to say what was meant?
                self._mark = MARKED
        self._skipped = 1

    def _characters(self, text: str) -> None:
        if self._in_paragraph and not self._skipped:
            self._paragraphs[-1] += text

    def _end(self, full: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        if self._in_paragraph:
            self._in_paragraph -= 1
            return
        match self._name(full):
            case "table:table-cell" | "table:covered-table-cell":
                self._end_cell()
            case "table:table-row":
                self._end_row()
            case "table:table-row-group":
                self._hidden_groups.pop()
            case _:
                pass

    def _end_cell(self) -> None:
        assert self._cell is not None
        value = _value(self._cell, "\n".join(self._paragraphs), self._mark)
        if self._is_covered and value == "":
            value = ["merged", ""]
        self._cell = None
        last = self._column + self._column_count
        if value == ["merged", ""] and self._column_count > _MOST_COLUMNS:
            value = ""
        if value != "":
            self._count_repeated(self._column_count, last - 1)
            for column in range(self._column, last):
                self._cells[column] = value
        self._column = last

    def _end_row(self) -> None:
        tab = self._tabs[-1]
        filled = {column for column, value in self._cells.items() if value != ["merged", ""]}
        if filled:
            mask = sum(1 << column for column in filled)
            self._count_repeated(len(filled) * self._row_count, max(filled))
            for row in range(self._row, self._row + self._row_count):
                tab.cells[row] = self._cells
                tab.look.filled[row] = mask
                if self._is_row_hidden:
                    tab.look.hidden.add(row)
        self._row += self._row_count

    def _count_repeated(self, count: int, column: int) -> None:
        """
        Raises:
            FarCellError: More cells are filled by repetition than a table of ours can hold.
        """
        self._repeated += count - 1
        far = column >= _MOST_COLUMNS or self._row + self._row_count > _LAST_ROW
        if far or self._repeated > _MOST_REPEATED:
            raise FarCellError(f"{letters(column)}{self._row + self._row_count}")


def _value(attributes: Mapping[str, str], text: str, mark: str | None) -> Value:
    """The text of a cell, or kind and text of what is none."""
    kind = attributes.get("office:value-type")
    if attributes.get("calcext:value-type") == "error":
        # LibreOffice stores an error as a text and says so in a word of its own.
        return ["error", ""]
    if kind is None and "table:formula" in attributes:
        return ["formula", ""]
    if kind not in (None, "void", "string"):
        return _typed(kind, attributes)
    if mark is not None:
        return [mark, ""]
    given = attributes.get("office:string-value") if kind == "string" else None
    # The attribute is for a text that is shown in another way; where both are there, they agree.
    return [UNCLEAR, ""] if text and given not in (None, text) else given or text


def _typed(kind: str | None, attributes: Mapping[str, str]) -> list[str]:
    """Kind and text of a number, a date or a boolean value; an error for what nobody has heard of."""
    if kind in _NUMBERS:
        return ["number", _number(attributes.get("office:value", ""))]
    if kind == "boolean":
        return ["boolean", attributes.get("office:boolean-value", "").upper()]
    if kind == "date":
        return ["date", attributes.get("office:date-value", "").removesuffix("T00:00:00")]
    return ["date", attributes.get("office:time-value", "")] if kind == "time" else ["error", ""]


def _number(text: str) -> str:
    """A number as a person would write it; whole ones without a point."""
    try:
        value = float(text)
    except ValueError:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _is_nothing(height: str | None) -> bool:
    """Whether a height, as `0cm`, is none."""
    return height is not None and height.strip("0. ").isalpha() and height.lstrip()[0] in "0."


def _count(text: str | None) -> int:
    return max(1, int(text)) if text is not None and text.isdecimal() else 1


def _forbid(*_: object) -> None:
    raise ForbiddenXmlError
