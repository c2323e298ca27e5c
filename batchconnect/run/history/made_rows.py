"""The connections of a past run, as its ledger tells them: what a later command asks the service about."""

from collections.abc import Iterator

from batchconnect.lane.orphan import stands_elsewhere
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import LedgerError
from batchconnect.model.row_place import RowPlace
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.selection import chooser


class MadeRow(Value):
    """A row of the run that has a connection."""

    row: int
    """Its number in the run."""
    at: RowPlace
    name: str
    org: str
    """The org's settings key, as it is today."""
    sandbox: str
    connection_id: str


def made_rows(
    run: RunState, *, ledger: LedgerReader, service: ConnectedService, options: MergedOptions
) -> Iterator[MadeRow]:
    """
    Every row of a run that has a connection today, in the sheet's order; those that `--only` leaves.

    Raises:
        LedgerError: The run was of another service.
        SettingsError: An org of the run is no longer in the settings, or is another one now.
    """
    host = run.opened.platform_host
    if host and host != service.host:
        raise LedgerError(
            f"run {run.opened.run_id} was of {host}, and the settings name {service.host}",
            hint="Name the settings that it was made with: --settings FILE.",
        )
    is_chosen = chooser(options, service.orgs)
    rows = [row for row in run.rows(ledger.row_lines(run.number)) if row.made is not None]
    now = ledger.states_of(row.marker for row in rows if row.marker is not None)
    for state in rows:
        today = now.get(state.marker or "", state)
        if state.planned is None or today.made is None:
            continue  # it was deleted since
        org, at = service.orgs.find(state.planned.org), run.opened.places.at(state.number)
        elsewhere = stands_elsewhere(at.told, state.planned, org)
        if elsewhere is not None:
            raise elsewhere
        assert org is not None
        if is_chosen(org, state.planned.sandbox):
            yield MadeRow(
                row=state.number,
                at=at,
                name=state.planned.name,
                org=org.key,
                sandbox=state.planned.sandbox,
                connection_id=today.made,
            )
