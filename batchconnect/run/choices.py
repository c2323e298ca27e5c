"""What a person chose for one run, flags over settings, as one frozen value with every default said."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchconnect.lane.reconciler import OnDoubt
from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, Column, Row
from batchconnect.run.exit_code import FailureLimit
from batchconnect.validation.org_registry import OrgRegistry

SETTLE_S: Final = 180.0
"""S = D + L: 120 s that a sent POST may still be applied, 60 s that the listing may lag."""
REPORTS: Final = Path("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How one run, plan or reconciliation is to go."""

    org: str | None = None
    """Fills blank `org` cells."""
    sandbox: str | None = None
    """Fills blank `sandbox` cells; wins over the org's default."""
    worksheet: str | None = None
    """The workbook's tab; None: the only one whose headers match."""
    encoding: str | None = None
    """Of a CSV that is not UTF-8."""
    visible_only: bool = False
    """A workbook's rows that nobody sees are left out."""
    only: tuple[str, ...] = ()
    """`org=NAME` and `sandbox=NAME`; of several with one word, any; of both words, both."""
    concurrency: int = 64
    timeout_s: float = 120.0
    settle_s: float | None = None
    """None: 180 s, and with the simulator what its own profile needs."""
    on_doubt: OnDoubt = OnDoubt.RESEND
    patience_s: float = 900.0
    skip_invalid: bool = False
    max_rows: int | None = None
    max_failures: FailureLimit | None = None
    note: str = ""
    strict: bool = False
    adopt_by_name: bool = False
    recreate: bool = False
    settle_first: bool = False
    allow_refs: bool = False
    refs_dir: Path | None = None
    proxy: str | None = None
    ca_bundle: Path | None = None
    simulate: bool = False
    fault: str = "none"
    seed: int = 0
    reports: Path = REPORTS
    ledger: Path | None = None
    """None: `ledger.sqlite3` among the reports."""

    @property
    def home(self) -> Path:
        """Where runs leave their folders; what is simulated never mixes with what is real."""
        return self.reports / "simulated" if self.simulate else self.reports

    @property
    def ledger_path(self) -> Path:
        """The ledger. A simulation has its own, whatever `--ledger` says of the real one."""
        if self.ledger is None or self.simulate:
            return (self.home / "ledger.sqlite3").absolute()
        return self.ledger.absolute()

    def selector(self, orgs: OrgRegistry) -> Callable[[Row], bool]:
        """
        What `--only` chooses, asked of the bare row.

        A row whose org or sandbox cannot be told is chosen, so that its problem is seen.

        Raises:
            UsageError: The word is neither `org` nor `sandbox`, or no org has this name.
        """
        if not self.only:
            return lambda _: True
        is_chosen = self.chooser(orgs)

        def is_selected(row: Row) -> bool:
            org = self._org_of(row.cells.get(Column.ORG, ""), orgs)
            return is_chosen(org, self._sandbox_of(row.cells.get(Column.SANDBOX, ""), org))

        return is_selected

    def chooser(self, orgs: OrgRegistry) -> Callable[[Org | None, str | None], bool]:
        """
        What `--only` chooses, asked of an org and a sandbox; what is not known is chosen.

        Raises:
            UsageError: The word is neither `org` nor `sandbox`, or no org has this name.
        """
        keys: set[str] = set()
        sandboxes: set[str] = set()
        for chosen in self.only:
            word, _, name = chosen.partition("=")
            if word == "org" and name:
                org = orgs.find(name)
                if org is None:
                    raise UsageError(
                        f"--only {chosen}: no org has this name",
                        hint="`batchconnect orgs` shows the orgs of the settings.",
                    )
                keys.add(org.key)
            elif word == "sandbox" and name:
                sandboxes.add(name)
            else:
                raise UsageError(
                    f"--only {chosen}: neither org=NAME nor sandbox=NAME",
                    hint="For example: --only org=acme --only sandbox=prod",
                )

        def is_chosen(org: Org | None, sandbox: str | None) -> bool:
            return (not keys or org is None or org.key in keys) and (
                not sandboxes or not sandbox or sandbox in sandboxes
            )

        return is_chosen

    def _org_of(self, cell: Cell, orgs: OrgRegistry) -> Org | None:
        if not isinstance(cell, str):
            return None
        name = cell if cell.strip() else self.org
        return orgs.only if name is None else orgs.find(name)

    def _sandbox_of(self, cell: Cell, org: Org | None) -> str | None:
        if not isinstance(cell, str):
            return None
        default = org.sandbox if org is not None else None
        return cell if cell.strip() else self.sandbox or default
