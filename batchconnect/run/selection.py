"""Which rows, orgs and sandboxes `--only` chooses."""

from collections.abc import Callable
from dataclasses import replace

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, Row
from batchconnect.options import MergedOptions, RunOptions
from batchconnect.validation.org_registry import OrgRegistry

Chooser = Callable[[Org | None, str | None], bool]
"""Asked of an org and a sandbox; what is not known is chosen."""


def selector(options: MergedOptions, orgs: OrgRegistry) -> Callable[[Row], bool]:
    """
    What `--only` chooses, asked of the bare row.

    A row whose org or sandbox cannot be told is chosen, so that its problem is seen.

    Raises:
        UsageError: No org has a name that was given.
    """
    if not options.only:
        return lambda _: True
    is_chosen = chooser(options, orgs)

    def is_selected(row: Row) -> bool:
        org = _org_of(row.cells.get(Column.ORG, ""), options, orgs)
        return is_chosen(org, _sandbox_of(row.cells.get(Column.SANDBOX, ""), options, org))

    return is_selected


def chooser(options: MergedOptions, orgs: OrgRegistry) -> Chooser:
    """
    What `--only` chooses, asked of an org and a sandbox.

    Raises:
        UsageError: No org has a name that was given.
    """
    keys: set[str] = set()
    sandboxes: set[str] = set()
    for chosen in options.only:
        word, _, name = chosen.partition("=")
        if word == "sandbox":
            sandboxes.add(name)
            continue
        org = orgs.find(name)
        if org is None:
            raise UsageError(
                f"--only {chosen}: no org has this name",
                hint="`batchconnect orgs` shows the orgs of the settings.",
            )
        keys.add(org.key)

    def is_chosen(org: Org | None, sandbox: str | None) -> bool:
        return (not keys or org is None or org.key in keys) and (
            not sandboxes or not sandbox or sandbox in sandboxes
        )

    return is_chosen


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
