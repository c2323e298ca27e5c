"""`orgs`: sign in to each org of the settings and say what is refused, and why; it changes nothing."""

from collections.abc import Callable, Iterable
from typing import Final

import anyio

from batchconnect.flow_service import Spec, Unreadable
from batchconnect.flow_service.answer import OrgLevel
from batchconnect.flow_service.listing import ListingFault
from batchconnect.lane.lane import Lane
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, replace
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.store_check import CheckedStore, check_stores
from batchconnect.run.opening.service import ConnectedService, connected
from batchconnect.run.plan.sheet_plan import told_reason
from batchconnect.run.selection import chooser
from batchconnect.settings import Settings

BRIEF_S: Final = 10.0
"""Seconds that an org is tried for, unless somebody wants to wait for better ones."""


class OrgCheck(Value):
    """What one org answered."""

    org: Org
    sandbox: str | None
    """None: it has no default, and none was named, so nothing was read."""
    refusal: str | None = None
    """The first thing that was refused, with its reason; None: all is well."""
    code: str = ""
    """Of that reason, by which the remedy is found."""
    note: str = ""
    is_odd: bool = False
    """The note is a warning."""


async def check_orgs(
    settings: Settings,
    options: MergedOptions,
    *,
    sandbox: str | None,
    on_event: Callable[[Event], None],
    hold: Callable[[Secret], None],
    on_store: Callable[[CheckedStore], None] = lambda checked: None,
    patience_s: float | None = None,
) -> list[OrgCheck]:
    """
    Check every org, or those that `--only` chooses, side by side.

    Args:
        settings: The orgs.
        options: The pace, and which orgs.
        sandbox: Read this one, in place of each org's default.
        on_event: Hears for how long the service asks to be left alone.
        hold: As of `connected`.
        on_store: Told of each store of the settings, whether it lets us in.
        patience_s: How long each is tried; None: `BRIEF_S`, for this tells how things are now.

    Returns:
        One for each org, in the order of the settings.

    Raises:
        UsageError: The orgs live on several hosts.
    """
    found: dict[str, OrgCheck] = {}
    options = replace(options, patience=BRIEF_S if patience_s is None else patience_s)

    async def check(lane: Lane, place: str | None) -> None:
        found[lane.org.key] = await _check(lane, place)

    with unwrap_exception_group():
        async with connected(settings, options, on_event=on_event, hold=hold) as service:
            is_chosen = chooser(options, service.orgs)
            orgs = [
                org for org in _known(service, options) if is_chosen(org, sandbox or org.sandbox)
            ]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_tell_stores, service, on_store)
                for org in orgs:
                    tasks.start_soon(check, service.lane_of(org.key), sandbox or org.sandbox)
            return [found[org.key] for org in orgs]


async def _tell_stores(service: ConnectedService, on_store: Callable[[CheckedStore], None]) -> None:
    for checked in await check_stores(service.stores):
        on_store(checked)


def exit_code_of(
    checks: list[OrgCheck], stores: Iterable[CheckedStore], *, is_odd: bool
) -> ExitCode:
    """
    What the answers amount to.

    Args:
        checks: One for each org.
        stores: What the stores of the settings said.
        is_odd: Whether warnings are errors and the settings have some.
    """
    refused = [check for check in checks if check.refusal is not None]
    if refused and len(refused) == len(checks):
        return ExitCode.STOPPED
    is_shut = any(store.refusal is not None for store in stores)
    return ExitCode.UNFINISHED if refused or is_shut or is_odd else ExitCode.OK


def _known(service: ConnectedService, options: MergedOptions) -> list[Org]:
    """The orgs of the settings, and those of the simulator that were named: there any name is one."""
    named = [service.orgs.find(only[4:]) for only in options.only if only.startswith("org=")]
    known = {org.key: org for org in (*service.orgs.all, *named) if org is not None}
    return list(known.values())


async def _check(lane: Lane, sandbox: str | None) -> OrgCheck:
    # In the order in which things can be wrong: the credential, the spec, the sandbox.
    refused = await lane.sign_in()
    if refused is not None:
        return _refused(lane.org, sandbox, "sign-in", refused)
    if sandbox is None:
        note = "signed in; no default sandbox, so nothing was read (name one with --sandbox)"
        return OrgCheck(org=lane.org, sandbox=None, note=note)
    spec = await lane.spec(sandbox)
    if isinstance(spec, Unreadable):
        return _refused(lane.org, sandbox, "connection spec", spec.refusal or spec.fault)
    listing = await lane.list_one_page(sandbox)
    why = listing.refusal or listing.fault
    if why is not None and why.code != "not_read_on":
        return _refused(lane.org, sandbox, "listing", why)
    return _signed_in(lane.org, sandbox, spec)


def _refused(org: Org, sandbox: str | None, asked: str, why: OrgLevel | ListingFault) -> OrgCheck:
    refusal = f"{asked}: {told_reason(why)}"
    return OrgCheck(org=org, sandbox=sandbox, refusal=refusal, code=why.code)


def _signed_in(org: Org, sandbox: str, spec: Spec) -> OrgCheck:
    if spec.is_as_expected:
        note = "signed in, connection spec and listing readable"
        return OrgCheck(org=org, sandbox=sandbox, note=note)
    note = "warning: the connection spec does not offer the expected authentication"
    return OrgCheck(org=org, sandbox=sandbox, note=note, is_odd=True)
