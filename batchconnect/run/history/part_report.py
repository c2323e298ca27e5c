"""
A part of a run's rows as a report of its own: those of one org, one account manager, one wave.

An agency hands each client theirs, and nobody else's.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import PurePath

from batchconnect.lane.lane import is_refusal
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import (
    FaultFound,
    LaneTold,
    Line,
    RunEnded,
    RunOpened,
    RunResumed,
    SweepDone,
)
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, swept_of
from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.errors import UsageError
from batchconnect.model.outcome import Rejected
from batchconnect.model.row_place import numbered, place_of
from batchconnect.model.value import Value, replace
from batchconnect.reports.summary import Summary, summarize
from batchconnect.run.exit_code import count_statuses, exit_code
from batchconnect.run.history.history import run_before
from batchconnect.sheet.header_words import MEANINGS, letters_of

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.@-]+")
_LONGEST_NAME = 60
_PLACES = ("sheet", "worksheet")
"""Where a row stands, which is no column of the sheet."""


class By(Value):
    """The column whose values part a run's rows."""

    column: str
    """As reports call it."""
    value_of: Callable[[RowState], str]
    """A row's value; "" where it has none."""
    is_org: bool = False
    is_carried: bool = False
    """Its cells were looked through for keys, those of rejected rows too."""

    @property
    def folder(self) -> str:
        """What the folder of all parts is called, in the run's."""
        return f"by-{_short(self.column.casefold()) or 'column'}"


def part_by(opened: RunOpened, word: str) -> By:
    """
    The column that a person named, as headers are compared.

    Raises:
        UsageError: The run's rows have no such column; those that they have are told.
    """
    plain = letters_of(word)
    column = MEANINGS.get(plain)
    titles = [letters_of(title) for title in opened.carried]
    if plain in titles and (column is None or column.value not in (opened.columns or {})):
        at = titles.index(plain)

        def carried(row: RowState) -> str:
            cells = row.planned.carried if row.planned is not None else ()
            return cells[at] if at < len(cells) else ""

        return By(column=opened.carried[at], value_of=carried, is_carried=True)
    if plain in _PLACES:
        at = _PLACES.index(plain)
        return By(
            column=plain, value_of=lambda row: opened.places.of(row.number)[at], is_carried=True
        )
    if column is None or column.info.is_secret:
        names = [*(column.value for column in SHOWN_COLUMNS), *opened.carried, *_PLACES]
        raise UsageError(
            f"--by {word}: the rows of run {opened.run_id} have no such column",
            hint=f"Their columns are {', '.join(f'`{name}`' for name in names)}.",
        )
    name = column.field

    def typed(row: RowState) -> str:
        return getattr(row.planned, name) if row.planned is not None else ""

    return By(column=column.value, value_of=typed, is_org=column is Column.ORG)


def folders_of(ledger: LedgerReader, state: RunState, by: By) -> dict[str, str]:
    """
    A name for the folder of each part of a run's rows, in the sheet's order.

    A rejected row's org is whatever was typed into its cell: as long as a cell may be, a path, a key in the
    wrong column. Such a text names no folder; it gets a number.

    Returns:
        By value as it stands in the rows; `""` where a row has none. No two names are alike, not even where
        letter case does not count.
    """
    known: dict[str, bool] = {}
    for row in state.rows(ledger.row_lines(state.number)):
        if row.planned is not None:
            value = by.value_of(row)
            is_judged = row.marker is not None or by.is_carried
            known[value] = known.get(value, False) or is_judged
    taken: set[str] = set()
    names: dict[str, str] = {}
    column = _short(by.column.casefold())
    for value, is_judged in known.items():
        unknown = f"unknown-{column}"
        wanted = (_short(value) or unknown) if is_judged and value else unknown
        if not value:
            wanted = f"without-{column}"
        name = next(name for name in _numbered(wanted) if name.casefold() not in taken)
        taken.add(name.casefold())
        names[value] = name
    return names


def _short(org: str) -> str:
    return _NOT_IN_A_NAME.sub("_", org)[:_LONGEST_NAME].strip("._")


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def summary_of_part(ledger: LedgerReader, state: RunState, by: By, value: str) -> Summary:
    """
    The report's content for the rows of one part alone.

    Lanes, incidents, the sweep and the exit code are the part's own; a lane that other parts used as well is
    told whole. It is handed over: ledger, operator, machine, note and folders are the agency's matter, and are
    left out, and so are the files and tabs that have no row of the part, and of several sheets the carried columns
    in which it has no cell: they are another sheet's.
    """

    def rows() -> Iterator[RowState]:
        for row in state.rows(ledger.row_lines(state.number)):
            if row.planned is not None and by.value_of(row) == value:
                yield row

    ended = state.ended
    part = _Part(rows(), state.opened)
    own = [
        line if by.is_org else part.swept(line)
        for line in ledger.run_lines(state.number)
        if part.has(line)
    ]
    code = exit_code(
        count_statuses(rows()),
        reason=ended.reason if ended is not None else "",
        every_lane_refused=bool(part.orgs)
        and part.orgs
        <= {stop.org for stop in state.stops if not stop.sandbox and is_refusal(stop.code)},
        swept=swept_of(own),
    )
    lines = [_handed_over(line, code, part) for line in own]
    return summarize(lines, lambda: map(part.row, rows()), before=run_before(ledger, state))


class _Part:
    """What is known of the rows of one part."""

    def __init__(self, rows: Iterable[RowState], opened: RunOpened) -> None:
        self.orgs: set[str] = set()
        """As they stand in its rows."""
        self._places: set[int] = set()
        """Of the sheets that have a row of it."""
        self._made: dict[str, set[str]] = {}
        """By org: markers of the rows that have a connection of ours."""
        filled: set[int] = set()
        for row in rows:
            if row.planned is None:
                continue
            self.orgs.add(row.planned.org)
            self._places.add(place_of(row.number))
            filled.update(at for at, cell in enumerate(row.planned.carried) if cell)
            if row.marker is not None and row.sends and row.made is not None:
                self._made.setdefault(row.planned.org, set()).add(row.marker)
        every = range(len(opened.carried))
        self._carried = [at for at in every if at in filled or not opened.places.are_several]
        """Of the carried columns those that are the part's own."""
        self._is_narrower = len(self._carried) < len(every)
        names = [name for at, name in enumerate(opened.sheets) if at not in self._places and name]
        names += [PurePath(name).name for name in names]
        longest_first = sorted(map(re.escape, names), key=len, reverse=True)
        self._foreign = re.compile("|".join(longest_first)) if names else None
        """The other sheets, by which a row names another one that it is the double of; None: there are none."""

    def row(self, row: RowState) -> RowState:
        """A row of the part, with its own carried columns, and without a word of another's sheet."""
        outcome, planned = row.outcome, row.planned
        if self._foreign is not None and isinstance(outcome, Rejected):
            foreign = self._foreign
            problems = tuple(
                replace(one, what=foreign.sub("another sheet", one.what))
                for one in outcome.problems
            )
            row = replace(row, outcome=replace(outcome, problems=problems))
        if not self._is_narrower or planned is None:
            return row
        cells = planned.carried
        own = tuple(cells[at] if at < len(cells) else "" for at in self._carried)
        return replace(row, planned=replace(planned, carried=own))

    def has(self, line: Line) -> bool:
        """Whether a line about the run is about the part as well."""
        match line.entry:
            case LaneTold(event=event):
                return event.org in self.orgs
            case FaultFound(event=event):
                return event.org in self.orgs
            case SweepDone(event=event):
                return event.org in self.orgs
            case _:
                return True

    def opened(self, opened: RunOpened) -> RunOpened:
        """
        How the run began, as far as it is the part's matter.

        A sheet keeps its place, for rows are numbered by it, and its path becomes the file's name, by which the
        commands of the report find it.
        """
        files: list[str] = []
        sheets: list[str] = []
        tabs: list[str] = []
        foreign: set[str] = set()
        paths = opened.sheet_paths or (opened.sheet_path,)
        for at in range(len(opened.sheets)):
            name, tab = opened.places.of(numbered(at, 0))
            if at not in self._places:
                foreign.add(tab.casefold())
                name, tab = "", ""
            path = paths[at] if name and at < len(paths) else None
            files.append(PurePath(path or name).name)
            name = PurePath(name).name
            sheets.append(f"{name}#{tab}" if tab else name)
            tabs.append(tab)
        foreign -= {tab.casefold() for tab in tabs}
        asked = opened.worksheets or ((opened.worksheet,) if opened.worksheet else ())
        own = tuple(tab for tab in asked if tab.casefold() not in foreign)
        return replace(
            opened,
            operator="",
            machine="",
            note="",
            sheets=tuple(sheets),
            tabs=tuple(tabs) if opened.tabs else (),
            sheet_path=None,
            sheet_paths=tuple(file or None for file in files),
            worksheet=own[0] if len(own) == 1 else None,
            worksheets=own if len(own) > 1 else (),
            org=opened.org if opened.org in self.orgs else None,
            carried=tuple(opened.carried[at] for at in self._carried),
        )

    def swept(self, line: Line) -> Line:
        """What the sweep of an org says of the part's rows alone."""
        if not isinstance(line.entry, SweepDone):
            return line
        event = line.entry.event
        made = self._made.get(event.org, set())
        missing = tuple(one for one in event.missing if one in made)
        own = replace(
            event,
            expected=len(made),
            found=len(made) - len(missing),
            duplicated=tuple(one for one in event.duplicated if one in made),
            missing=missing,
            wrong_id=tuple(one for one in event.wrong_id if one in made),
        )
        return line._replace(entry=SweepDone(event=own))


def _handed_over(line: Line, code: int, part: _Part) -> Line:
    match line.entry:
        case RunEnded() as ended:
            return line._replace(entry=replace(ended, exit_code=code))
        case RunOpened() as opened:
            return line._replace(entry=part.opened(opened))
        case RunResumed() as resumed:
            return line._replace(entry=replace(resumed, operator="", machine=""))
        case _:
            return line
