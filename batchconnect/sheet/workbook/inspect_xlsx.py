"""
The second look at XLSX and XLSM: the XML of each tab, streamed; plain rows as a whole, all else by cells.

NOTE: expat itself, not `defusedxml.iterparse`: a document type is refused in the same way, in a third of
the time.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import IO, Any
from xml.parsers import expat

from defusedxml.ElementTree import fromstring

from batchconnect.sheet.workbook.plain_rows import PlainRows, split
from batchconnect.sheet.workbook.unsupported import (
    FarCellError,
    ForbiddenXmlError,
    UnsupportedCells,
)

_ADDRESS = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_LARGEST_INDEX_PART = 16 << 20
_BEGINNING = 1 << 16


def inspect_xlsx(file: IO[bytes]) -> Iterator[tuple[str, UnsupportedCells]]:
    """
    Look at every tab of a workbook.

    Raises:
        FarCellError: A cell lies too far out.
        ForbiddenXmlError: A part has a document type.
    """
    with zipfile.ZipFile(file) as archive:
        _forbid_doctypes(archive)
        for name, part in _tabs(archive):
            with archive.open(part) as xml:
                yield name, _Inspection().of(xml)


def _forbid_doctypes(archive: zipfile.ZipFile) -> None:
    """Look at the beginning of the parts that only calamine reads: shared texts, styles."""
    for name in archive.namelist():
        if name.endswith(".xml"):
            with archive.open(name) as xml:
                if b"<!DOCTYPE" in xml.read(_BEGINNING):
                    raise ForbiddenXmlError


def _tabs(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The name of each tab and the part that holds it."""
    workbook = _workbook_part(archive)
    folder, file_name = posixpath.split(workbook)
    targets = relations(archive, posixpath.join(folder, "_rels", f"{file_name}.rels"))
    members = {name.casefold(): name for name in archive.namelist()}
    for element in _xml(archive, workbook).iter():
        if _local(element.tag) == "sheet":
            related = [value for key, value in element.attrib.items() if _local(key) == "id"]
            kind, target = targets.get(related[0] if related else "", ("", ""))
            part = posixpath.normpath(posixpath.join(folder, target)).lstrip("/")
            if kind == "worksheet" and part.casefold() in members:
                yield element.attrib.get("name", ""), members[part.casefold()]


def _workbook_part(archive: zipfile.ZipFile) -> str:
    for kind, target in relations(archive, "_rels/.rels").values():
        if kind == "officeDocument":
            return target.lstrip("/")
    return "xl/workbook.xml"


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Of each relation's id, the last word of its kind, and its target; XLSB has the same."""
    return {
        element.attrib.get("Id", ""): (
            element.attrib.get("Type", "").rpartition("/")[2],
            element.attrib.get("Target", ""),
        )
        for element in _xml(archive, part).iter()
        if _local(element.tag) == "Relationship"
    }


def _xml(archive: zipfile.ZipFile, part: str) -> Any:
    with archive.open(part) as xml:
        return fromstring(xml.read(_LARGEST_INDEX_PART), forbid_dtd=True)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class _Inspection:
    """Follows the elements of one tab: rows, cells, formulas, values, merged ranges."""

    def __init__(self) -> None:
        self._odd = UnsupportedCells()
        self._merged: list[str] = []
        self._row = -1
        self._column = -1
        self._kind = ""
        self._has_formula = self._has_value = self._has_result = self._in_value = False

    def of(self, xml: IO[bytes]) -> UnsupportedCells:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _forbid
        for part in split(xml):
            if isinstance(part, bytes):
                parser.Parse(part)
            else:
                parser.Parse(part.stand_in if self._note(part) else part.xml)
        parser.Parse(b"", True)  # noqa: FBT003 - expat's own way to say that this was all
        for reference in self._merged:
            corners = [_position(corner) for corner in reference.split(":")]
            if len(corners) == 2 and None not in corners:  # noqa: PLR2004 - two corners
                (top, left), (bottom, right) = corners  # type: ignore[misc] # not None: see above
                self._odd.merge(top, left, bottom, right)
        return self._odd

    def _note(self, rows: PlainRows) -> bool:
        """Note plain rows; False where they reach too far out, so that the very cell is found."""
        columns = [_column(letters.decode()) for letters in rows.filled_columns()]
        try:
            if columns:
                self._odd.saw(max(rows.filled_rows()) - 1, max(columns), None)
        except FarCellError:
            return False
        return True

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "c":
                at = _position(attributes.get("r", ""))
                self._row, self._column = at or (self._row, self._column + 1)
                self._kind = attributes.get("t", "n")
                self._has_formula = self._has_value = self._has_result = False
            case "f":
                self._has_formula = True
            case "v" | "is":
                self._in_value = self._has_result = True
            case "row":
                given = attributes.get("r", "")
                self._row = int(given) - 1 if given.isdecimal() else self._row + 1
                self._column = -1
            case "mergeCell":
                self._merged.append(attributes.get("ref", ""))
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._in_value and text:
            self._has_value = True

    def _end(self, tag: str) -> None:
        match tag.rpartition(":")[2]:
            case "v" | "is":
                self._in_value = False
            case "c":
                # 1. An error is an error, with or without a formula.
                # 2. A formula whose result was never stored. An empty <v> of t="str" is one: the
                #    empty text; any other comes from a program that does not calculate.
                # 3. Whatever else holds a value, the reader shows.
                if self._kind == "e":
                    self._odd.saw(self._row, self._column, "error")
                elif self._has_formula and not (
                    self._has_value or (self._kind == "str" and self._has_result)
                ):
                    self._odd.saw(self._row, self._column, "formula")
                elif self._has_value:
                    self._odd.saw(self._row, self._column, None)
            case _:
                pass


def _position(address: str) -> tuple[int, int] | None:
    """Row and column of `C7`, 0-based."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    return int(found[2]) - 1, _column(found[1])


def _column(letters: str) -> int:
    """The position, 0-based; of `A` it is 0."""
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _forbid(*_: object) -> None:
    raise ForbiddenXmlError
