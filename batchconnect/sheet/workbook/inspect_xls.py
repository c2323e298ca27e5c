"""
The second look at XLS: the BIFF records of each tab, in a stream of an OLE2 container.

Source: [MS-XLS], section 2.4 (BoundSheet8, BoolErr, Formula, MergeCells, Row, SST); the same of BIFF5 (Excel
95) in OpenOffice's description of the format, chapter 5.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from batchconnect.sheet.workbook.form import (
    PASSWORD,
    MixedFormsError,
    NotAWorkbookError,
    ProtectedError,
)
from batchconnect.sheet.workbook.inspected import MISREAD, InspectedTab, is_misread
from batchconnect.sheet.workbook.ole import LARGEST_STREAM, container_of, root_streams

_BOF, _EOF, _TAB, _MERGES, _ROW, _DEFAULT_HEIGHT = 0x809, 0x0A, 0x85, 0xE5, 0x208, 0x225
_CODE_PAGE, _DIMENSIONS, _FILE_PASS, _SST, _CONTINUE = 0x42, 0x200, 0x2F, 0xFC, 0x3C
_BOOL_OR_ERROR, _FORMULAS, _RESULT = 0x205, frozenset({6, 0x206, 0x406}), 0x207
_LABEL, _RICH_LABEL, _SHARED_LABEL = 0x204, 0xD6, 0xFD
_NUMBERS, _MANY_NUMBERS = frozenset({0x203, 0x27E}), 0xBD
_BIFF8, _UNICODE = 0x600, 1200
_NOT_A_NUMBER = 0xFFFF
"""Ends the result of a formula that is a text, a boolean or an error."""
_TEXT_FOLLOWS, _ERROR_RESULT, _NO_TEXT = 0, 2, 3
_HIDDEN, _HIDDEN_BY_DEFAULT = 0x20, 0x02
_BLANK: Final = "blank"
"""Of a shared text: it is white space or nothing."""
_WHITE: Final = b" \t\r\n\0"


class XlsWorkbook:
    """
    The workbook of a container, which may hold others besides.

    Args:
        container: The file.
    Raises:
        NotAWorkbookError: There is no workbook in it, but of another Office program.
        ProtectedError: It is encrypted.
        ValueError, struct.error: The container is cut.
    """

    def __init__(self, container: bytes) -> None:
        streams = root_streams(container)
        stream = streams.get("workbook") or streams.get("book")
        if stream is None:
            raise NotAWorkbookError("a document of another Office program")
        if len(stream) > LARGEST_STREAM:
            raise MemoryError
        self._stream = bytearray(stream)
        self._is_biff8 = struct.unpack_from("<2H", stream)[0] == _BOF and (
            struct.unpack_from("<H", stream, 4)[0] >= _BIFF8
        )
        self._globals = list(_records(stream, 0))
        if any(kind == _FILE_PASS for kind, _, _ in self._globals):
            raise ProtectedError(PASSWORD)

    def tabs(self) -> Iterator[InspectedTab]:
        """
        Look at every tab, in order; charts and macros are tabs too.

        Raises:
            MixedFormsError: Its cells refer to texts in a way that it has not.
            ValueError, struct.error: A record is cut.
        """
        odd = dict(_odd_texts(self._globals)) if self._is_biff8 else {}
        for kind, _, data in self._globals:
            if kind == _TAB:
                (start,) = struct.unpack_from("<I", data)
                yield _Inspection(odd, is_biff8=self._is_biff8).of(bytes(self._stream), start)

    def plain(self) -> bytes:
        """
        The workbook in a container of its own, as every program writes it.

        Its texts are Unicode whatever its code page says, if it is of Excel 97 or later.
        """
        for kind, at, _ in self._globals:
            if kind == _CODE_PAGE and self._is_biff8:
                struct.pack_into("<H", self._stream, at + 4, _UNICODE)
        return container_of("Workbook" if self._is_biff8 else "Book", bytes(self._stream))


class _Inspection:
    """Follows the records of one tab."""

    def __init__(self, odd: Mapping[int, str], *, is_biff8: bool) -> None:
        self._tab = InspectedTab()
        self._odd = odd
        self._is_biff8 = is_biff8
        self._merged: list[tuple[int, ...]] = []
        self._awaited: tuple[int, int] | None = None
        self._described: set[int] = set()
        self._hides_others = False

    def of(self, stream: bytes, start: int) -> InspectedTab:
        for kind, _, data in _records(stream, start):
            self._note(kind, data)
        self._no_result()
        for top, bottom, left, right in self._merged:
            self._tab.merge(top, left, bottom, right)
        if self._hides_others:
            self._tab.hidden.update(self._tab.filled.keys() - self._described)
        return self._tab

    def _note(self, kind: int, data: bytes) -> None:
        if kind == _SHARED_LABEL:
            if not self._is_biff8:
                raise MixedFormsError
            row, column, _, index = struct.unpack_from("<3HI", data)
            odd = self._odd.get(index)
            if odd != _BLANK:
                self._tab.saw(row, column, odd)
        elif kind in _NUMBERS:
            row, column = struct.unpack_from("<2H", data)
            self._tab.saw(row, column, None)
        elif kind in (_LABEL, _RICH_LABEL):
            row, column = struct.unpack_from("<2H", data)
            text, width = self._text(data[6:])
            if text.strip(_WHITE):
                self._tab.saw(row, column, MISREAD if is_misread(text, width=width) else None)
        elif kind in _FORMULAS:
            self._formula(data)
        elif kind == _RESULT:
            self._result(data)
        else:
            self._note_other(kind, data)

    def _note_other(self, kind: int, data: bytes) -> None:
        if kind == _MANY_NUMBERS:
            row, first = struct.unpack_from("<2H", data)
            (last,) = struct.unpack_from("<H", data, len(data) - 2)
            for column in range(first, last + 1):
                self._tab.saw(row, column, None)
        elif kind == _BOOL_OR_ERROR:
            row, column, _, _, is_error = struct.unpack_from("<3H2B", data)
            self._tab.saw(row, column, "error" if is_error else None)
        elif kind == _ROW:
            (row,) = struct.unpack_from("<H", data)
            self._described.add(row)
            if struct.unpack_from("<H", data, 12)[0] & _HIDDEN:
                self._tab.hidden.add(row)
        elif kind == _MERGES:
            (count,) = struct.unpack_from("<H", data)
            self._merged += [struct.unpack_from("<4H", data, 2 + 8 * i) for i in range(count)]
        elif kind == _DEFAULT_HEIGHT:
            self._hides_others = bool(struct.unpack_from("<H", data)[0] & _HIDDEN_BY_DEFAULT)

    def _formula(self, data: bytes) -> None:
        self._no_result()
        row, column, _, what, _, _, _, _, _, mark = struct.unpack_from("<3H6BH", data)
        if mark != _NOT_A_NUMBER:
            self._tab.saw(row, column, None)
        elif what == _ERROR_RESULT:
            self._tab.saw(row, column, "error")
        elif what == _NO_TEXT:
            # NOTE: of the empty text Excel says the same as a program that does not calculate.
            self._tab.saw(row, column, "formula")
        elif what == _TEXT_FOLLOWS:
            self._awaited = (row, column)
        else:
            self._tab.saw(row, column, None)

    def _result(self, data: bytes) -> None:
        if self._awaited is not None:
            text, width = self._text(data)
            kind = MISREAD if is_misread(text, width=width) else None
            self._tab.saw(*self._awaited, kind if text else "formula")
            self._awaited = None

    def _text(self, data: bytes) -> tuple[bytes, int]:
        """A text with its length before it, and how many bytes a letter has."""
        (length,) = struct.unpack_from("<H", data)
        if not (self._is_biff8 and length):
            return data[2 : 2 + length], 1
        width = 1 + (data[2] & 1)
        text = data[3 : 3 + length * width]
        # In one byte each these are the first letters of Unicode, whatever they look like.
        return (text, 2) if width == 2 else (_widened(text), 2)  # noqa: PLR2004 - bytes of UTF-16

    def _no_result(self) -> None:
        """A formula whose text never came."""
        if self._awaited is not None:
            self._tab.saw(*self._awaited, "formula")
            self._awaited = None


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """
    Kind, place and content of each record up to the end of this part.

    Inner parts (charts) are left out.
    """
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<2H", stream, at)
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, at, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _widened(text: bytes) -> bytes:
    return text.decode("latin-1").encode("utf-16-le")


def _odd_texts(records: list[tuple[int, int, bytes]]) -> Iterator[tuple[int, str]]:
    """Number of each shared text that is white space or nothing, or not shown as it is; and which."""
    position = next((i for i, (kind, _, _) in enumerate(records) if kind == _SST), None)
    if position is None:
        return
    parts = [records[position][2][8:]]
    (count,) = struct.unpack_from("<I", records[position][2], 4)
    for kind, _, data in records[position + 1 :]:
        if kind != _CONTINUE:
            break
        parts.append(data)
    texts = _SharedTexts(parts)
    for number in range(count):
        pieces = texts.next()
        if not b"".join(pieces).strip(_WHITE):
            yield number, _BLANK
        elif any(is_misread(piece, width=2) for piece in pieces):
            yield number, MISREAD


class _SharedTexts:
    """The texts of a table that goes on over several records, each of which may cut a text in two."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self._part = self._at = 0

    def next(self) -> list[bytes]:
        """The letters of the next text, in UTF-16, in the pieces into which the records cut it."""
        length, flags = struct.unpack("<HB", self._take(3))
        runs = struct.unpack("<H", self._take(2))[0] if flags & 8 else 0
        extra = struct.unpack("<I", self._take(4))[0] if flags & 4 else 0
        pieces = list(self._letters(length, 1 + (flags & 1)))
        self._take(4 * runs + extra)
        return pieces

    def _letters(self, length: int, width: int) -> Iterator[bytes]:
        while length:
            if self._at >= len(self._parts[self._part]):
                self._part, self._at = self._part + 1, 1
                width = 1 + (self._parts[self._part][0] & 1)  # each part says its width anew
            here = min(length, (len(self._parts[self._part]) - self._at) // width)
            if not here:
                raise ValueError("a shared text is cut")
            piece = self._parts[self._part][self._at : self._at + here * width]
            yield piece if width == 2 else _widened(piece)  # noqa: PLR2004 - bytes of UTF-16
            self._at += here * width
            length -= here

    def _take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            part = self._parts[self._part]
            if self._at >= len(part):
                self._part, self._at = self._part + 1, 0
                continue
            here = part[self._at : self._at + size - len(taken)]
            taken, self._at = taken + here, self._at + len(here)
        return taken
