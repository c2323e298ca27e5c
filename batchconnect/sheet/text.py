"""
From bytes to lines of UTF-8 text, without one guessed character.

A byte order mark is honoured, else the text is strict UTF-8, else it is what `--encoding` says. A
wrong encoding is an error with its line: no garbled name is ever sent.
"""

import codecs
import re
from collections.abc import Iterator

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.sheet.likely_encoding import advice, likely_encodings, looks_written
from batchconnect.sheet.source import BLOCK, MemorySource, Source

LONGEST_LINE = 1 << 20
"""Bytes without a line break that a sheet of ours can never need."""

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENOUGH = 1 << 16
"""Bytes that tell an encoding, as far as any do."""
_CTRL_Z = b"\x1a"


class Lines:
    """
    The lines of a text: decoded one by one, or a block of them as it stands.

    Args:
        source: Bytes in UTF-8.
        start: Offset of the first line.
        line: Number of that line in the file, 1-based.
        place: The sheet, for messages.
        block: Bytes to read at once; small where only one row is wanted.
    """

    def __init__(
        self, source: Source, *, start: int, line: int, place: str, block: int = BLOCK
    ) -> None:
        self._source = source
        self._start = start
        self._place = place
        self._size = block
        self._blocks = self._read()
        self._next = b""
        self._begun = start
        self.end = start
        """Offset behind the last line that was handed out."""
        self.line = line
        """Number of the next line."""

    @property
    def is_in_block(self) -> bool:
        """Whether lines that were read with the last one are still to be handed out."""
        return self.end < self._begun

    def __iter__(self) -> Iterator[str]:
        # One loop within the other, and no generator for each line: a sheet may have a million.
        while block := self.block():
            self._next = b""
            self._begun = self.end + len(block)
            for raw in block.splitlines(keepends=True):
                try:
                    text = raw.decode()
                except UnicodeDecodeError as error:
                    raise self._wrong_encoding(raw[error.start]) from None
                if "\0" in text:
                    raise _nul(raw, place=f"{self._place}, line {self.line}")
                self.end += len(raw)
                self.line += 1
                yield text

    def block(self) -> bytes:
        """The lines that come next, as many as are read at once; none at the end. They are not handed out yet."""
        if not self._next:
            self._next = next(self._blocks, b"")
        return self._next

    def skip(self, lines: int) -> None:
        """The block was taken as a whole."""
        self.end += len(self._next)
        self.line += lines
        self._begun, self._next = self.end, b""

    def _wrong_encoding(self, byte: int) -> SheetError:
        sample = self._source.read(self.end, _ENOUGH)
        return _wrong_encoding(sample, "UTF-8", place=f"{self._place}, line {self.line}", byte=byte)

    def _read(self) -> Iterator[bytes]:
        """Lines with their ends: LF, CR LF or CR alone, mixed as they come."""
        rest, offset = b"", self._start
        while read := self._source.read(offset, self._size):
            offset += len(read)
            rest += read
            # The last line may go on in what is read next; even behind a CR an LF may come.
            end = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
            if end:
                yield rest[:end]
                rest = rest[end:]
            if len(rest) > LONGEST_LINE:
                raise SheetError(
                    f"{self._place}, line {self.line}: longer than {LONGEST_LINE:,} bytes",
                    hint="This is hardly a sheet; is it the right file?",
                )
        if rest.endswith(_CTRL_Z):
            raise SheetError(
                f"{self._place}, line {self.line}: the text ends with the end mark of old DOS programs "
                "(Ctrl-Z)",
                hint="Delete this last character, or save the sheet again as `CSV UTF-8`.",
            )
        if rest:
            yield rest


def utf8(source: Source, *, place: str, encoding: str | None) -> tuple[Source, int, list[str]]:
    """
    See to it that a source holds UTF-8.

    Args:
        source: The input's bytes.
        place: The sheet, for messages.
        encoding: What `--encoding` says, None where it is silent.
    Returns:
        A source of UTF-8 bytes, the offset behind the byte order mark, and warnings.
    Raises:
        SheetError: The bytes are not in the encoding.
        UsageError: There is no such encoding.
    """
    if encoding is not None:
        check_encoding(encoding)
    head = source.read(0, 4)
    if head.startswith(codecs.BOM_UTF8):
        return source, len(codecs.BOM_UTF8), []
    for mark, name in _MARKS:
        if head.startswith(mark):
            data = read_all(source)[len(mark) :]
            warnings = []
            if encoding is not None and codecs.lookup(encoding).name not in (name, name[:6]):
                warnings = [_not_used(place, encoding, f"begins with the mark of {name}")]
            return _decoded(data, name, place=place), 0, warnings
    if encoding is None or codecs.lookup(encoding).name == "utf-8":
        return source, 0, []
    data = read_all(source)
    if not data.isascii() and b"\0" not in data and _is_utf8(data):
        return source, 0, [_not_used(place, encoding, "is UTF-8")]
    return _decoded(data, encoding, place=place), 0, _doubts(data, encoding, place)


def _not_used(place: str, encoding: str, why: str) -> str:
    return f"{place}: the file {why}, so `--encoding {encoding}` is not used"


def _doubts(data: bytes, encoding: str, place: str) -> list[str]:
    """A warning where another encoding than the one that was said makes better text."""
    first = re.search(rb"[^\x00-\x7f]", data)
    if first is None:
        return []
    begins = data.rfind(b"\n", 0, first.start()) + 1
    sample = data[begins : begins + _ENOUGH]
    if looks_written(sample.decode(encoding, "ignore")) or not (likely := likely_encodings(sample)):
        return []
    names = " or ".join(f"`--encoding {name}` ({region})" for name, region in likely)
    return [
        f"{place}: in {encoding} the names look garbled, and they are sent so; is {names} meant?"
    ]


def check_encoding(encoding: str) -> None:
    """
    Look whether an encoding exists.

    Raises:
        UsageError: It does not, or it is no encoding of text.
    """
    try:
        b"a".decode(encoding)
    except UnicodeError:
        pass  # UTF-16 wants two bytes
    except LookupError:
        raise UsageError(
            f"--encoding {encoding}: there is no such text encoding",
            hint="Usual ones are `cp1252` (Windows, western), `cp1250`, `mac_roman`, `utf-16`.",
        ) from None


def read_all(source: Source) -> bytes:
    """Every byte of a source."""
    parts: list[bytes] = []
    offset = 0
    while block := source.read(offset, BLOCK):
        parts.append(block)
        offset += len(block)
    return b"".join(parts)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(data: bytes, encoding: str, *, place: str) -> MemorySource:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        line = 1 + len(re.findall(r"\r\n|\r|\n", before))
        begins = max(data.rfind(end, 0, error.start) for end in (b"\n", b"\r")) + 1
        raise _wrong_encoding(
            data[begins : begins + _ENOUGH],
            encoding,
            place=f"{place}, line {line}",
            byte=data[error.start],
        ) from None
    return MemorySource(text.removeprefix("\ufeff").encode("utf-8", "surrogatepass"))


def _wrong_encoding(sample: bytes, encoding: str, *, place: str, byte: int) -> SheetError:
    """Say that bytes are not in an encoding, and which one is likely; the bytes may be a key's."""
    return SheetError(
        f"{place}: the text is not {encoding} (byte 0x{byte:02x})",
        hint=advice(sample, but=encoding),
    )


def _nul(raw: bytes, *, place: str) -> SheetError:
    text = raw.rstrip(b"\0\r\n\x1a")
    if b"\0" not in text:
        return SheetError(
            f"{place}: the line {'ends with' if text else 'holds nothing but'} NUL bytes",
            hint="The file was not written to its end (a full disk, a crash), or it was padded: rows may "
            "be missing. Save the sheet again, or use an earlier copy.",
        )
    if raw.count(0) * 4 < len(raw):
        return SheetError(
            f"{place}: a NUL byte stands in the text",
            hint="The file is damaged: save the sheet again as `CSV UTF-8`.",
        )
    # Western UTF-16 has its NULs at every second byte: the odd ones in LE, the even ones in BE.
    likely = "utf-16-be" if raw[0::2].count(0) > raw[1::2].count(0) else "utf-16-le"
    return SheetError(
        f"{place}: a NUL byte stands in the text",
        hint="The file is damaged, or it is UTF-16: save it as `CSV UTF-8`, "
        f"or say `--encoding {likely}`.",
    )
