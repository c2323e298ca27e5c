"""
Which rows, orgs and sandboxes `--only` chooses.

A column is named as its header is, our own ones and carried ones alike; a value that no row has is a mistake
of whoever typed it, and is said with those that there are.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, Header, Row
from batchconnect.model.value import Value, field, replace
from batchconnect.options import MergedOptions, RunOptions
from batchconnect.sheet.header_words import MEANINGS, letters_of
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.misplaced_key import holds_key, key_of
from batchconnect.validation.org_registry import OrgRegistry

Chooser = Callable[[Org | None, str | None], bool]
"""Asked of an org and a sandbox; what is not known is chosen."""

_MOST_SEEN: Final = 1000
"""Different values of a column that are remembered, to be said where one was mistyped."""
_MOST_SHOWN: Final = 20
_LONGEST_SHOWN: Final = 60
_OPERATORS: Final = "!<>~^-"
"""Signs around a column by which other programs leave out or compare: `org!=acme` chooses the very rows of acme."""
_PLACES: Final = {Column.ORG, Column.SANDBOX}


class _Choice(Value):
    """What is chosen of one column."""

    typed: str
    """The column, as it was typed."""
    value_of: Callable[[Row], str | None]
    """A row's value, as it is compared; None: it cannot be told."""
    shown: Callable[[Row], str]
    """The same for a person."""
    wanted: dict[str, str] = field(default_factory=dict)
    """By value as it is compared: as it was typed."""

    def takes(self, row: Row) -> bool:
        """Whether a row is chosen; one that cannot be told is, so that its problem is seen."""
        value = self.value_of(row)
        return value is None or value in self.wanted


def selector(
    options: MergedOptions, orgs: OrgRegistry, header: Header | None = None
) -> Callable[[Row], bool]:
    """
    What `--only` chooses, asked of the bare row.

    Of several values of one column any will do; of several columns each has to fit.

    Args:
        options: `--only`, and what fills blank cells.
        orgs: The orgs that a row may name.
        header: Of the sheet; None: it has no columns but ours.

    Raises:
        UsageError: No org has a name that was given, or the sheet has no such column.
    """
    choices = _choices(options, orgs, header)
    if not choices:
        return lambda _: True
    return lambda row: all(choice.takes(row) for choice in choices)


def check_selection(options: MergedOptions, orgs: OrgRegistry, sheet: Sheet) -> None:
    """
    See that each value of `--only` is that of a row; the sheet is read once for it.

    Raises:
        UsageError: One is not; those that there are are told.
        SheetError: The sheet cannot be read to its end.
    """
    choices = _choices(options, orgs, sheet.header)
    if not choices:
        return
    unmet = [dict(choice.wanted) for choice in choices]
    seen: list[dict[str, str]] = [{} for _ in choices]
    for row in sheet.rows():
        key = key_of(row)
        for choice, left, values in zip(choices, unmet, seen, strict=True):
            value = choice.value_of(row)
            if value is None:
                continue
            left.pop(value, None)
            if value not in values and len(values) < _MOST_SEEN:
                shown = choice.shown(row)
                # Columns get swapped: what may be a key is no value that is said.
                values[value] = "" if holds_key(shown, key) else shown
    for choice, left, values in zip(choices, unmet, seen, strict=True):
        for typed in left.values():
            raise UsageError(
                f"--only {choice.typed}={typed}: no row has this value",
                hint=_there_are(typed, [one for one in values.values() if one]),
            )


def _there_are(typed: str, values: Sequence[str]) -> str:
    if not values:
        return "The column is blank in every row."
    near = get_close_matches(typed, values, n=1, cutoff=0.6)
    cut = [one if len(one) <= _LONGEST_SHOWN else f"{one[:_LONGEST_SHOWN]}…" for one in values]
    listed = ", ".join(f"`{one}`" for one in cut[:_MOST_SHOWN])
    more = f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
    return (f"Is `{near[0]}` meant? " if near else "") + f"Its values are {listed}{more}."


def _choices(options: MergedOptions, orgs: OrgRegistry, header: Header | None) -> Sequence[_Choice]:
    found: dict[str, _Choice] = {}
    for chosen in options.only:
        word, value = _parted(chosen, header.carried if header is not None else ())
        plain = letters_of(word)
        column = MEANINGS.get(plain)
        if plain not in found:
            found[plain] = _choice(word, column, options, orgs, header)
        compared = value
        if column is Column.ORG:
            compared = _org_named(value, chosen, orgs).key
        elif column is not Column.SANDBOX:
            compared = _compared(value)
        found[plain].wanted.setdefault(compared, value)
    return tuple(found.values())


def _parted(chosen: str, carried: Sequence[str]) -> tuple[str, str]:
    """
    The column and the value of a choice.

    Raises:
        UsageError: Something else than a choice is meant, unless a column is called so.
    """
    word, _, value = chosen.partition("=")
    bare = word.strip()
    if bare != bare.strip(_OPERATORS) and bare not in carried:
        raise UsageError(
            f"--only {word}=…: --only chooses rows by a value, it leaves none out and compares nothing",
            hint="Give each value that is wanted, as --only org=acme --only org=globex.",
        )
    return word, value


def _choice(
    word: str,
    column: Column | None,
    options: MergedOptions,
    orgs: OrgRegistry,
    header: Header | None,
) -> _Choice:
    def org_of(row: Row) -> Org | None:
        return _org_of(row.cells.get(Column.ORG, ""), options, orgs)

    def place_of(row: Row) -> str | None:
        if column is Column.ORG:
            org = org_of(row)
            return None if org is None else org.key
        return _sandbox_of(row.cells.get(Column.SANDBOX, ""), options, org_of(row)) or None

    if column in _PLACES:
        return _Choice(typed=word, value_of=place_of, shown=lambda row: place_of(row) or "")
    text_of = _text_of(word, column, header)
    return _Choice(typed=word, value_of=lambda row: _compared(text_of(row)), shown=text_of)


def _text_of(word: str, column: Column | None, header: Header | None) -> Callable[[Row], str]:
    carried = header.carried if header is not None else ()
    if column is Column.SERVICE_PRINCIPAL_KEY:
        raise UsageError(f"--only {word}=…: no row is chosen by its key", hint=_columns(header))
    at = next((i for i, title in enumerate(carried) if letters_of(title) == letters_of(word)), None)
    # A carried column that is headed like one of ours in other words is asked for by its own name.
    if at is not None and (column is None or (header and column not in header.columns)):
        return lambda row: row.carried[at]
    if column is None:
        raise UsageError(f"--only {word}=…: the sheet has no such column", hint=_columns(header))
    return lambda row: _text(row.cells.get(column, ""))


def _columns(header: Header | None) -> str:
    names = [column.value for column in Column if not column.info.is_secret]
    if header is not None:
        names = [name for name in names if Column(name) in {*header.columns, *_PLACES}]
        names += header.carried
    return f"Its columns are {', '.join(f'`{name}`' for name in names)}."


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else ""


def _compared(text: str) -> str:
    return " ".join(text.split()).casefold()


def chooser(options: MergedOptions, orgs: OrgRegistry) -> Chooser:
    """
    What `--only` chooses, asked of an org and a sandbox.

    Raises:
        UsageError: No org has a name that was given, or another column is named: there is no sheet.
    """
    keys: set[str] = set()
    sandboxes: set[str] = set()
    for chosen in options.only:
        word, name = _parted(chosen, ())
        column = MEANINGS.get(letters_of(word))
        if column is Column.SANDBOX:
            sandboxes.add(name)
        elif column is Column.ORG:
            keys.add(_org_named(name, chosen, orgs).key)
        else:
            raise UsageError(
                f"--only {chosen}: without a sheet there are no columns but org and sandbox",
                hint="--only org=NAME, --only sandbox=NAME",
            )

    def is_chosen(org: Org | None, sandbox: str | None) -> bool:
        return (not keys or org is None or org.key in keys) and (
            not sandboxes or not sandbox or sandbox in sandboxes
        )

    return is_chosen


def _org_named(name: str, chosen: str, orgs: OrgRegistry) -> Org:
    org = orgs.find(name)
    if org is None:
        raise UsageError(
            f"--only {chosen}: no org has this name",
            hint="`batchconnect orgs` shows the orgs of the settings.",
        )
    return org


def as_part(options: RunOptions, *, sandbox: str | None = None) -> RunOptions:
    """
    The options of a command without a sheet: there `--org` chooses, for there is no cell to fill.

    Args:
        options: As they were given.
        sandbox: The one that is chosen likewise.
    """
    org = () if options.org is None else (f"org={options.org}",)
    also = () if sandbox is None else (f"sandbox={sandbox}",)
    only = (*org, *(options.only or ()), *also)
    return replace(options, org=None, sandbox=None, only=only or None)


def _org_of(cell: Cell, options: MergedOptions, orgs: OrgRegistry) -> Org | None:
    if not isinstance(cell, str):
        return None
    name = cell if cell.strip() else options.org
    return orgs.only if name is None else orgs.find(name)


def _sandbox_of(cell: Cell, options: MergedOptions, org: Org | None) -> str | None:
    if not isinstance(cell, str):
        return None
    default = org.sandbox if org is not None else None
    return cell if cell.strip() else options.sandbox or default
