"""
The template as an Excel workbook that damages nothing: every column is text from the first row to the last.

Headers tell what belongs below them, required ones are marked, and orgs and sandboxes can be picked from
those of the settings. The notes and the example are those of the CSV, and are skipped like them.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

from batchconnect.model.column import Column
from batchconnect.sheet.template import EXAMPLE, NOTES

_LAST_ROW: Final = (1 << 20) - 1
_FIRST_ROW: Final = 3
"""0-based; above it stand header, notes and example."""
_LISTS: Final = "lists"


def render_xlsx(*, orgs: Sequence[str] = (), sandboxes: Sequence[str] = ()) -> bytes:
    """
    The template as XLSX.

    Args:
        orgs: Keys of the settings' orgs, offered in the `org` column; any other text stays possible.
        sandboxes: Likewise for `sandbox`.
    """
    # A template of CSV does not wait 50 ms for it.
    import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415 - it has hints, but no py.typed

    content = io.BytesIO()
    with xlsxwriter.Workbook(
        content,
        {
            "in_memory": True,
            "strings_to_urls": False,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
        },
    ) as book:
        _draw(book, book.add_worksheet("connections"))
        offers = [(Column.ORG, orgs), (Column.SANDBOX, sandboxes)]
        _offer(book, [(column, names) for column, names in offers if names])
    return content.getvalue()


def _draw(book: Any, sheet: Any) -> None:
    text = {"num_format": "@", "valign": "top"}
    faint = {**text, "italic": True, "font_color": "#595959", "bg_color": "#F2F2F2"}
    note, example = book.add_format({**faint, "text_wrap": True}), book.add_format(faint)
    draw_head(book, sheet)
    for position, column in enumerate(Column):
        told = NOTES[column]
        if column.info.is_required and column is not Column.NAME:
            told = f"required: {told}"
        sheet.write_string(1, position, told, note)
        sheet.write_string(2, position, EXAMPLE[column], example)
    sheet.set_row(1, 32)


def draw_head(book: Any, sheet: Any) -> Any:
    """
    Draw the header of a sheet to fill in, with what belongs below it, on columns of text.

    Returns:
        The format of a cell.
    """
    text = {"num_format": "@", "valign": "top"}
    plain = book.add_format(text)
    head = {**text, "bold": True, "border": 1}
    required = book.add_format({**head, "bg_color": "#1F3864", "font_color": "#FFFFFF"})
    optional = book.add_format({**head, "bg_color": "#D9E2F3", "font_color": "#1F3864"})
    for position, column in enumerate(Column):
        info, is_optional = column.info, not column.info.is_required
        sheet.set_column(position, position, info.template_width, plain)
        sheet.write_string(0, position, column.value, optional if is_optional else required)
        word = "Optional" if is_optional else "Required"
        box = {"author": "batchconnect", "width": 280, "height": 120, "font_size": 9}
        sheet.write_comment(0, position, f"{word}. {info.comment}", box)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    return plain


def _offer(book: Any, offers: Sequence[tuple[Column, Sequence[str]]]) -> None:
    """Lists to pick from, on a tab of their own, since Excel allows a list in place 255 characters."""
    if not offers:
        return
    rows = book.get_worksheet_by_name("connections")
    lists = book.add_worksheet(_LISTS)
    lists.hide()
    columns = list(Column)
    for place, (column, names) in enumerate(offers):
        for row, name in enumerate(names):
            lists.write_string(row, place, name)
        letter = "AB"[place]
        position = columns.index(column)
        rows.data_validation(
            _FIRST_ROW,
            position,
            _LAST_ROW,
            position,
            {
                "validate": "list",
                "source": f"={_LISTS}!${letter}$1:${letter}${len(names)}",
                "error_type": "warning",
                "error_title": f"Not in the settings: {column}",
                "error_message": "Another name may be right too. `batchconnect validate` tells.",
            },
        )
