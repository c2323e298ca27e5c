"""
Rows that are none: a header that is repeated, totals, a footer; and rows that somebody meant to leave out.

Such a row would be told as five wrong cells, and none of the messages would help. So it is said what it is.
"""

import re
from collections.abc import Mapping, Sequence

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.row import Cell, Header, NotText, Row
from batchconnect.model.row_place import own_number
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
_SENT = "the row is sent all the same"
_COUNT = re.compile(r"\s*[\d.,]{1,10}\s*|number|formula")
"""What stands below a column that somebody counted or summed up; as a text, or a workbook's own."""
_BELOW_A_HEADER = "Delete the row; what stands below it is read by the sheet's first header."
_ANOTHER_TABLE = "Give each table a sheet of its own: what stands below this row is read by the sheet's first header."


def what_it_is(row: Row, problems: Sequence[Problem]) -> Sequence[Problem]:
    """
    The findings of a refused row, in words that name the cause where it is no row at all.

    Args:
        row: Every cell as typed.
        problems: What its cells are refused for.
    """
    texts = {column: text for column, cell in row.cells.items() if (text := _text(cell)).strip()}
    if _is_header(texts):
        return (_header(texts, own_number(row.number)),)
    what = _remark(texts, own_number(row.number))
    if not what:
        return problems
    remedy = "Delete the row, or fill in its cells if it is to become a connection."
    others = (one for one in problems if _matters(one, texts))
    return (Problem(code="row_not_filled_in", what=what, remedy=remedy), *others)


_OF_A_BLANK_CELL = frozenset({"cell_blank", "org_missing", "sandbox_missing"})


def commented_out(row: Row, header: Header) -> Problems:
    """The warning for a row that begins with `#` or `//`: it is sent all the same."""
    for column in (Column.NAME, *_first(header.columns)):
        text = _text(row.cells.get(column, "")).lstrip()
        if text.startswith(_COMMENT) and not is_spreadsheet_error(text):
            what = "the cell begins as a row that is commented out does"
            fix = "Delete the row if it is not meant to be sent, else the sign."
            return (warning(column, "row_commented_out", what, fix, then=_SENT),)
    return NOTHING


def _first(columns: Mapping[Column, int]) -> list[Column]:
    return [column for column, position in columns.items() if position == 0]


def _text(cell: Cell) -> str:
    if isinstance(cell, NotText):
        return cell.kind
    return cell.reveal() if isinstance(cell, Secret) else cell


def _is_header(texts: Mapping[Column, str]) -> bool:
    named = {_names(text) for text in texts.values()} - {None}
    return len(named) >= _SURE and len(named) >= len(texts) - 1


def _header(texts: Mapping[Column, str], number: int) -> Problem:
    """The first header once more, or that of a table whose columns stand elsewhere."""
    if all(_names(text) in {column, None} for column, text in texts.items()):
        what, remedy = f"row {number} repeats the header", _BELOW_A_HEADER
        return Problem(code="row_repeats_header", what=what, remedy=remedy)
    what = f"row {number} is the header of a second table, with its columns in another order"
    return Problem(code="row_repeats_header", what=what, remedy=_ANOTHER_TABLE)


def _names(text: str) -> Column | None:
    if len(text) > _LONGEST:
        return None
    return MEANINGS.get(letters_of(text)) or loose_meaning(text)


def _matters(problem: Problem, texts: Mapping[Column, str]) -> bool:
    """Whether it is worth saying of a row that is none; reports hide only the cells that are named."""
    column = problem.column
    is_count = any(_COUNT.fullmatch(text) for its, text in texts.items() if its == column)
    return problem.code not in _OF_A_BLANK_CELL and not is_count


def _remark(texts: Mapping[Column, str], number: int) -> str:
    """What a row is that has hardly a cell; "" where it may be a row that was begun."""
    words = [text for text in texts.values() if not _COUNT.fullmatch(text)]
    if len(words) <= _FEW and any(map(_TOTAL.match, words)):
        return f"row {number} holds totals, it seems, and no connection"
    if len(texts) > _FEW:
        return ""
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
