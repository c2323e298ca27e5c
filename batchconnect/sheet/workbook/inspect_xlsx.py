"""
The second look at XLSX and XLSM: the XML of each tab, streamed; plain rows as a whole, all else by cells.

NOTE: expat itself, not `defusedxml.iterparse`: a document type is refused in the same way, in a third of
the time.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import IO, Any
from xml.parsers import expat

from defusedxml.ElementTree import fromstring

from batchconnect.sheet.workbook.inspected import BY_NUMBER, WHITE, ForbiddenXmlError, InspectedTab
from batchconnect.sheet.workbook.plain_rows import PlainRows, split
from batchconnect.sheet.workbook.shared_texts import BLANK, gravest, odd_texts, oddity

_ADDRESS = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_LARGEST_INDEX_PART = 16 << 20
_BEGINNING = 1 << 16
_TWICE = -1


def inspect_xlsx(file: IO[bytes]) -> Iterator[tuple[str, InspectedTab]]:
    """
    Look at every tab of a workbook.

    Raises:
        ForbiddenXmlError: A part has a document type.
    """
    with zipfile.ZipFile(file) as archive:
        _forbid_doctypes(archive)
        odd = _odd_texts(archive)
        for name, part in _tabs(archive):
            with archive.open(part) as xml:
                yield name, _Inspection(odd).of(xml)


def _odd_texts(archive: zipfile.ZipFile) -> Mapping[int, str]:
    for kind, part in _related(archive):
        if kind == "sharedStrings":
            with archive.open(part) as xml:
                return odd_texts(xml)
    return {}


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


def _related(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Kind and name of each part that the workbook is related to."""
    folder, file_name = posixpath.split(_workbook_part(archive))
    members = {name.casefold(): name for name in archive.namelist()}
    targets = relations(archive, posixpath.join(folder, "_rels", f"{file_name}.rels"))
    for kind, target in targets.values():
        part = posixpath.normpath(posixpath.join(folder, target)).lstrip("/").casefold()
        if part in members:
            yield kind, members[part]


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

    def __init__(self, odd: Mapping[int, str] = MappingProxyType({})) -> None:
        self._tab = InspectedTab()
        self._odd = odd
        self._merged: list[str] = []
        self._masks: dict[bytes, int] = {}
        self._row = -1
        self._column = -1
        self._kind = ""
        self._value = self._text = self._run = ""
        self._has_formula = self._has_result = False
        self._place: str | None = None
        self._is_kept = False
        self._oddity: str | None = None

    def of(self, xml: IO[bytes]) -> InspectedTab:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
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
                self._tab.merge(top, left, bottom, right)
        return self._tab

    def _note(self, rows: PlainRows) -> bool:
        """Note plain rows; False where a cell among them is to be looked at by itself."""
        if self._odd and (odd := rows.texts() & self._odd.keys()):
            if any(self._odd[number] != BLANK for number in odd):
                return False
            rows = rows.without(odd)
        filled: dict[int, int] = {}
        count = 0
        for numbers, columns in rows.filled():
            mask = self._masks.get(columns)
            if mask is None:
                mask = self._masks[columns] = _mask(columns.split())
            if mask == _TWICE:
                return False
            if mask:
                count += len(numbers)
                filled.update(dict.fromkeys([int(number) - 1 for number in numbers], mask))
        if len(filled) < count:
            return False
        if not filled.keys().isdisjoint(self._tab.filled):
            return False
        self._tab.filled.update(filled)
        self._tab.hidden.update(number - 1 for number in rows.hidden())
        return True

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "c":
                at = _position(attributes.get("r", ""))
                self._row, self._column = at or (self._row, self._column + 1)
                self._kind = attributes.get("t", "n")
                self._value = self._text = ""
                self._has_formula = self._has_result = False
                self._oddity = None
            case "f":
                self._has_formula = True
            case "v":
                self._has_result, self._place = True, "v"
            case "is":
                self._has_result = True
            case "t" if self._place is None:
                self._place, self._run = "t", ""
                self._is_kept = attributes.get("xml:space") == "preserve"
            case "rPh":
                self._place = "rPh"
            case "row":
                given = attributes.get("r", "")
                self._row = int(given) - 1 if given.isdecimal() else self._row + 1
                self._column = -1
                if _is_hidden(attributes):
                    self._tab.hidden.add(self._row)
            case "mergeCell":
                self._merged.append(attributes.get("ref", ""))
            case _:
                pass

    def _characters(self, text: str) -> None:
        if self._place == "v":
            self._value += text
        elif self._place == "t":
            self._run += text

    def _end(self, tag: str) -> None:
        match tag.rpartition(":")[2]:
            case "v":
                self._place = None
            case "t" if self._place == "t":
                self._place = None
                self._text += self._run
                self._oddity = gravest(self._oddity, oddity(self._run, is_kept=self._is_kept))
            case "rPh":
                self._place = None
            case "c":
                self._cell()
            case _:
                pass

    def _cell(self) -> None:
        # 1. An error is an error, with or without a formula.
        # 2. A formula whose result was never stored. An empty <v> of t="str" is one: the empty text;
        #    any other comes from a program that does not calculate.
        # 3. A date in ISO 8601, which calamine shows as a text.
        # 4. A shared text, of which only the number stands here.
        # 5. Whatever else holds a value, the reader shows.
        text = self._value or self._text
        odd = self._oddity
        if self._kind == "s" and self._value.isdecimal():
            odd = self._odd.get(int(self._value))
        elif self._kind == "str":
            odd = oddity(self._value, is_kept=True)
        if self._kind == "e":
            self._tab.saw(self._row, self._column, "error")
        elif self._has_formula and not (text or (self._kind == "str" and self._has_result)):
            self._tab.saw(self._row, self._column, "formula")
        elif text.strip(WHITE) and odd == BY_NUMBER:
            self._tab.saw(self._row, self._column, odd)
        elif text.strip(WHITE) and odd != BLANK:
            self._tab.saw(self._row, self._column, "date" if self._kind == "d" else None)
            if odd is not None:
                self._tab.note(self._row, self._column, odd)


def _is_hidden(attributes: Mapping[str, str]) -> bool:
    if attributes.get("hidden") in ("1", "true"):
        return True
    return re.fullmatch(r"0+(\.0*)?", attributes.get("ht", "-")) is not None


def _mask(columns: Sequence[bytes]) -> int:
    """A bit for each of the columns; `_TWICE` where one comes twice."""
    positions = {_column(letters.decode()) for letters in columns}
    return _TWICE if len(positions) < len(columns) else sum(1 << at for at in positions)


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
