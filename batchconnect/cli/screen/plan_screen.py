"""A plan for a person: a table of the sandboxes, below each its rows with a sign, and one line that sums up."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from batchconnect.cli.screen.console import UNWRAPPED, counted
from batchconnect.cli.screen.finding_lines import finding_lines
from batchconnect.cli.screen.refusals import refusal_lines
from batchconnect.model.escape import escape_control
from batchconnect.model.key_end import told as told_ending
from batchconnect.model.row_place import Places
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.run.plan.row_plan import SIGNS, Action, RowPlan
from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan

FOLDED_AT: Final = 10
"""Rows of one sandbox and one sign that are listed, unless all are asked for."""

_Column = tuple[str, Callable[[SandboxPlan], int]]
_OF_RUN: Final[Sequence[_Column]] = (
    ("create", lambda one: one.create),
    ("existing", lambda one: one.counts[Action.EXISTING]),
    ("conflict", lambda one: one.counts[Action.CONFLICT]),
    ("doubts", lambda one: one.settle_first),
)
_OF_ROTATE: Final[Sequence[_Column]] = (
    ("keys", lambda one: one.send_key),
    ("unchanged", lambda one: one.counts[Action.UNCHANGED]),
    ("conflict", lambda one: one.counts[Action.CONFLICT]),
    ("missing", lambda one: one.counts[Action.NOT_ATTEMPTED]),
)
_MEANINGS: Final = {
    "+": "create",
    "~": "send the key",
    "?": "settle first",
    "=": "stands there, nothing is sent",
    "!": "in the way",
}
_SUMS: Final = {
    Action.EXISTING: "existing",
    Action.UNCHANGED: "unchanged",
    Action.SETTLE_FIRST: "to settle first",
    Action.CONFLICT: "in conflict",
    Action.NOT_ATTEMPTED: "not possible now",
}
"""How the last line tells of what is not sent; what is, it tells first."""


def plan_lines(
    found: SheetPlan,
    *,
    creates: bool,
    most_rows: int | None,
    shows_all: bool,
    width: int = UNWRAPPED,
) -> Iterator[str]:
    """
    The plan, line by line, each harmless for a terminal.

    Args:
        found: The plan.
        creates: Whether the command that is planned creates connections; else it sends keys.
        most_rows: What `--max-rows` says.
        shows_all: Whether no list is folded.
        width: Columns of the terminal.
    """
    lines = _lines(found, creates=creates, shows_all=shows_all, width=width)
    yield from map(escape_control, lines)
    yield sum_line(found, creates=creates, most_rows=most_rows)
    if not found.rows:
        yield "no rows yet: there is nothing to do below the header"


def plan_errors(found: SheetPlan, *, width: int) -> list[str]:
    """
    Of the plan what stands in the way: sandboxes that cannot be read, rows that are rejected or in conflict, keys
    that are not to be had.
    """
    shut = [one for one in found.sandboxes if one.refusal is not None]
    lines = [
        *(f"error: {one.org} {one.sandbox} could not be read: {one.refusal}" for one in shut),
        *(
            f"error: {found.places.told(row.row)}: {row.name}: {row.told_why}"
            for one in found.sandboxes
            for row in one.in_the_way
        ),
        *_in_the_way(found, width=width),
        *_keys(found),
        *finding_lines(_rejections(found), width=width),
    ]
    return [escape_control(line) for line in lines]


def _in_the_way(found: SheetPlan, *, width: int) -> Iterator[str]:
    """What to do about sandboxes that could not be read, and about rows that would stay without a connection."""
    yield from refusal_lines((one.refusal_code for one in found.sandboxes), width=width)
    codes = (row.code for one in found.sandboxes for row in one.in_the_way)
    yield from refusal_lines(codes, what="row", whats="rows", width=width)


def _rejections(found: SheetPlan) -> FindingKinds:
    kinds = FindingKinds()
    for row, problems in sorted(found.rejected.items()):
        for problem in problems:
            kinds.add(row, problem)
    return kinds


def _lines(found: SheetPlan, *, creates: bool, shows_all: bool, width: int) -> Iterator[str]:
    columns = _OF_RUN if creates else _OF_ROTATE
    # A settings key may be an org id of 33 characters: the columns are as wide as they must be.
    orgs = max([len("org"), *(len(escape_control(one.org)) for one in found.sandboxes)])
    sandboxes = max(
        [len("sandbox"), *(len(escape_control(one.sandbox)) for one in found.sandboxes)]
    )
    heads = " ".join(head for head, _of in columns)
    yield f"{'org':<{orgs}} {'sandbox':<{sandboxes}} {heads}   time"
    for one in found.sandboxes:
        name = f"{escape_control(one.org):<{orgs}} {escape_control(one.sandbox):<{sandboxes}}"
        yield from _sandbox(one, name, columns, places=found.places, shows_all=shows_all)
    yield from _in_the_way(found, width=width)
    yield from _keys(found)
    if ending := sum(one.keys.ending() for one in found.sandboxes):
        yield f"warning: {told_ending(ending)}: `batchconnect expiring SHEET` lists them"
    yield from finding_lines(_rejections(found), width=width)
    odd = FindingKinds()
    for problem in found.about_rows:
        odd.add(0, problem)
    yield from finding_lines(odd, width=width)
    yield from finding_lines(found.warnings, width=width)
    if found.not_selected:
        yield f"{counted(found.not_selected, 'row')} left out by --only"
    signs = {action.sign for one in found.sandboxes for action in one.counts}
    if signs:
        yield "   ".join(f"{sign} {what}" for sign, what in _MEANINGS.items() if sign in signs)


def _sandbox(
    one: SandboxPlan,
    name: str,
    columns: Sequence[_Column],
    *,
    places: Places,
    shows_all: bool,
) -> Iterator[str]:
    if one.refusal is not None:
        yield f"{name} could not be read"
        yield f"    {one.refusal}"
        return
    numbers = " ".join(f"{of(one):>{len(head)}}" for head, of in columns)
    yield f"{name} {numbers} {_time(one.at_most_s):>6}"
    for action in SIGNS:
        listed = [row for row in one.planned if row.action is action]
        shown = listed if shows_all else [*_folded(listed, of=one.counts[action])]
        for row in shown:
            yield f"    {action.sign} {places.told(row.row)}: {row.name}"
            if row.told_why:
                yield f"        {row.told_why}"
            for warning in row.warnings:
                yield f"        warning: {warning}"
        left = one.counts[action] - len(shown)
        if left:
            yield f"    {action.sign} and {counted(left, 'more row')}; -v lists all"


def _keys(found: SheetPlan) -> Iterator[str]:
    """What the stores do not give; a store that gives nothing at all is told once."""
    for one in found.sandboxes:
        for row, why in one.keys.refused:
            yield f"key refused: {found.places.told(row)}: {why}"
    for why, rows in found.shut_stores.values():
        yield f"error: {why} {counted(rows, 'row')} would not be attempted."


def _folded(rows: Sequence[RowPlan], *, of: int) -> Iterator[RowPlan]:
    """The first rows, and all with a warning; for one row more than that no list is folded."""
    is_long = of > FOLDED_AT + 1
    for at, row in enumerate(rows):
        if not is_long or at < FOLDED_AT or row.warnings:
            yield row


def sum_line(found: SheetPlan, *, creates: bool, most_rows: int | None) -> str:
    """All rows in one line."""
    counts: Counter[Action] = Counter()
    for one in found.sandboxes:
        counts += one.counts
    to_do = counts[Action.CREATE] + counts[Action.SEND_KEY]
    what = "to create" if creates else "get their key"
    canary = (
        f" ({most_rows} of them with --max-rows)"
        if most_rows is not None and most_rows < to_do
        else ""
    )
    keyless = sum(one.keys.missing for one in found.sandboxes)
    without = f" ({keyless} of them without a key)" if keyless else ""
    others = "".join(
        f", {counts[action]} {words}" for action, words in _SUMS.items() if counts[action]
    )
    return (
        f"{counted(found.rows, 'row')}: {to_do} {what}{canary}{without}{others}, "
        f"{len(found.rejected)} rejected; nothing was sent"
    )


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
