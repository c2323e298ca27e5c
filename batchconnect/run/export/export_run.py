"""
`export`: which sandboxes are read, what of them goes out, and how far a sheet has drifted from it.

Three questions with one answer: all that stands in the sandboxes that were named; the connections of one
run; what a sheet asks for and they do not have, or have otherwise.
"""

from collections.abc import Sequence

from batchconnect.ledger import LedgerReader
from batchconnect.model.errors import UsageError
from batchconnect.model.redactor import Redactor
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.run.export.chosen_sandboxes import Chosen, Where, choose_sandboxes
from batchconnect.run.export.drift import Drift, drift_of, read_sheet_side
from batchconnect.run.export.export import SandboxExport, export_sandboxes
from batchconnect.run.history.history import find_run
from batchconnect.run.history.made_rows import MadeRow, made_rows
from batchconnect.run.opening.service import ConnectedService
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of


class Wish(Value):
    """What is to be exported."""

    orgs: Sequence[str] = ()
    sandboxes: Sequence[str] = ()
    every: bool = False
    """Every org of the settings."""
    run_id: str | None = None
    """Of one run alone; the beginning of its id is enough."""
    usage: bool = False
    """Count who uses each connection."""


class Export(Value):
    """What was found."""

    sandboxes: Sequence[SandboxExport]
    drift: Sequence[Drift] | None = None
    """None: no sheet was compared."""
    compared: int = 0
    """Rows of that sheet."""
    missing: Sequence[MadeRow] = ()
    """Of a run: the rows whose connections stand nowhere that was read."""
    without_default: Sequence[str] = ()
    """Orgs of which no sandbox was named."""

    @property
    def is_refused(self) -> bool:
        """Whether nothing could be read."""
        return bool(self.sandboxes) and all(one.refusal is not None for one in self.sandboxes)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for was found out."""
        return not (self.missing or self.without_default) and all(
            one.refusal is None and one.usage_unread is None for one in self.sandboxes
        )


async def export_of(
    wish: Wish,
    *,
    service: ConnectedService,
    redactor: Redactor,
    options: MergedOptions,
    ledger: LedgerReader | None,
    against: Sheet | None,
) -> Export:
    """
    Read what is wished for.

    Args:
        wish: Which sandboxes, or which run.
        service: Whose lanes read them.
        redactor: Holds the credentials of the settings, as they came: nothing may repeat them.
        options: As of `export_sandboxes`.
        ledger: Of the run that is wished for; None: none is.
        against: The sheet that is compared; None: none is.

    Raises:
        UsageError: Something has to be named and is not, a name is nobody's, or several sheets are compared.
        SheetError: The sheet cannot be read to its end.
        SettingsError: An org of the run is not in the settings.
        LedgerError: The ledger cannot be read, or the run is of another service.
    """

    async def read(places: Sequence[Where], only: set[str] | None = None) -> list[SandboxExport]:
        return await export_sandboxes(
            places,
            service=service,
            options=options,
            redactor=redactor,
            usage=wish.usage,
            only=only,
        )

    if ledger is not None:
        run = find_run(ledger, wish.run_id)
        rows = list(made_rows(run, ledger=ledger, service=service, options=options))
        places = list(dict.fromkeys((row.org, row.sandbox) for row in rows))
        sandboxes = await read(places, {row.connection_id.lower() for row in rows})
        return Export(sandboxes=sandboxes, missing=_missing(rows, sandboxes))
    if against is not None:
        if len(parts_of(against)) > 1:
            raise UsageError(
                f"{against.name}: one tab is compared at a time",
                hint="Give one sheet, and of a workbook one --worksheet NAME.",
            )
        side = read_sheet_side(
            against,
            orgs=service.orgs,
            org=_one(wish.orgs),
            sandbox=_one(wish.sandboxes),
            redactor=redactor,
        )
        named = _chosen(wish, service).places if wish.orgs or wish.every else ()
        sandboxes = await read(list(dict.fromkeys((*side.places, *named))))
        drift = drift_of(side, sandboxes)
        return Export(sandboxes=sandboxes, drift=drift, compared=len(side.rows))
    chosen = _chosen(wish, service)
    return Export(sandboxes=await read(chosen.places), without_default=chosen.without_default)


def _chosen(wish: Wish, service: ConnectedService) -> Chosen:
    return choose_sandboxes(
        service.orgs, orgs=wish.orgs, sandboxes=wish.sandboxes, every=wish.every
    )


def _one(names: Sequence[str]) -> str | None:
    """What fills blank cells; of several, none can be meant."""
    return names[0] if len(names) == 1 else None


def _missing(rows: Sequence[MadeRow], sandboxes: Sequence[SandboxExport]) -> list[MadeRow]:
    """Of the sandboxes that could be read."""
    there = {(one.org, one.sandbox): one for one in sandboxes if one.refusal is None}
    found = {row.standing.id.lower() for one in there.values() for row in one.rows}
    return [
        row
        for row in rows
        if (row.org, row.sandbox) in there and row.connection_id.lower() not in found
    ]
