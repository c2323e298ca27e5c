"""
Drift: what a sheet asks for, held against what stands there now.

A row's connection is the one that bears its marker, else the one of its name, else the one of its target.
Which columns differ is told, and never what stands in them: a cell may hold the key of another column.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from batchconnect.flow_service.listing import target_key
from batchconnect.flow_service.standing import Standing
from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name, describe, marker, split_marker
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.redactor import Redactor
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.model.value import Value
from batchconnect.run.export.chosen_sandboxes import Where
from batchconnect.run.export.export import Exported, SandboxExport
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.cells import Cells
from batchconnect.validation.finding import has_error
from batchconnect.validation.misplaced_key import key_of
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placement import choose_org, choose_sandbox
from batchconnect.validation.rules import RULES

STATE: Final = "state"
"""Stands among the columns that differ where a connection is not enabled."""
_COMPARED: Final = (Column.NAME, Column.DESCRIPTION, *TARGET_COLUMNS)


class DriftKind(StrEnum):
    """How a row and what stands there part."""

    ONLY_IN_SHEET = "only_in_sheet"
    ONLY_THERE = "only_there"
    DIFFERENT = "different"
    NOT_COMPARED = "not_compared"


class Drift(Value):
    """One row, or one connection, that is not as the other side has it."""

    kind: DriftKind
    row: int | None = None
    """None: no row of the sheet asks for it."""
    name: str = ""
    """"" where it cannot be told without showing a key."""
    org: str = ""
    sandbox: str = ""
    connection_id: str = ""
    columns: tuple[str, ...] = ()
    """What differs; of a row that was not compared, the cells that cannot be read."""
    why: str = ""
    """Of a row that was not compared: a code."""


class SheetRow(Value, hidden={"texts"}):
    """What one row asks for, as far as it can be compared."""

    number: int
    where: Where | None
    """None: it names no org, or no sandbox."""
    why: str
    """The code of that."""
    texts: Mapping[Column, str]
    """
    Canonical, of the columns that the sheet has, whether a rule of ours would send them or not: what stands
    there may have been made by others. A blank cell asks for nothing, but for a description.
    """
    marker: str | None
    """None where its identity is not whole."""
    refused: tuple[str, ...]
    """Columns whose cells cannot be read."""


@dataclass(slots=True, kw_only=True)
class SheetSide:
    """A sheet, read to be compared."""

    redactor: Redactor
    """Holds its keys, and whatever else nothing may repeat."""
    rows: list[SheetRow] = field(default_factory=list)

    @property
    def places(self) -> list[Where]:
        """The sandboxes that its rows name, each once."""
        return list(dict.fromkeys(row.where for row in self.rows if row.where is not None))


def read_sheet_side(
    sheet: Sheet, *, orgs: OrgRegistry, org: str | None, sandbox: str | None, redactor: Redactor
) -> SheetSide:
    """
    Read the rows of a sheet.

    Args:
        sheet: Open. Its keys may be blank, for nothing is sent.
        orgs: The orgs that a row may name.
        org: Fills a blank cell.
        sandbox: Likewise.
        redactor: Is to hold its keys, too.

    Raises:
        SheetError: It cannot be read to its end.
    """
    side = SheetSide(redactor=redactor)
    for row in sheet.rows():
        side.redactor.hold(Secret(key_of(row)))
        side.rows.append(_row(row, sheet, orgs=orgs, org=org, sandbox=sandbox))
    return side


def _row(
    row: Row, sheet: Sheet, *, orgs: OrgRegistry, org: str | None, sandbox: str | None
) -> SheetRow:
    found: list[Problem] = []
    cells = Cells(row, found)
    texts = {
        column: _canonical(column)(cells.text(column) or "")
        for column in _COMPARED
        if column in sheet.header.columns
    }
    refused = tuple(
        dict.fromkeys(
            problem.column
            for problem in found
            if problem.column is not None and problem.severity is Severity.ERROR
        )
    )
    its_org, odd_org = choose_org(cells.text(Column.ORG), org, orgs)
    its_sandbox, odd_sandbox = choose_sandbox(cells.text(Column.SANDBOX), sandbox, its_org)
    odd = [one.code for one in (*odd_org, *odd_sandbox) if one.severity is Severity.ERROR]
    is_placed = its_org is not None and not has_error((*odd_org, *odd_sandbox)) and its_sandbox
    identity = None
    target = [texts.get(column, "") for column in TARGET_COLUMNS]
    if its_org is not None and is_placed and all(target) and texts.get(Column.NAME):
        identity = marker(
            org_id=its_org.org_id,
            sandbox=its_sandbox,
            name=texts[Column.NAME],
            target=Target(*target),
        )
    return SheetRow(
        number=row.number,
        where=(its_org.key, its_sandbox) if its_org is not None and is_placed else None,
        why="" if is_placed else odd[0] if odd else "no_sandbox",
        texts=texts,
        marker=identity,
        refused=refused,
    )


def _canonical(column: Column) -> Callable[[str], str]:
    return RULES[column].canonical


def drift_of(side: SheetSide, exports: Iterable[SandboxExport]) -> list[Drift]:
    """
    Say where sheet and sandboxes part.

    Args:
        side: The sheet.
        exports: The sandboxes that its rows name, and any others.

    Returns:
        By row, and what stands there only at the end; nothing where all is the same.
    """
    by_place = {(one.org, one.sandbox): one for one in exports}
    rows: defaultdict[Where, list[SheetRow]] = defaultdict(list)
    drift: list[Drift] = []
    for row in side.rows:
        if row.where is None:
            drift.append(_not_compared(row, why=row.why, show=side.redactor.text))
        else:
            rows[row.where].append(row)
    for where, one in by_place.items():
        if one.refusal is None:
            drift += _of_sandbox(rows[where], one.rows, show=side.redactor.text)
        else:
            code = one.refusal.split(":")[0]
            drift += [_not_compared(row, why=code, show=side.redactor.text) for row in rows[where]]
    return sorted(drift, key=lambda one: (one.row is None, one.row or 0))


def _of_sandbox(
    rows: Sequence[SheetRow], there: Sequence[Exported], *, show: Callable[[str], str]
) -> Iterator[Drift]:
    pairs = _paired(rows, there)
    for row, found in zip(rows, pairs, strict=True):
        if row.refused:
            yield _not_compared(row, why="rejected", show=show, found=found)
        elif found is None:
            yield _drift(DriftKind.ONLY_IN_SHEET, row, None, show)
        elif columns := _differing(row, found.standing):
            yield _drift(DriftKind.DIFFERENT, row, found, show, columns)
    claimed = {id(found) for found in pairs if found is not None}
    for one in there:
        if id(one) not in claimed:
            yield Drift(
                kind=DriftKind.ONLY_THERE,
                name=_name_of(one, show),
                org=one.org,
                sandbox=one.sandbox,
                connection_id=one.standing.id,
            )


def _paired(rows: Sequence[SheetRow], there: Sequence[Exported]) -> list[Exported | None]:
    """For each row its connection; the surest sign is looked at first, over all rows."""
    pairs: list[Exported | None] = [None] * len(rows)
    claimed: set[int] = set()
    signs: tuple[tuple[Callable[[SheetRow], object], Callable[[Standing], object]], ...] = (
        (lambda row: row.marker, lambda one: one.marker),
        (_name_and_target, lambda one: one.name and (one.name, target_key(one.shown))),
        (lambda row: row.texts.get(Column.NAME) or None, lambda one: one.name or None),
        (_target, lambda one: target_key(one.shown)),
    )
    for of_row, of_standing in signs:
        free: defaultdict[object, list[Exported]] = defaultdict(list)
        for one in there:
            if id(one) not in claimed:
                free[of_standing(one.standing)].append(one)
        for index, row in enumerate(rows):
            sign = of_row(row)
            if pairs[index] is None and sign is not None and free[sign]:
                pairs[index] = found = free[sign].pop(0)
                claimed.add(id(found))
    return pairs


def _target(row: SheetRow) -> object:
    parts = [row.texts.get(column, "") for column in TARGET_COLUMNS]
    return target_key(Target(*parts)) if all(parts) else None


def _name_and_target(row: SheetRow) -> object:
    name, target = row.texts.get(Column.NAME), _target(row)
    return (name, target) if name and target else None


def _differing(row: SheetRow, standing: Standing) -> tuple[str, ...]:
    """The columns that differ; what is hidden there, or blank in the sheet, differs in nothing."""
    differing = [
        column.value
        for column, text in zip(TARGET_COLUMNS, standing.shown, strict=True)
        if text and row.texts.get(column, text) not in {text, ""}
    ]
    name = row.texts.get(Column.NAME)
    if name and standing.name and canonical_name(name) != standing.name:
        differing.insert(0, Column.NAME.value)
    if standing.own_description is not None and Column.DESCRIPTION in row.texts:
        wanted = split_marker(row.texts[Column.DESCRIPTION])[0]
        # A long text is cut before its marker: what would stand there is compared.
        wanted = split_marker(describe(wanted, row.marker)[0])[0] if row.marker else wanted
        if wanted.strip() != standing.own_description.strip():
            differing.append(Column.DESCRIPTION.value)
    return (*differing, *(() if standing.is_usable else (STATE,)))


def _not_compared(
    row: SheetRow, *, why: str, show: Callable[[str], str], found: Exported | None = None
) -> Drift:
    return _drift(DriftKind.NOT_COMPARED, row, found, show, row.refused, why=why)


def _drift(
    kind: DriftKind,
    row: SheetRow,
    found: Exported | None,
    show: Callable[[str], str],
    columns: tuple[str, ...] = (),
    *,
    why: str = "",
) -> Drift:
    org, sandbox = row.where or ("", "")
    return Drift(
        kind=kind,
        row=row.number,
        name=show(row.texts.get(Column.NAME, "")),
        org=org,
        sandbox=sandbox,
        connection_id=found.standing.id if found is not None else "",
        columns=columns,
        why=why,
    )


def _name_of(one: Exported, show: Callable[[str], str]) -> str:
    return show(one.cells.get(Column.NAME, ""))
