"""
The user's own sheet with what is wrong in it, before anything is sent: coloured, commented, without keys.

A person corrects the coloured cells, fills in the keys again, and hands it in as the sheet. Cells are kept as
typed, but for what may be a secret: the key, a copy of it in another cell, and a refused credential cell,
since columns get swapped. Who asks for a copy that is as secret as the sheet itself gets every cell as typed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Rejected, Severity
from batchconnect.model.row import Cell, Header, Row
from batchconnect.model.row_place import own_number
from batchconnect.model.secret import SHORTEST_REDACTED, Secret, is_entra_secret, redact
from batchconnect.model.value import replace
from batchconnect.reports.result import placed
from batchconnect.reports.workbook.layout import LAST_ROW, ShownRow, Tone, layout_of
from batchconnect.reports.workbook.workbook import Facts, RowsTab, render
from batchconnect.run.intake.intake import Parse
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import SeveralSheets, parts_of, worksheet_of
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.damage import is_spreadsheet_error, looks_rounded
from batchconnect.validation.finding import Problems, located, warning
from batchconnect.validation.kusto_hosts import is_listed, is_portal

FINE, LOOK, REJECTED, LEFT_OUT = "fine", "warning", "rejected", "not selected"
"""What the status column says."""

_TONES: Final = {
    FINE: Tone.GOOD,
    LOOK: Tone.LOOK,
    REJECTED: Tone.BAD,
    LEFT_OUT: Tone.QUIET,
}
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?://)?(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)(?::\d+)?(?P<path>/[A-Za-z0-9._~/-]*)?"
)
_MOST_OF_A_GUID: Final = re.compile(
    r"[{(]?[0-9A-Fa-f]{6,8}-[0-9A-Fa-f]{3,4}-[0-9A-Fa-f-]{0,28}[)}]?"
)


def annotated(
    sheet: Sheet,
    parse: Parse,
    *,
    doubled: Mapping[int, Problems],
    is_selected: Callable[[Row], bool] = lambda _: True,
    on_beyond: Callable[[int], None] = lambda _: None,
    keys_in: Path | None = None,
) -> Iterator[bytes]:
    """
    Draw a sheet with its problems; of several tabs each on one of its own, at its own numbers.

    Args:
        sheet: Open; it is read once more, so that a million rows are never held.
        parse: Judges one row.
        doubled: Of the rows that are rejected for their likeness to others: why.
        is_selected: What `--only` chooses; other rows are shown without a judgement.
        on_beyond: Told the number of rows that Excel has no room for, where there are any.
        keys_in: Keep the keys, and write nothing of them but in this folder; None: leave them out.

    Yields:
        The bytes of an XLSX file.

    Raises:
        SheetError: The sheet cannot be read any more.
        OSError: The disk is full.
    """
    header = sheet.header

    def shown(rows: Iterable[Row], carried: Sequence[int]) -> Iterator[ShownRow]:
        for row in rows:
            judged = parse(row) if is_selected(row) else None
            doubles = doubled.get(row.number, ())
            keeps_key = keys_in is not None
            one = _shown(row, judged, doubles, header, keeps_key=keeps_key)
            yield replace(one, carried=tuple(one.carried[at] for at in carried))

    def tab(place: int, part: Sheet) -> RowsTab:
        own = part.header
        layout = layout_of(own.columns, own.carried, header_row=own.row_number)
        if not isinstance(sheet, SeveralSheets):
            return RowsTab(layout=layout, rows=shown(sheet.rows(), range(len(own.carried))))
        order = {title: at for at, title in enumerate(header.carried)}
        rows = shown(sheet.rows_of(place), [order[title] for title in own.carried])
        return RowsTab(layout=layout, rows=rows, title=worksheet_of(part))

    def about(beyond: int) -> Facts:
        keys = "fill in the keys again, " if keys_in is None else ""
        todo = f"Correct the red cells, {keys}save, and validate this file."
        facts = [("Sheet", sheet.name), ("What to do", todo)]
        if beyond:
            on_beyond(beyond)
            facts.insert(0, ("Not complete", beyond_words(beyond)))
        return facts

    tabs = [tab(place, part) for place, part in enumerate(parts_of(sheet))]
    yield from render(tabs, about=about, keys_in=keys_in)


def beyond_words(beyond: int) -> str:
    """What is said of rows that have no place in a workbook."""
    return f"{beyond:,} rows are not here: Excel ends at row {LAST_ROW:,}."


def _shown(
    row: Row,
    judged: BaseConnection | Rejected | None,
    doubled: Problems,
    header: Header,
    *,
    keeps_key: bool,
) -> ShownRow:
    problems: list[Problem] = []
    if judged is None:
        status = LEFT_OUT
    elif isinstance(judged, Rejected):
        status, problems = REJECTED, [*judged.problems]
    else:
        problems = [*judged.findings, *doubled]
        is_odd = any(problem.severity is Severity.WARNING for problem in problems)
        status = REJECTED if doubled else LOOK if is_odd else FINE
    cells, carried, hidden = _as_typed(row) if keeps_key else _without_secrets(row, problems)
    key = row.cells.get(Column.SERVICE_PRINCIPAL_KEY) if keeps_key else None
    told = [problem for problem in problems if problem.severity is not Severity.NOTE]
    return ShownRow(
        number=own_number(row.number),
        cells=cells,
        carried=carried,
        status=status,
        tone=_TONES[status],
        error="; ".join(dict.fromkeys(placed(problem) for problem in told)),
        hint=" ".join(dict.fromkeys(problem.remedy for problem in told)),
        problems=[*told, *located(hidden, header, row.number)],
        wants_key=not key,
        key=key if isinstance(key, Secret) else None,
    )


def _as_typed(row: Row) -> tuple[dict[Column, str], tuple[str, ...], list[Problem]]:
    """Every cell of a row but its key, and nothing to say of any."""
    texts: dict[Column, str] = {
        column: cell
        for column, cell in row.cells.items()
        if column is not Column.SERVICE_PRINCIPAL_KEY and isinstance(cell, str)
    }
    return texts, row.carried, []


def _without_secrets(
    row: Row, problems: Iterable[Problem]
) -> tuple[dict[Column, str], tuple[str, ...], list[Problem]]:
    """
    The cells that may be shown, the carried ones too, and what is said of those that may not.

    Cases, in order:
        1. The key: never; its cell is marked as one to be filled in.
        2. A cell that repeats the key: never.
        3. A refused cell of a credential column: only what cannot be a secret.
        4. Any other cell: as typed.
    """
    refused = {p.column for p in problems if p.severity is Severity.ERROR}
    typed = {
        column: cell
        for column, cell in row.cells.items()
        if column is not Column.SERVICE_PRINCIPAL_KEY and isinstance(cell, str)
    }
    key = row.cells.get(Column.SERVICE_PRINCIPAL_KEY)
    # One look at the whole row: hardly any repeats its key.
    is_repeated = _repeats("\0".join((*typed.values(), *row.carried)), key)
    hidden: list[Problem] = []
    cells: dict[Column, str] = {}
    for column, cell in typed.items():
        if is_entra_secret(cell) or (is_repeated and _repeats(cell, key)):
            hidden.append(_hidden(column, f"the cell of {len(cell)} characters holds a key"))
        elif column in refused and cell.strip() and not _is_harmless(cell.strip()):
            what = f"the {len(cell)} characters that stood here are not shown, lest they be a key"
            hidden.append(_hidden(column, what))
        else:
            cells[column] = cell
    carried = tuple("" if is_repeated and _repeats(text, key) else text for text in row.carried)
    return cells, carried, hidden


def _is_harmless(text: str) -> bool:
    """
    Whether a refused text surely is no secret: it is shown then, for it has to be corrected.

    Cases: less than any key that is looked for; a web address that is a host alone; any address of a cluster or a portal; most of a GUID; what a
    spreadsheet made of a formula or a number.
    """
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        host = address["host"].lower()
        if is_listed(host) or is_portal(host) or (address["scheme"] and not address["path"]):
            return True
    return (
        len(text) < SHORTEST_REDACTED
        or bool(_MOST_OF_A_GUID.fullmatch(text))
        or is_spreadsheet_error(text)
        or looks_rounded(text)
    )


def _hidden(column: Column, what: str) -> Problem:
    fix = "Take the value from your own sheet: the cell is at the same place."
    return warning(column, "cell_not_shown", what, fix)


def _repeats(text: str, key: Cell | None) -> bool:
    """Whether a text holds the row's own key, in whatever spelling."""
    return isinstance(key, Secret) and redact(text, [key]) != text
