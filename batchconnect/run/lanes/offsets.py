"""Chooses among rows that a sheet is asked for again, in turn with whatever else goes on."""

from collections.abc import Callable, Sequence
from typing import Final

from anyio.lowlevel import checkpoint

from batchconnect.sheet.interface import Sheet

_AT_ONCE: Final = 1000
"""Rows that are read again before others have their turn. Not in a thread: a sheet has one reader at a time."""


async def chosen_offsets(
    sheet: Sheet, offsets: Sequence[int], is_chosen: Callable[[int], bool]
) -> list[int]:
    """
    Those of the rows that are chosen by their number.

    Args:
        sheet: Where they stand.
        offsets: Where they are found again.
        is_chosen: Told a row's number.

    Raises:
        SheetError: The sheet cannot be read any more.
    """
    chosen: list[int] = []
    for start in range(0, len(offsets), _AT_ONCE):
        await checkpoint()
        part = offsets[start : start + _AT_ONCE]
        chosen += [offset for offset in part if is_chosen(sheet.at(offset).number)]
    return chosen
