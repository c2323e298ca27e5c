"""
Rows that are none: a header that is repeated, totals, a footer; and rows that somebody meant to leave out.

Such a row would be told as five wrong cells, and none of the messages would help. So it is said what it is.
"""

import re
from collections.abc import Mapping, Sequence

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.row import Cell, Header, NotText, Row
from batchconnect.model.secret import Secret
from batchconnect.sheet.header_words import MEANINGS, letters_of
from batchconnect.sheet.loose_words import loose_meaning
from batchconnect.validation.damage import is_spreadsheet_error
from batchconnect.validation.finding import NOTHING, Problems, warning

_SURE = 3
"""Cells that name their own column: no accident any more."""
_FEW = 2
"""Filled cells of a footer, at most."""
_LONGEST = 80
"""Characters of a cell that may be a header."""
_TOTAL = re.compile(
    r"\s*(?:grand |sub)?(?:total|totals|sum|count|average)\b|\s*(?:summe|zwischensumme|gesamt|gesamtsumme"
    r"|insgesamt|anzahl|ergebnis|mittelwert)\b",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\s*(?:generated|exported|created|printed|page|source|confidential|copyright|as of|end of|note|notes"
    r"|erstellt|exportiert|gedruckt|seite|quelle|vertraulich|stand|hinweis|ende)\b|\s*[\u00a9*]",
    re.IGNORECASE,
)
_COMMENT = ("#", "//")
_DELETE = "Delete the row."


def what_it_is(row: Row, problems: Sequence[Problem]) -> Sequence[Problem]:
    """
    The findings of a refused row, in words that name the cause where it is no row at all.

    Args:
        row: Every cell as typed.
        problems: What its cells are refused for.
    """
    texts = {column: text for column, cell in row.cells.items() if (text := _text(cell)).strip()}
    if _repeats_header(texts):
        what = f"row {row.number} repeats the header"
        return (Problem(code="row_repeats_header", what=what, remedy=_DELETE),)
    what = _remark(texts, row.number)
    if not what:
        return problems
    remedy = "Delete the row, or fill in its cells if it is to become a connection."
    others = (one for one in problems if one.code not in _OF_A_BLANK_CELL)
    return (Problem(code="row_not_filled_in", what=what, remedy=remedy), *others)


_OF_A_BLANK_CELL = frozenset({"cell_blank", "org_missing", "sandbox_missing"})


def commented_out(row: Row, header: Header) -> Problems:
    """The warning for a row that begins with `#` or `//`: it is sent all the same."""
    for column in (Column.NAME, *_first(header.columns)):
        text = _text(row.cells.get(column, "")).lstrip()
        if text.startswith(_COMMENT) and not is_spreadsheet_error(text):
            what = (
                "the cell begins as a row that is commented out does; the row is sent all the same"
            )
            fix = "Delete the row if it is not meant to be sent, else the sign."
            return (warning(column, "row_commented_out", what, fix),)
    return NOTHING


def _first(columns: Mapping[Column, int]) -> list[Column]:
    return [column for column, position in columns.items() if position == 0]


def _text(cell: Cell) -> str:
    if isinstance(cell, NotText):
        return cell.kind
    return cell.reveal() if isinstance(cell, Secret) else cell


def _repeats_header(texts: Mapping[Column, str]) -> bool:
    own = sum(_names(text) is column for column, text in texts.items())
    return own >= _SURE and own >= len(texts) - 1


def _names(text: str) -> Column | None:
    if len(text) > _LONGEST:
        return None
    return MEANINGS.get(letters_of(text)) or loose_meaning(text)


def _remark(texts: Mapping[Column, str], number: int) -> str:
    """What a row is that has hardly a cell; "" where it may be a row that was begun."""
    if len(texts) > _FEW:
        return ""
    if any(map(_TOTAL.match, texts.values())):
        return f"row {number} holds totals, it seems, and no connection"
    if any(map(_REMARK.match, texts.values())):
        return f"row {number} is a footer or a remark, it seems, and no connection"
    if not texts:
        return f"row {number} has nothing in any column that is needed"
    if len(texts) == 1:
        (column,) = texts
        return (
            f"row {number} has nothing but `{column}`: a footer, a remark, or a row that was begun"
        )
    return ""
