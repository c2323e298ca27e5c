"""
Draws the user's own sheet as an Excel workbook: the door of XlsxWriter for sheets with rows.

Every cell is a text, exactly as given: no formula, no link, no number is made of it. ReadRows are written as
they come and kept nowhere, so a million of them cost no memory.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.report_columns import ABOUT_TAB, WORKBOOK_COLUMNS
from batchconnect.model.value import Value
from batchconnect.reports.fan_out import batches
from batchconnect.reports.workbook.layout import (
    LAST_ROW,
    LONGEST_TEXT,
    SheetColumn,
    ShownRow,
    Tone,
    WorkbookLayout,
    cut,
    fits,
)
from batchconnect.reports.workbook.row_xml import PlainRow, is_known
from batchconnect.reports.workbook.styles import HEADING_INK, INK, KEY_INK, OWN_HEADING_INK, WIDTHS

MOST_COMMENTS: Final = 5000
"""Beyond these a cell is coloured only: each comment is a drawing, and Excel opens slowly."""
MOST_KEY_COMMENTS: Final = 500
"""Of cells that only wait for their key: beyond these the colour and the header's comment say it."""
EXACT: Final = {
    "strings_to_urls": False,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
}
"""What a text is, it stays."""

_CHUNK = 1 << 16
_LONGEST_TITLE: Final = 31
_NO_TITLE: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
"""What Excel refuses in the name of a tab."""
_RESERVED: Final = "history"
"""A name that Excel keeps for itself."""
_AUTHOR = "batchconnect"
_KEY_NOTE = (
    "Fill in the keys again: reports never hold them."
    " The marked cells need one; a row that is done does not."
)
_KEPT_NOTE = "Your own keys, as they stand in the sheet: delete this copy when you are done."
_FILL_IN = "fill in the key"
_KEY_COLUMN = Column.SERVICE_PRINCIPAL_KEY

Facts = Sequence[tuple[str, str]]
"""Label and text, a line each."""
_WEIGHT = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.LOOK}


class RowsTab(Value):
    """A tab to draw."""

    layout: WorkbookLayout
    rows: Iterable[ShownRow]
    """In the order of their numbers."""
    title: str = "rows"


def render(
    tabs: Sequence[RowsTab],
    *,
    about: Callable[[int], Facts],
    created: datetime | None = None,
    keys_in: Path | None = None,
) -> Iterator[bytes]:
    """
    Draw a workbook.

    Args:
        tabs: Those with rows.
        about: What the last tab tells, given the number of rows beyond Excel's last one.
        created: The workbook's own date; the same for the same bytes again.
        keys_in: Where the rows have keys: the only folder in which anything of it may be written.

    Yields:
        An empty chunk for every step's rows; the file's bytes, when it is complete.

    Raises:
        OSError: The disk is full.
    """

    def draw(book: Any) -> Iterator[bytes]:
        book.set_properties({"author": _AUTHOR, **({"created": created} if created else {})})
        titles = _titles([tab.title for tab in tabs])
        beyond, remarks = 0, list[tuple[str, str]]()
        for tab, title in zip(tabs, titles, strict=True):
            drawing = _Drawing(book, tab.layout, title=title, has_keys=keys_in is not None)
            for batch in batches(tab.rows):
                drawing.rows(batch)
                yield b""
            drawing.end()
            beyond += drawing.beyond
            where = f"{title}: " if len(tabs) > 1 else ""
            remarks += [(label, f"{where}{text}") for label, text in drawing.remarks()]
        _tell(book, [*about(beyond), *_legend(has_keys=keys_in is not None), *remarks])

    yield from drawn(draw, folder=keys_in)


def drawn(draw: Callable[[Any], Iterator[bytes]], *, folder: Path | None = None) -> Iterator[bytes]:
    """
    The bytes of a workbook, whose rows are written from top to bottom and kept in no memory.

    Args:
        draw: Puts everything into it; what it yields comes before the bytes.
        folder: Where its parts lie meanwhile; None: among the system's temporary files.

    Raises:
        OSError: The disk is full.
    """
    with TemporaryDirectory(prefix="batchconnect-", dir=folder) as place:
        path = Path(place) / "sheet.xlsx"
        path.touch(mode=0o600)
        with _opened(path) as book:
            yield from draw(book)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    # Whoever draws no workbook, as `status` and `plan`, does not wait 50 ms for it.
    import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415 - it has hints, but no py.typed
    from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # noqa: PLC0415

    book = xlsxwriter.Workbook(
        path, {"constant_memory": True, "tmpdir": str(path.parent), "in_memory": False, **EXACT}
    )
    book.use_zip64()
    try:
        yield book
        book.close()
    except FileCreateError as error:
        cause = error.args[0]
        raise OSError(cause.errno, cause.strerror) from None
    finally:
        for sheet in book.worksheets():
            sheet._opt_close()  # noqa: SLF001 - `close` forgets its own files where it fails


class _Drawing:
    """A tab with rows."""

    def __init__(self, book: Any, layout: WorkbookLayout, *, title: str, has_keys: bool) -> None:
        self._has_keys = has_keys
        self._shape = layout
        self._shift = 0 if layout.header_row else 1
        self._sheet = book.add_worksheet(title)
        text = {"num_format": "@", "valign": "top"}
        self._plain = book.add_format(text)
        self._key = book.add_format({**text, **KEY_INK})
        self._toned = {tone: book.add_format({**text, **ink}) for tone, ink in INK.items()}
        self._heading = book.add_format({**text, "bold": True, **HEADING_INK})
        self._own_heading = book.add_format({**text, "bold": True, **OWN_HEADING_INK})
        self._has = frozenset(place for place in layout.places if isinstance(place, Column))
        self._plain_rows: dict[tuple[object, ...], PlainRow] = {}
        self._is_known = is_known(self._sheet, self._plain)
        self._order = _Order(layout)
        self._comments = 0
        self._key_comments = 0
        self._left_out = 0
        self._last = self._header()
        self.beyond = 0
        """Rows beyond Excel's last one."""

    def rows(self, rows: Iterable[ShownRow]) -> None:
        """Draw rows, below those that were drawn before."""
        for shown in rows:
            index = shown.number + self._shift - 1
            if index >= LAST_ROW:
                self.beyond += 1
                continue
            is_plain = (
                self._is_known and not shown.problems and not shown.key and index > self._last
            )
            if not (
                is_plain and not self._is_commented(shown) and self._is_drawn_plainly(index, shown)
            ):
                self._row(index, shown)
            self._last = index

    def end(self) -> None:
        """Put the filter around all that was drawn."""
        own = len(self._shape.places) + len(WORKBOOK_COLUMNS) - 1
        self._sheet.autofilter(self._header_index, 0, self._last, own)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """What a reader has to know about the drawing itself."""
        if self._comments > MOST_COMMENTS:
            text = f"The first {MOST_COMMENTS:,} cells have one; the error column names all cells."
            yield "Comments", text
        if self._key_comments > MOST_KEY_COMMENTS:
            text = f"The first {MOST_KEY_COMMENTS:,} cells that wait for a key have one; the colour marks all."
            yield "Comments on keys", text
        if self._left_out:
            text = (
                f"Cells that hold more than Excel's {LONGEST_TEXT:,} characters, or characters that it"
                f" does not keep, are left blank, coloured and commented: {self._left_out}."
            )
            yield "Left out", text

    @property
    def _header_index(self) -> int:
        return max(self._shape.header_row - 1, 0)

    def _header(self) -> int:
        sheet, index = self._sheet, self._header_index
        titles = [self._title(place) for place in self._shape.places]
        for position, title in enumerate((*titles, *WORKBOOK_COLUMNS)):
            sheet.set_column(position, position, self._width(position), self._plain)
            is_own = position >= len(titles)
            self._text(index, position, title, self._own_heading if is_own else self._heading)
            if title == Column.SERVICE_PRINCIPAL_KEY:
                self._comment(index, position, _KEPT_NOTE if self._has_keys else _KEY_NOTE)
        sheet.freeze_panes(index + 1, 0)
        sheet.repeat_rows(index)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        return index

    def _title(self, place: SheetColumn) -> str:
        match place:
            case Column():
                return place.value
            case int():
                return cut(self._shape.titles[place])
            case None:  # the last case
                return ""

    def _width(self, position: int) -> int:
        places = self._shape.places
        if position >= len(places):
            return WIDTHS[WORKBOOK_COLUMNS[position - len(places)]]
        place = places[position]
        if place is None:
            return 3
        return WIDTHS[place] if isinstance(place, Column) else 20

    def _is_drawn_plainly(self, index: int, shown: ShownRow) -> bool:
        kind = shown.tone, shown.works_tone, shown.wants_key
        if kind not in self._plain_rows:
            self._plain_rows[kind] = self._plain_row(shown)
        is_drawn = self._plain_rows[kind].write(index, self._order.texts_of(shown))
        self._key_comments += is_drawn and shown.wants_key and _KEY_COLUMN in self._has
        return is_drawn

    def _is_commented(self, shown: ShownRow) -> bool:
        """Whether its blank key gets a comment: the library draws the rows that have any."""
        has_room = self._key_comments < MOST_KEY_COMMENTS
        return has_room and shown.wants_key and _KEY_COLUMN in self._has

    def _wait_for_key(self, index: int, position: int) -> None:
        """The cell's comment where it is not wrong but blank; these take none from the wrong ones."""
        self._key_comments += 1
        if self._key_comments <= MOST_KEY_COMMENTS:
            comment(self._sheet, index, position, _FILL_IN)

    def _plain_row(self, like: ShownRow) -> PlainRow:
        places = self._shape.places
        key = Column.SERVICE_PRINCIPAL_KEY
        is_marked = like.wants_key and key in self._has
        styles = [self._key if is_marked and place is key else self._plain for place in places]
        return PlainRow(
            self._sheet,
            [*styles, *map(self._of_tone, like.own_tones)],
            blank=places.index(key) if is_marked else None,
        )

    def _row(self, index: int, shown: ShownRow) -> None:
        at_cells, at_row = self._sorted(shown.problems)
        for position, place in enumerate(self._shape.places):
            if isinstance(place, Column):
                self._known(index, position, place, shown, at_cells.get(place, ()))
            elif place is not None and place < len(shown.carried):
                self._text(index, position, cut(shown.carried[place]), self._plain)
        at = len(self._shape.places)
        own = zip(shown.own, shown.own_tones, strict=True)
        for position, (text, tone) in enumerate(own, at):
            self._text(index, position, cut(text), self._of_tone(tone))
        if at_row:
            self._comment(index, at, _worded(at_row))

    def _sorted(
        self, problems: Iterable[Problem]
    ) -> tuple[dict[Column, list[Problem]], list[Problem]]:
        """The problems of each cell, and those that have no cell here."""
        at_cells: dict[Column, list[Problem]] = {}
        at_row: list[Problem] = []
        for problem in problems:
            if problem.severity in _WEIGHT:
                place = Column(problem.column) if problem.column else None
                if place is not None and place in self._has:
                    at_cells.setdefault(place, []).append(problem)
                else:
                    at_row.append(problem)
        return at_cells, at_row

    def _known(
        self,
        index: int,
        position: int,
        column: Column,
        shown: ShownRow,
        problems: Sequence[Problem],
    ) -> None:
        text = shown.cells.get(column, "")
        if column is Column.SERVICE_PRINCIPAL_KEY:
            # Whoever hands one in among the cells: no key is drawn but what its owner asked for.
            text = shown.key.reveal() if shown.key else ""
        style = self._plain
        if column is Column.SERVICE_PRINCIPAL_KEY and shown.wants_key:
            style = self._key
        comments = []
        if not fits(text):
            # Cut, it would be another value when it is read again: never silently.
            comments.append(
                f"A text of {len(text)} characters that Excel cannot hold; left out here."
            )
            text, style = "", self._toned[Tone.BAD]
            self._left_out += 1
        if problems:
            is_error = any(problem.severity is Severity.ERROR for problem in problems)
            style = self._toned[Tone.BAD if is_error else Tone.LOOK]
            comments.append(_worded(problems))
        self._text(index, position, text, style)
        if comments:
            self._comment(index, position, "\n".join(comments))
        elif style is self._key:
            self._wait_for_key(index, position)

    def _of_tone(self, tone: Tone | None) -> Any:
        return self._plain if tone is None else self._toned[tone]

    def _text(self, index: int, position: int, text: str, style: Any) -> None:
        if text:
            self._sheet.write_string(index, position, text, style)
        elif style is not self._plain:
            self._sheet.write_blank(index, position, None, style)

    def _comment(self, index: int, position: int, text: str) -> None:
        self._comments += 1
        if self._comments <= MOST_COMMENTS:
            comment(self._sheet, index, position, text)


class _Order:
    """Puts what a plain row shows into the order of the columns: a choice by place for each cell took 2 us."""

    def __init__(self, layout: WorkbookLayout) -> None:
        shown = (*SHOWN_COLUMNS, *range(len(layout.titles)), None)
        place_of = {place: position for position, place in enumerate(shown)}
        # Behind them the columns that a report has of its own. A key is blank, as is a gap.
        places = [place_of.get(place, len(shown) - 1) for place in layout.places]
        own = range(len(shown), len(shown) + len(WORKBOOK_COLUMNS))
        self._pick = itemgetter(*places, *own)
        self._known = itemgetter(*SHOWN_COLUMNS)
        self._width = len(layout.titles)
        self._blanks = ("",) * self._width

    def texts_of(self, row: ShownRow) -> Sequence[str]:
        """The text of each cell of a row; "" where it has none."""
        try:
            known = self._known(row.cells)
        except KeyError:
            known = [row.cells.get(column, "") for column in SHOWN_COLUMNS]
        carried = (*row.carried, *self._blanks)[: self._width]
        texts: Sequence[str] = self._pick((*known, *carried, "", *row.own))
        return texts


def comment(sheet: Any, index: int, position: int, text: str) -> None:
    """Put a comment at a cell, in a box of the text's size."""
    lines = sum(1 + len(line) // 44 for line in text.splitlines())
    box = {"author": _AUTHOR, "width": 300, "height": 20 + 16 * min(lines, 20), "font_size": 9}
    sheet.write_comment(index, position, cut(text), box)


def _worded(problems: Iterable[Problem]) -> str:
    texts = (f"{problem.severity.value}: {problem.what}\n{problem.remedy}" for problem in problems)
    return "\n".join(dict.fromkeys(texts))


def _legend(*, has_keys: bool) -> Facts:
    keys = (
        _KEPT_NOTE
        if has_keys
        else f"{_KEY_NOTE} They are pale yellow, with the comment '{_FILL_IN}'; red is a key to"
        " correct. Paste them as plain text."
    )
    return (
        ("Colours", "Red: wrong, the comment says why. Yellow: look at it. Green: done or fine."),
        ("Keys", keys),
    )


def _titles(wanted: Iterable[str]) -> list[str]:
    """Names for tabs that Excel takes: other spreadsheets allow more in them, and longer ones."""
    taken = {ABOUT_TAB, _RESERVED}
    titles = []
    for name in wanted:
        plain = _NO_TITLE.sub("_", name).strip("'")[:_LONGEST_TITLE] or "_"
        number = 1
        title = plain
        while title.casefold() in taken:
            number += 1
            title = f"{plain[: _LONGEST_TITLE - 4]} {number}"
        taken.add(title.casefold())
        titles.append(title)
    return titles


def _tell(book: Any, facts: Facts) -> None:
    sheet = book.add_worksheet(ABOUT_TAB)
    label = book.add_format({"num_format": "@", "bold": True, "valign": "top"})
    text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 16, label)
    sheet.set_column(1, 1, 100, text)
    sheet.fit_to_pages(1, 0)
    for index, (name, told) in enumerate(facts):
        sheet.write_string(index, 0, cut(name), label)
        sheet.write_string(index, 1, cut(told), text)
