"""What a workbook looks like: colours that stay readable in print and for the colour-blind, and widths."""

from collections.abc import Mapping
from typing import Final

from batchconnect.model.column import Column
from batchconnect.reports.workbook.layout import Tone

INK: Final = {
    Tone.GOOD: {"bg_color": "#D9EAD3", "font_color": "#1E4620"},
    Tone.LOOK: {"bg_color": "#FFE8A3", "font_color": "#5C4300"},
    Tone.BAD: {"bg_color": "#F8CBC6", "font_color": "#7A1410"},
    Tone.QUIET: {"bg_color": "#E7E6E6", "font_color": "#3B3838"},
}
HEADING_INK: Final = {"bg_color": "#1F3864", "font_color": "#FFFFFF"}
OWN_HEADING_INK: Final = {"bg_color": "#44546A", "font_color": "#FFFFFF"}
KEY_INK: Final = {"bg_color": "#FFFBE0", "border": 4, "border_color": "#B08900"}
"""A key that has to be filled in again: pale, with a dashed border."""
WIDTHS: Final[Mapping[str, int]] = {
    **{column: column.info.width for column in Column},
    "status": 14,
    "works": 11,
    "connection_id": 38,
    "error": 70,
    "hint": 70,
}
"""Of the columns, in characters."""
