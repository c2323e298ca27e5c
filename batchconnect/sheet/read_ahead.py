"""
Reads ahead of those who ask for one row after another by its place.

Rows are sent in the order of the sheet, so the next one most often stands in a block that was read
already. What is kept are raw bytes, keys among them: few and bounded, and gone with the sheet.
"""

from collections.abc import Callable

from batchconnect.sheet.source import Source

_BLOCK = 1 << 14
"""Bytes: some 75 rows."""
_MOST_BLOCKS = 4
"""Lanes and sandboxes whose rows stand far apart each get a block of their own."""


class ReadAhead:
    """
    The last blocks that were read of a source: 64 KiB at most.

    Args:
        source: The bytes.
        check: Raises `SheetError` where the input has changed. It is asked behind each block, so what
            is kept is what the input held when it was opened, whatever becomes of it since.
    """

    def __init__(self, source: Source, check: Callable[[], None]) -> None:
        self._source = source
        self._check = check
        self._blocks: list[tuple[int, bytes]] = []

    def line(self, offset: int) -> bytes:
        """
        The bytes from *offset* up to a line feed and with it; none where that is far away.

        Raises:
            SheetError: The input has changed before the line was read.
        """
        for start, block in self._blocks:
            if start <= offset:
                end = block.find(b"\n", offset - start) + 1
                if end:
                    return block[offset - start : end]
        block = self._source.read(offset, _BLOCK)
        self._check()
        self._blocks = [(offset, block), *self._blocks[: _MOST_BLOCKS - 1]]
        return block[: block.find(b"\n") + 1]

    def close(self) -> None:
        """Forget the bytes."""
        self._blocks = []
