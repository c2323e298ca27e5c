"""
The user's own sheet as a page to draw on: which column stands where, and one row as it is shown.

A known column keeps its place and a row its number, so that `G12` in a message is `G12` in the workbook,
and a rerun finds each row again. Pure: nothing here knows how a workbook is made.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum, auto

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.report_columns import REPORT_COLUMNS, WORKBOOK_COLUMNS
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
from batchconnect.reports.columns import columns_of

LAST_ROW = 1 << 20
"""Excel's limit, 1,048,576."""
LAST_COLUMN = 1 << 14
LONGEST_TEXT = 32_767
"""UTF-16 units that one cell of Excel holds."""

SheetColumn = Column | int | None
"""A known column, the index of a carried one, or a gap: what is there is not ours to show."""


class Tone(IntEnum):
    """What a colour says; a word always says it too. A number, since it is a key for each row."""

    GOOD = auto()
    LOOK = auto()
    BAD = auto()
    QUIET = auto()


class WorkbookLayout(Value):
    """The columns of the user's sheet, in their order."""

    header_row: int
    """1-based; 0 where the rows come from a program and there is no line above them."""
    places: tuple[SheetColumn, ...]
    titles: tuple[str, ...]
    """Headers of the carried columns, none of which a reader would take for one of ours."""


class ShownRow(Value):
    """One row of the workbook, without any secret but a key that its owner wants to see in it."""

    number: int
    """As the user's spreadsheet shows it."""
    cells: Mapping[Column, str]
    carried: Sequence[str]
    status: str
    tone: Tone
    works: str = ""
    works_tone: Tone | None = None
    connection_id: str = ""
    error: str = ""
    hint: str = ""
    problems: Sequence[Problem] = ()
    wants_key: bool = True
    """Whether somebody has to fill in the key again before the row can be sent."""
    key: Secret | None = None
    """Of a copy of the owner's own sheet, who asked for it; a report has none."""

    @property
    def own(self) -> tuple[str, ...]:
        """The texts of the `WORKBOOK_COLUMNS`, in their order."""
        return self.status, self.works, self.connection_id, self.error, self.hint

    @property
    def own_tones(self) -> tuple[Tone | None, ...]:
        """Their colours; None: it has none."""
        return self.tone, self.works_tone, None, None, None


def layout_of(
    columns: Mapping[Column, int] | None,
    carried: Sequence[str],
    *,
    header_row: int,
    places: Sequence[str] = (),
) -> WorkbookLayout:
    """
    Lay out the columns of a sheet.

    The carried columns fill the places between the known ones, which never move.

    Args:
        columns: Position of each known column, 0-based; None: nobody wrote them down.
        carried: Headers of the carried columns, in their order.
        header_row: The header's own row.
        places: Headers of what tells where a row stands; their cells are behind the carried ones.
    """
    titles = [*columns_of(carried, (*Column, *REPORT_COLUMNS)), *places]
    rest = iter(range(len(titles)))
    taken = {place: column for column, place in (columns or {}).items()}
    drawn: list[SheetColumn] = [
        taken[place] if place in taken else next(rest, None)
        for place in range(max(taken, default=-1) + 1)
    ]
    drawn += rest if taken else (*Column, *rest)
    room = LAST_COLUMN - len(WORKBOOK_COLUMNS)
    if len(drawn) > room:
        known = [place for place in drawn if isinstance(place, Column)]
        others = [place for place in drawn if isinstance(place, int)]
        drawn = [*known, *others[: room - len(known)]]
    return WorkbookLayout(header_row=header_row, places=tuple(drawn), titles=tuple(titles))


def fits(text: str) -> bool:
    """Whether a cell of Excel gives this text back as it is."""
    if text.isascii():
        return len(text) <= LONGEST_TEXT
    if any("\ud800" <= char <= "\udfff" or char in "\ufffe\uffff" for char in text):
        return False
    return len(text.encode("utf-16-le")) // 2 <= LONGEST_TEXT


def cut(text: str) -> str:
    """A text that is shown only, made to fit, and saying that it was cut."""
    if fits(text):
        return text
    clean = text.encode("utf-8", "backslashreplace").decode()
    clean = clean.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    if fits(clean):
        return clean
    tail = f"\u2026 (cut: {len(text)} characters)"
    # A character may count twice, so half of the room is always enough.
    return clean[: LONGEST_TEXT // 2 - len(tail)] + tail
