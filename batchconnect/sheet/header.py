"""
Finds out which column of a foreign sheet means which field, in the words that people really use.

Pure: rows of texts go in, a `Layout` comes out that turns further rows into `Row`s. A header is
compared by its letters and digits only, so case, spaces, `_`, `-`, brackets and invisible characters
do not matter.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.report_columns import FORMULA_QUOTES, WORKBOOK_SIGN
from batchconnect.model.row import Header, letters
from batchconnect.model.secret import is_entra_secret
from batchconnect.model.value import Value
from batchconnect.sheet.header_words import MEANINGS, REPORT_KEYS, letters_of, looks_secret
from batchconnect.sheet.layout import Layout, is_blank
from batchconnect.sheet.loose_words import LOOSE_MEANINGS, loose_meaning

LOOK_AT = 20
"""Rows at the top of a sheet among which the header is looked for."""
MOST_COLUMNS = 1 << 14
"""Cells of a row at most: as many as Excel has."""
REQUIRED = tuple(column for column in Column if column.info.is_required)

_REPORT_SIGNS = (frozenset({"row", "status"}), frozenset({"status", "error", "hint"}))

SURE: Final = 3
"""Columns of ours in one line: no accident any more."""
_ADDRESS: Final = re.compile(r"https?://\S+")
_ID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_MOST_COMPARED = 200
"""Unknown headers that are compared with our words: the comparison takes long, and a person reads one hint."""
_LONGEST_COMPARED = 60
"""Letters of such a header."""


class Reading(Value):
    """One row of texts, read as if it were the header."""

    known: Mapping[Column, tuple[int, ...]]
    """Positions of each column that it names; more than one is a clash."""
    reports: frozenset[int]
    """Positions of our report columns; empty where they are only a word or two by chance."""
    unknown: tuple[int, ...]
    """Positions with a name that we do not know."""

    @property
    def missing(self) -> tuple[Column, ...]:
        """The required columns that it does not name."""
        return tuple(column for column in REQUIRED if column not in self.known)


Renamed = Mapping[str, Column]
"""What a person said that headers mean (`--map`), by their letters."""
NOTHING_RENAMED: Renamed = {}


def read(cells: Sequence[object], renamed: Renamed = NOTHING_RENAMED) -> Reading:
    """
    Read a row of cells as a header; what is not a text counts as blank.

    Args:
        cells: Of the row.
        renamed: What wins over every word that we know.
    """
    plain = [letters_of(cell) if isinstance(cell, str) else "" for cell in cells]
    known: dict[Column, list[int]] = {}
    loose: dict[Column, list[int]] = {}
    for position, word in enumerate(plain):
        if (column := renamed.get(word) or MEANINGS.get(word)) is not None:
            known.setdefault(column, []).append(position)
        elif word and (column := loose_meaning(str(cells[position]))) is not None:
            loose.setdefault(column, []).append(position)
    known = loose | known
    meant = {position for positions in known.values() for position in positions}
    ours = {REPORT_KEYS[word] for word in plain if word in REPORT_KEYS}
    is_report = any(sign <= ours for sign in _REPORT_SIGNS)
    # All else of an export is the user's to keep: where a connection comes from, its id there.
    meant_ours = ours if is_report else ours & {FORMULA_QUOTES}
    reports = frozenset(i for i, word in enumerate(plain) if REPORT_KEYS.get(word) in meant_ours)
    unknown = tuple(
        i
        for i, cell in enumerate(cells)
        if isinstance(cell, str) and cell.strip() and i not in meant and i not in reports
    )
    return Reading(
        known={column: tuple(positions) for column, positions in known.items()},
        reports=reports,
        unknown=unknown,
    )


def find(
    rows: Sequence[tuple[int, Sequence[object]]],
    *,
    place: str,
    line: Callable[[int], str],
    renamed: Renamed = NOTHING_RENAMED,
) -> Layout:
    """
    Find the header among the first rows of a sheet.

    Args:
        rows: Row numbers and cells, in order; only the first `LOOK_AT` are looked at.
        place: The sheet, for messages.
        line: Tells the place of a row, for messages.
        renamed: As of `read`.
    Raises:
        SheetError: No row, or more than one, names every required column, two columns mean the same,
            or a row has more cells than any sheet of ours.
    """
    for number, cells in rows[:LOOK_AT]:
        if len(cells) > MOST_COLUMNS:
            raise SheetError(
                f"{line(number)}: {len(cells):,} cells; a sheet has at most {MOST_COLUMNS:,} columns",
                hint="Delete the columns that nobody needs. Is it the right file?",
            )
    head = [(number, cells, read(cells, renamed)) for number, cells in rows[:LOOK_AT]]
    found = [entry for entry in head if not entry[2].missing]
    if len(found) > 1:
        (first, _, _), (second, _, _), *_ = found
        raise SheetError(
            f"{place}: two rows look like the header, {line(first)} and {line(second)}",
            hint="Leave one of them; a second block of rows belongs into a sheet of its own.",
        )
    if not found:
        raise no_header(
            [(number, cells) for number, cells, _ in head], place=place, line=line, renamed=renamed
        )
    number, cells, reading = found[0]
    for above, row, _ in head:
        if above < number and _is_of_a_connection(row, reading):
            raise SheetError(
                f"{line(above)}: a row like those of connections stands above the header in row {number}",
                hint="Rows above the header are not read: was the sheet sorted? Move the header to the top.",
            )
    return _layout(number, cells, reading, line, renamed)


def _is_of_a_connection(cells: Sequence[object], reading: Reading) -> bool:
    """Whether a row above the header is no title: cells in our columns, and an address or an id in its own."""
    filled = {
        column: text
        for column, positions in reading.known.items()
        for position in positions
        if position < len(cells) and (text := str(cells[position] or "").strip())
    }
    address = _ADDRESS.fullmatch(filled.get(Column.ENDPOINT, ""))
    principal = _ID.fullmatch(filled.get(Column.SERVICE_PRINCIPAL_ID, ""))
    return len(filled) >= SURE and (address or principal) is not None


def no_header(
    rows: Sequence[tuple[int, Sequence[object]]],
    *,
    place: str,
    line: Callable[[int], str],
    renamed: Renamed = NOTHING_RENAMED,
) -> SheetError:
    """
    Say why no row is a header.

    NOTE: a sheet without a header has data, keys among it, in these rows. So no text of a row is
    shown unless the row names two known columns, and then only texts that resemble a header.
    """
    wanted = ", ".join(f"`{column}`" for column in REQUIRED)
    number, cells, reading = max(
        ((number, cells, read(cells, renamed)) for number, cells in rows),
        key=lambda entry: len(entry[2].known),
        default=(0, (), Reading(known={}, reports=frozenset(), unknown=())),
    )
    if is_blank([cell for _, row in rows for cell in row]):
        return SheetError(
            f"{place}: the sheet is empty",
            hint=f"`batchconnect template` writes one to fill in. Its columns: {wanted}.",
        )
    if len(reading.known) < 2:  # noqa: PLR2004 - one word may stand in any row by chance
        return SheetError(
            f"{place}: no header row among the first {len(rows)} rows",
            hint=f"The columns needed are {wanted}; `batchconnect template` writes an empty sheet.",
        )
    missing = ", ".join(f"`{column}`" for column in reading.missing)
    plural = "columns are" if len(reading.missing) > 1 else "column is"
    advice = [text for column in reading.missing if (text := _resembling(column, cells, reading))]
    if Column.SERVICE_PRINCIPAL_KEY in reading.missing and reading.reports:
        advice.append("Our reports never hold keys: add the column `servicePrincipalKey`.")
    return SheetError(
        f"{line(number)}: the {plural} missing: {missing}",
        hint=" ".join(advice) or "Add the missing header, or rename the column that means it.",
    )


def _resembling(column: Column, cells: Sequence[object], reading: Reading) -> str | None:
    """The unknown header that comes nearest to a missing column, as a sentence without its text."""
    words = [word for word, meaning in {**LOOSE_MEANINGS, **MEANINGS}.items() if meaning is column]
    best, best_at = 0.7, None
    for position in reading.unknown[:_MOST_COMPARED]:
        plain = letters_of(str(cells[position]))
        if len(plain) > _LONGEST_COMPARED:
            continue
        likeness = max(difflib.SequenceMatcher(None, plain, word).ratio() for word in words)
        if likeness > best:
            best, best_at = likeness, position
    if best_at is None and column is Column.SERVICE_PRINCIPAL_KEY:
        compared = reading.unknown[:_MOST_COMPARED]
        secretive = (i for i in compared if looks_secret(str(cells[i])))
        best_at = next(secretive, None)
    if best_at is None or is_entra_secret(str(cells[best_at])):
        return None
    return f"If column {letters(best_at)} means `{column}`, rename it so."


def _layout(
    number: int,
    cells: Sequence[object],
    reading: Reading,
    line: Callable[[int], str],
    renamed: Renamed,
) -> Layout:
    for column, positions in reading.known.items():
        if len(positions) > 1:
            first, second, *more = (
                f"{letters(i)}{number}{_shown(cells[i], renamed)}" for i in positions
            )
            rest = f" (and {len(more)} more)" if more else ""
            raise SheetError(
                f"{line(number)}: {first} and {second} both mean `{column}`{rest}",
                hint="Delete or rename one of them; we cannot know which one holds.",
            )
    warnings: list[str] = []
    carried: dict[int, str] = {}
    titles = _Titles()
    for position in reading.unknown:
        title = " ".join(str(cells[position]).split()).lstrip("\ufeff")
        if is_entra_secret(title):
            warnings.append(
                f"{line(number)}: the header of column {letters(position)} has the shape of a client "
                "secret; the column is not carried into the reports"
            )
        elif looks_secret(title):
            warnings.append(
                f"{line(number)}: column {letters(position)} has a header of {len(title)} characters "
                "that looks like a secret's; it is not carried into the reports"
            )
        else:
            carried[position] = titles.distinct(title)
    named = max((i for i, cell in enumerate(cells) if not is_blank([cell])), default=-1) + 1
    ours = {REPORT_KEYS[letters_of(str(cells[i]))] for i in reading.reports}
    header = Header(
        row_number=number,
        columns={column: reading.known[column][0] for column in Column if column in reading.known},
        carried=tuple(carried.values()),
        carried_at=tuple(carried),
    )
    return Layout(
        header=header,
        pick=itemgetter(*header.columns.values()),
        width=len(cells),
        named=named,
        nameless=tuple(i for i, cell in enumerate(cells) if is_blank([cell])),
        is_quoted=bool(ours) and not ours >= WORKBOOK_SIGN,
        warnings=tuple(warnings),
    )


def _shown(cell: object, renamed: Renamed) -> str:
    """The text of a header in brackets where it is a plain word; what else stands there may be a key."""
    text = str(cell)
    return f" (`{' '.join(text.split())}`)" if letters_of(text) in {*MEANINGS, *renamed} else ""


class _Titles:
    """The titles of carried columns: one that an earlier column bears gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def distinct(self, title: str) -> str:
        """The title itself, or with the next number that is free."""
        candidate, count = title, self._counts.get(title, 1)
        while candidate in self._taken:
            count += 1
            candidate = f"{title} ({count})"
        self._counts[title] = count
        self._taken.add(candidate)
        return candidate
