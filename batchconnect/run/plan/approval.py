"""
Whether a run would do what its plan says, row by row; where it would not, nothing is sent.

Rows are told by their keys, and compared by the cells that may be shown and by what would become of them. Where they
stand in the file, and what else is in it, changes nobody's fate.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from batchconnect.ledger.row_state import RowState
from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.run.plan.row_plan import Action
from batchconnect.run.plan.saved_plan import REJECTED, SavedPlan, SavedRow
from batchconnect.validation.org_registry import OrgRegistry

StatesOf = Callable[[Sequence[str]], Mapping[str, RowState]]
"""What the ledger knows of many keys at once; one of which nothing is known is left out."""

_SENT: Final = frozenset({Action.CREATE, Action.SETTLE_FIRST})
"""What was to be created, or may have been."""
_LONGEST_SHOWN: Final = 60
"""Characters of a cell that a change shows."""


def settings_changes(planned: SavedPlan, orgs: OrgRegistry) -> tuple[str, ...]:
    """The orgs of a plan that are others by the settings of today, a sentence for each."""
    return tuple(_settings(planned, orgs))


def row_changes(planned: SavedPlan, now: SavedPlan, states_of: StatesOf) -> tuple[str, ...]:
    """
    What a run would do otherwise than was planned, a sentence for each row.

    Args:
        planned: The plan that was approved.
        now: The plan of today, made of the same sheet, or of a copy.
        states_of: What the ledger knows: what was done of the plan already is as planned.
    """
    return tuple(_rows(planned, now, states_of))


def _settings(planned: SavedPlan, orgs: OrgRegistry) -> Iterator[str]:
    for key, org_id in planned.orgs.items():
        today = orgs.find(key)
        if today is None:
            yield f"settings: there is no org `{key}`, planned {org_id}"
        elif today.org_id != org_id:
            yield f"settings: org `{key}` is {today.org_id}, planned {org_id}"


def _rows(planned: SavedPlan, now: SavedPlan, states_of: StatesOf) -> Iterator[str]:
    pairs, gone, new = _paired(planned.rows, now.rows)
    moved = [
        row.key
        for was, row in pairs
        if row.key is not None and was.action in _SENT and row.action != was.action
    ]
    states = states_of(moved) if moved else {}
    order = {id(row): at for at, row in enumerate(now.rows)}
    for was, row in sorted(pairs, key=lambda pair: order[id(pair[1])]):
        differing = [column for column in Column if was.cells.get(column) != row.cells.get(column)]
        if differing:
            yield f"{row.told}: {'; '.join(_cell(column, was, row) for column in differing)}"
        elif None not in {was.key, row.key} and was.key != row.key:
            yield f"{row.told}: it would stand in {_place(row)}, planned {_place(was)}"
        elif not _is_as_planned(was, row, states.get(row.key or "")):
            yield f"{row.told}: planned {_action(was)}, now {_action(row)}"
    for row in new:
        yield f"{row.told}: it is not in the plan (now {_action(row)})"
    for was in gone:
        yield f"{was.told} of the plan: it is no longer in the sheet"


_Pairs = list[tuple[SavedRow, SavedRow]]


def _paired(
    planned: Iterable[SavedRow], now: Iterable[SavedRow]
) -> tuple[_Pairs, list[SavedRow], list[SavedRow]]:
    """
    Rows of the plan with the rows of today that they are; and those of either that are left.

    By key first, then by their cells, by name, by target, and where nothing else tells by their number.
    """
    left, rest, pairs = list(planned), list(now), _Pairs()
    for told_by in (_by_key, _by_cells, _by_name, _by_target, _by_number):
        by_what: dict[object, list[SavedRow]] = {}
        for row in rest:
            if (what := told_by(row)) is not None:
                by_what.setdefault(what, []).append(row)
        still: list[SavedRow] = []
        for was in left:
            same = by_what.get(told_by(was))
            if same:
                pairs.append((was, same.pop(0)))
            else:
                still.append(was)
        met = {id(row) for _, row in pairs}
        left, rest = still, [row for row in rest if id(row) not in met]
        if not (left and rest):
            break
    return pairs, left, rest


def _by_key(row: SavedRow) -> object:
    return row.key


def _by_cells(row: SavedRow) -> object:
    return tuple(sorted(row.cells.items()))


def _by_name(row: SavedRow) -> object:
    return canonical_name(row.name) or None


def _by_target(row: SavedRow) -> object:
    parts = tuple(row.cells.get(column, "") for column in TARGET_COLUMNS)
    return parts if all(parts) else None


def _by_number(row: SavedRow) -> object:
    return row.of, row.row


def _is_as_planned(was: SavedRow, now: SavedRow, state: RowState | None) -> bool:
    """
    Whether a row's fate is the planned one.

    Cases, in order:
        1. Nothing is sent, then and now, or the same is. (A key goes to one connection.)
        2. The plan was carried out for it: by this ledger it was made, or it is in doubt, since.
        3. A doubt was settled since: it may be created, as it was to be if it were absent.
    """
    then, today = was.action, now.action
    if REJECTED in {then, today}:
        return then == today
    signs = Action(then).sign, Action(today).sign
    if signs[0] == signs[1]:
        return then != Action.SEND_KEY or was.connection_id == now.connection_id
    if then not in _SENT:
        return False
    if today == Action.EXISTING:
        made = state.made if state is not None else None
        return made is not None and made.lower() == (now.connection_id or "").lower()
    return today in _SENT and (then == Action.SETTLE_FIRST or state is not None)


def _place(row: SavedRow) -> str:
    return f"org `{row.org}`, sandbox `{row.sandbox}`"


def _action(row: SavedRow) -> str:
    sign = "" if row.action == REJECTED else f"{Action(row.action).sign} "
    why = row.code or row.connection_id
    return f"`{sign}{row.action}`" + (f" ({why})" if why else "")


def _cell(column: Column, was: SavedRow, now: SavedRow) -> str:
    return f"`{column}` is {_shown(now, column)}, planned {_shown(was, column)}"


def _shown(row: SavedRow, column: Column) -> str:
    text = row.cells.get(column, "")
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f"`{cut}`" if text else "blank"
