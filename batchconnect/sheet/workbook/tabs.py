"""Which tabs of a workbook are meant: those that a person names, or those whose headers are ours."""

import difflib
from collections.abc import Sequence

from batchconnect.model.errors import SheetError
from batchconnect.model.report_columns import ABOUT_TAB
from batchconnect.sheet.header import NOTHING_RENAMED, REQUIRED, SURE, Renamed, no_header, read
from batchconnect.sheet.source import FileSource
from batchconnect.sheet.workbook.form import EVERY_TAB
from batchconnect.sheet.workbook.hidden_rows import HiddenRows
from batchconnect.sheet.workbook.process import Tab, read_tabs
from batchconnect.sheet.workbook.workbook import WorkbookSheet, head_of, line_of, unread


def open_tabs(
    source: FileSource,
    *,
    path: str,
    worksheets: Sequence[str] = (),
    every: bool = False,
    hidden: HiddenRows = HiddenRows.READ,
    renamed: Renamed = NOTHING_RENAMED,
) -> list[WorkbookSheet]:
    """
    Read the tabs of a workbook that are meant.

    Args:
        source: The workbook's bytes.
        path: As given, for messages.
        worksheets: What `--worksheet` says, in the order given; none: the only tab whose headers match.
        every: `--all-worksheets`: all visible ones whose headers match.
        hidden: What becomes of rows that nobody sees.
        renamed: What `--map` says.

    Raises:
        SheetError: The workbook cannot be read, a tab is not there, or no tab, or more than one, has our columns.
    """
    # Whether a header is ours the child cannot tell where a person says what headers mean.
    asked = [EVERY_TAB] if renamed and not worksheets else worksheets
    tabs = read_tabs(source, path=path, worksheets=asked)
    source.check()
    warnings: list[str] = []
    if worksheets:
        chosen = [_named(tabs, path, name) for name in dict.fromkeys(worksheets)]
    else:
        chosen, warnings = _matching(tabs, path, every=every, renamed=renamed)
    return [
        WorkbookSheet(
            source,
            path=path,
            tab=tab,
            warnings=warnings if tab is chosen[0] else (),
            hidden=hidden,
            renamed=renamed,
        )
        for tab in chosen
    ]


def _named(tabs: Sequence[Tab], path: str, worksheet: str) -> Tab:
    exact = [tab for tab in tabs if tab.name == worksheet]
    alike = exact or [tab for tab in tabs if tab.name.casefold() == worksheet.casefold()]
    if len(alike) == 1:
        return alike[0]
    near = difflib.get_close_matches(worksheet, [tab.name for tab in tabs], n=1, cutoff=0.5)
    raise SheetError(
        f"{path}: there is no tab `{worksheet}`",
        hint=(f"Is `{near[0]}` meant? " if near else "") + f"Its tabs are {_names(tabs)}.",
    )


def _names(tabs: Sequence[Tab]) -> str:
    return ", ".join(f"`{tab.name}`" for tab in tabs)


def _matching(
    tabs: Sequence[Tab], path: str, *, every: bool, renamed: Renamed
) -> tuple[list[Tab], list[str]]:
    """The tabs whose headers match, and what to say about the others."""
    found = [
        tab for tab in tabs if any(not read(row, renamed).missing for _, row in head_of(tab, path))
    ]
    visible = [tab for tab in found if tab.is_visible]
    chosen = visible or found
    if len(chosen) > 1 and not every:
        both = ", ".join(f"`{tab.name}`" for tab in chosen)
        raise SheetError(
            f"{path}: {len(chosen)} tabs have our columns: {both}",
            hint=f'Choose one or more: --worksheet "{chosen[0].name}"; or all: --all-worksheets.',
        )
    if not chosen:
        raise _no_tab(tabs, path, renamed)
    warnings = [
        f"{path}: the hidden tab `{tab.name}` has our columns too; it is not read"
        for tab in found
        if tab not in chosen
    ]
    if not chosen[0].is_visible:
        warnings.append(f"{path}: the tab `{chosen[0].name}`, which is read, is hidden")
    # Lists to choose from are hidden, as the template's own; `about` is our workbooks' own.
    others = [
        tab
        for tab in tabs
        if tab not in found and tab.rows and tab.is_visible and tab.name != ABOUT_TAB
    ]
    # A misspelt header would leave out a whole tab without a word.
    near = [tab for tab in others if _most_known(tab, path, renamed) >= SURE]
    warnings += [
        f"{path}: the tab `{tab.name}` has some of our columns, and is not read: a header is missing or misspelt"
        for tab in near
    ]
    far = [f"`{tab.name}`" for tab in others if tab not in near]
    if every and far:
        lack, are = ("have", "are") if len(far) > 1 else ("has", "is")
        warnings.append(f"{path}: {', '.join(far)} {lack} not our columns, and {are} not read")
    return chosen, warnings


def _most_known(tab: Tab, path: str, renamed: Renamed) -> int:
    """How many of our columns one of its first rows names."""
    return max((len(read(row, renamed).known) for _, row in head_of(tab, path)), default=0)


def _no_tab(tabs: Sequence[Tab], path: str, renamed: Renamed) -> SheetError:
    """Why no tab is ours: what the one that comes nearest lacks."""
    known = {tab.name: _most_known(tab, path, renamed) for tab in tabs}
    best = max(tabs, key=lambda tab: known[tab.name], default=None)
    if best is not None and (known[best.name] > 1 or len(tabs) == 1):
        place = f"{path}#{best.name}"
        return unread(best, place) or no_header(
            head_of(best, place), place=place, line=line_of(place), renamed=renamed
        )
    wanted = ", ".join(f"`{column}`" for column in REQUIRED)
    return SheetError(
        f"{path}: no tab has our columns; its tabs are {_names(tabs) or 'none'}",
        hint=f"The columns needed are {wanted}; `batchconnect template` writes an empty sheet.",
    )
