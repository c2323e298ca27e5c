"""
What stands in sandboxes, as rows of a sheet; it reads the service and changes nothing.

A sheet is read by people and by `run`, so nothing goes out but name, description and visible target, and no
text that repeats a credential which the service shows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from batchconnect.flow_service import Unreadable
from batchconnect.flow_service.listing import Listing
from batchconnect.flow_service.standing import Standing, read_standing
from batchconnect.lane.lane import Lane
from batchconnect.lane.whole_listing import is_proven, read_sandbox
from batchconnect.model.column import Column
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import SHORTEST_REDACTED, Secret, is_entra_secret
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.model.value import Value, replace
from batchconnect.options import MergedOptions
from batchconnect.run.export.chosen_sandboxes import Where
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.plan.sheet_plan import told_reason
from batchconnect.run.reading_each import read_each


class Exported(Value):
    """One connection, as a row of the sheet."""

    org: str
    """The settings key of the org where it stands."""
    sandbox: str
    standing: Standing
    cells: Mapping[Column, str]
    """What may go out of it; what the service does not show is missing."""
    repeats: tuple[Column, ...] = ()
    """Columns that are left blank since their text is, or repeats, a credential."""
    used_by: int | None = None
    """How many source connections use it; None: nobody asked, or there was no answer."""


@dataclass(slots=True, kw_only=True)
class SandboxExport:
    """What stands in one sandbox."""

    org: str
    sandbox: str
    rows: list[Exported] = field(default_factory=list)
    """The oldest first."""
    refusal: str | None = None
    """Why it could not be read."""
    refusal_code: str = ""
    """Its code, by which the remedy is found."""
    is_proven: bool = True
    """False: a person said that a listing which nothing proves is to be believed."""
    usage_unread: str | None = None
    """Why a connection's users could not be counted, the first time."""


class _Lists(Value, kw_only=False):
    """A lane that reads items as they are written."""

    lane: Lane

    async def list(self, sandbox: str) -> Listing:
        """One reading of a sandbox."""
        return await self.lane.list(sandbox, read=read_standing)


async def export_sandboxes(
    places: Sequence[Where],
    *,
    service: ConnectedService,
    options: MergedOptions,
    redactor: Redactor,
    usage: bool = False,
    only: Collection[str] | None = None,
) -> list[SandboxExport]:
    """
    Read sandboxes, all at once.

    Args:
        places: Which, each once.
        service: Whose lanes read them.
        options: Whether an unproven listing is accepted; how much may be in flight.
        redactor: Holds credentials of ours, which nothing may repeat either; those that are shown come to them.
        usage: Count who uses each connection, too: a request for each, or more.
        only: Ids, in lower case, of the connections that are wanted; None: all.

    Returns:
        One for each place, in their order.
    """
    listings: dict[Where, Listing] = {}

    async def read(where: Where) -> None:
        org, sandbox = where
        lists = _Lists(service.lane_of(org))
        listings[where] = await read_sandbox(
            lists, sandbox, accept_unproven=options.accept_unproven_listing
        )

    async with anyio.create_task_group() as tasks:
        for where in places:
            tasks.start_soon(read, where)
    screen = _Screen(redactor)
    for listing in listings.values():
        screen.learn(_standing(listing))
    exports = [_exported(where, listings[where], screen, only) for where in places]
    if usage:
        await _count_usage(exports, service=service, at_once=options.concurrency)
    return exports


def _standing(listing: Listing) -> list[Standing]:
    return [one for one in listing.items if isinstance(one, Standing) and one.is_our_kind]


def _exported(
    where: Where, listing: Listing, screen: "_Screen", only: Collection[str] | None
) -> SandboxExport:
    org, sandbox = where
    why = listing.refusal or listing.fault
    if why is not None:
        return SandboxExport(
            org=org, sandbox=sandbox, refusal=told_reason(why), refusal_code=why.code
        )
    standing = [one for one in _standing(listing) if only is None or one.id.lower() in only]
    standing.sort(key=lambda one: (one.created_at_ms or 0, one.told_apart_by))
    rows = [screen.row(org, sandbox, one) for one in standing]
    return SandboxExport(org=org, sandbox=sandbox, rows=rows, is_proven=is_proven(listing))


class _Screen:
    """Knows every credential that the service shows, and ours: what repeats one stays here."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._short: set[str] = set()
        """Keys that are too short to be looked for inside of every text."""

    def learn(self, standing: Iterable[Standing]) -> None:
        """Take in the credentials that a listing shows."""
        for one in standing:
            self._redactor.hold(*one.shown_secrets)
            self._short |= {
                secret.reveal() for secret in one.shown_secrets if len(secret) < SHORTEST_REDACTED
            }

    def row(self, org: str, sandbox: str, standing: Standing) -> Exported:
        """What of a connection may go out."""
        texts = {
            Column.NAME: standing.written_name,
            Column.DESCRIPTION: standing.own_description,
            **dict(zip(TARGET_COLUMNS, standing.written, strict=True)),
        }
        shown = {column: text for column, text in texts.items() if text}
        repeats = tuple(
            column for column, text in shown.items() if self._repeats(text, standing.shown_secrets)
        )
        cells = {column: text for column, text in shown.items() if column not in repeats}
        return Exported(org=org, sandbox=sandbox, standing=standing, cells=cells, repeats=repeats)

    def _repeats(self, text: str, own: Iterable[Secret]) -> bool:
        return (
            is_entra_secret(text)
            or text.strip() in self._short
            or any(secret.reveal() in text for secret in own)
            or self._redactor.text(text) != text
        )


async def _count_usage(
    exports: Sequence[SandboxExport], *, service: ConnectedService, at_once: int
) -> None:
    by_place = {(one.org, one.sandbox): one for one in exports}
    counts: dict[tuple[Where, str], int] = {}

    async def ask(lane: Lane, row: Exported) -> int | Unreadable:
        return await lane.usage(row.sandbox, row.standing.id)

    def take(row: Exported, answer: int | Unreadable) -> None:
        where = (row.org, row.sandbox)
        if isinstance(answer, int):
            counts[where, row.standing.id] = answer
        elif by_place[where].usage_unread is None:
            by_place[where].usage_unread = told_reason(answer.refusal or answer.fault)

    rows = [row for one in exports for row in one.rows if row.standing.id]
    await read_each(rows, ask, service=service, at_once=at_once, on_answer=take)
    for where, one in by_place.items():
        one.rows = [replace(row, used_by=counts.get((where, row.standing.id))) for row in one.rows]
