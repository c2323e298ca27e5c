"""
An empty sheet to fill in, for people who start from nothing.

It holds the columns, a row of notes and an example row. Both rows are recognised by the beginning of
their name, and skipped by every reader, so that a person may leave them in.
"""

import csv
import io

from batchconnect.model.column import Column

NOT_SENT = "NOT SENT - "
"""How the name of each of the template's own rows begins."""

PRACTICE_KEY = "FAKE"
"""How every made-up key of the examples begins."""

_BEFORE = {Column.NAME: NOT_SENT}
NOTES = {column: _BEFORE.get(column, "") + column.info.note for column in Column}
EXAMPLE = {column: _BEFORE.get(column, "") + column.info.example for column in Column}


def is_template_row(name: object) -> bool:
    """Whether a row with this name cell is one of the template's own."""
    return isinstance(name, str) and name.startswith(NOT_SENT)


def render_csv() -> bytes:
    """The template as CSV: UTF-8 with a byte order mark, so that Excel shows umlauts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(list(Column))
    writer.writerow(NOTES.values())
    writer.writerow(EXAMPLE.values())
    return text.getvalue().encode("utf-8-sig")
