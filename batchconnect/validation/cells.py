"""
Reads the cells of one row and gathers what is wrong with them.

What is refused here is refused in every column: a blank cell that must not be blank, a cell that a
workbook does not hold as text, a spreadsheet's error, half a character.
"""

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.reference import Reference
from batchconnect.model.row import NotText, Row
from batchconnect.model.secret import Secret
from batchconnect.validation.damage import (
    has_surrogate,
    is_formula_text,
    is_marked_as_text,
    is_spreadsheet_error,
)
from batchconnect.validation.entra import judge_key
from batchconnect.validation.finding import AS_TYPED, NOTHING, Problems, error, has_error, warning
from batchconnect.validation.misplaced_key import is_misplaced, key_of, misplaced
from batchconnect.validation.reference import References
from batchconnect.validation.rules import RULES

_RETYPE = "Format the column as text, then type the value again."
_NO_FORMULA = "Replace the formula by its value, in a column formatted as text."
_KINDS = {
    "number": ("a number", "leading zeros and digits behind the 15th are lost", _RETYPE),
    "date": ("a date", "what was typed can no longer be known", _RETYPE),
    "boolean": ("a boolean value", "what was typed can no longer be known", _RETYPE),
    "error": ("a spreadsheet's error", "its value cannot be known", _NO_FORMULA),
    "formula": ("a formula without a stored text", "its value cannot be known", _NO_FORMULA),
    "merged": (
        "the covered part of a merged cell",
        "whether the value beside it is meant here cannot be known",
        "Unmerge the cells, then type the value into each of them.",
    ),
    "text with a tab": (
        "a text with a tab",
        "an ODS file does not give it back as it was typed",
        "Remove the tab, or save the sheet as XLSX or `CSV UTF-8`.",
    ),
    "text with a line break": (
        "a text with a line break of LibreOffice's",
        "where it was meant to stand cannot be known",
        "Type the value again in one line, or save the sheet as XLSX or `CSV UTF-8`.",
    ),
    "text with marks": (
        "a text with something inside that is no text (ruby, a field, a footnote)",
        "which letters were meant cannot be known",
        "Type the value again as plain text.",
    ),
    "misread": (
        "a text with an invisible mark at its beginning (U+FEFF), or with half of a character",
        "which letters were meant cannot be known",
        "Type the value again, or save the sheet as XLSX or `CSV UTF-8`.",
    ),
    "letters by number": (
        "a text with letters that are written by their numbers (as `_x20AC_`)",
        "programs do not show it alike",
        "Type the value again in a spreadsheet program, or save the sheet as `CSV UTF-8`.",
    ),
    "unclear": (
        "something that two readers of the file do not see alike",
        "what was typed cannot be known",
        "Type the value again, in a spreadsheet program, and save the sheet anew.",
    ),
    "secret": (
        "a secret",
        "only `servicePrincipalKey` takes one",
        "Give it as `servicePrincipalKey`; give this column a plain text.",
    ),
}
"""What the cell holds, what that means, and how to mend it."""
_TEXT_MARKS = frozenset("=' ")
"""What a cell begins with that a spreadsheet was to take as a text."""
_AS_TYPED = frozenset({Column.NAME, Column.DESCRIPTION})
"""Columns whose texts are sent with all that stands around them; of a key `damage` says what its mark is."""
_UNKNOWN_KIND = ("something", "what was typed can no longer be known", _RETYPE)
_NO_SECRET = Secret("")


class Cells:
    """
    The cells of a row under judgement.

    Args:
        row: Every cell as typed.
        found: Grows by what is wrong, in the order in which the columns are read.
    """

    __slots__ = ("_cells", "_found", "_key")

    def __init__(self, row: Row, found: list[Problem]) -> None:
        self._cells = row.cells
        self._found = found
        self._key = key_of(row)

    def text(self, column: Column) -> str | None:
        """The cell as typed, None where it is refused whatever column it stands in."""
        cell = self._cells.get(column, "")
        if isinstance(cell, NotText):
            self._found.append(_not_text(column, cell))
            return None
        text = cell if isinstance(cell, str) else cell.reveal()
        if is_misplaced(column, text, self._key):
            self._found.append(misplaced(column, text, self._key))
            return None
        if "#" in text and is_spreadsheet_error(text):
            what = "the cell holds a spreadsheet's error (as `#REF!` or `#####`)"
            fix = "Repair the formula, or type the value itself into a column formatted as text."
            self._found.append(error(column, "cell_spreadsheet_error", what, fix))
            return None
        if has_surrogate(text):
            what = f"the cell of {len(text)} characters holds half of a character (a surrogate)"
            self._found.append(error(column, "cell_surrogate", what, "Type the value again."))
            return None
        if text[:1] in _TEXT_MARKS:
            self._found += _marked(column, text)
        return text

    def required(self, column: Column) -> str:
        """The cell as typed; "" where it is blank or refused, which is found then."""
        text = self.text(column)
        if text is None:
            return ""
        if text and not text.isspace():
            return text
        what = "the cell is blank" if column in self._cells else "the sheet has no such column"
        self._found.append(error(column, "cell_blank", what, f"Fill in `{column.value}`."))
        return ""

    def judged(self, column: Column) -> str:
        """What the column's rule makes of its cell; "" where that is blank, or may not be sent."""
        text = self.required(column) if column.info.is_required else self.text(column)
        check = RULES[column].check
        if not text or check is None:
            return text or ""
        value, problems = check(text)
        self._found += problems
        return value or ""

    def key(self, references: References) -> Secret | Reference:
        """The client secret, or where it stands; an empty secret where it is refused."""
        column = Column.SERVICE_PRINCIPAL_KEY
        text = self.required(column) if references.are_needed else self.text(column)
        if not text:
            return _NO_SECRET
        key = references.form(text) if ":" in text else Secret(text)
        if isinstance(key, Reference):
            return key
        if isinstance(key, Problem):
            self._found.append(key)
            return _NO_SECRET
        judged = judge_key(key)
        if has_error(judged):
            # What its mark is, as `="…"`, is the error then, in better words.
            self._found[:] = [one for one in self._found if one.column != column]
        self._found += judged
        return key


def _marked(column: Column, text: str) -> Problems:
    """The warning for a mark that keeps a spreadsheet from changing a cell, and is no part of its value."""
    fix = "Type the value alone, in a column formatted as text."
    if is_formula_text(text):
        what = 'the cell is a formula that was kept as a text, as `="00123"`'
        return (warning(column, "cell_formula_text", what, fix, then=AS_TYPED),)
    if column in _AS_TYPED and is_marked_as_text(text):
        what = "the cell begins with an apostrophe, a spreadsheet's mark of a text"
        return (warning(column, "cell_apostrophe", what, fix, then=AS_TYPED),)
    return NOTHING


def _not_text(column: Column, cell: NotText) -> Problem:
    kind, meaning, fix = _KINDS.get(cell.kind, _UNKNOWN_KIND)
    what = f"the cell holds {kind}, not plain text: {meaning}"
    return error(column, "cell_not_text", what, fix)
