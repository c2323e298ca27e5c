"""Signs in to each org of the settings and says what is refused, and why."""

import os
import sys
import textwrap
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import anyio

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.signals import ending_at_once
from batchconnect.cli.commands.start import as_part, options_of, settings_of, warn_ignored_flags
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.refusals import refusal_lines
from batchconnect.flow_service import Spec, Unreadable
from batchconnect.flow_service.answer import OrgLevel
from batchconnect.flow_service.listing import ListingFault
from batchconnect.lane.lane import Lane
from batchconnect.model.errors import ExitCode
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.org import Org
from batchconnect.model.remedies import look_hint_for
from batchconnect.options import MergedOptions
from batchconnect.run.plan_run import told_reason
from batchconnect.run.selection import chooser
from batchconnect.run.service import ConnectedService, connected
from batchconnect.settings import Settings

_PATIENCE_S: Final = 10.0
"""Seconds that an org is tried for, unless --patience is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one org answered."""

    org: Org
    sandbox: str | None
    refusal: str | None = None
    """The first thing that was refused, with its reason; None: all is well."""
    code: str = ""
    """Of that reason."""
    note: str = ""
    is_odd: bool = False
    """The note is a warning."""


def run(output: OutputOptions, given: Given) -> int:
    """Check every org, or those that were chosen; reads only."""
    console = Console(output)
    settings = settings_of(as_part(given), os.environ)
    options = options_of(settings, given)
    warn_ignored_flags(given, console)
    console.warn(settings.warnings)
    if given.options.patience is None:
        # It tells how things are now; who wants to wait for better ones says so.
        options = replace(options, patience=_PATIENCE_S)
    with ending_at_once():
        found = anyio.run(
            partial(_check_all, settings, options, given.options.sandbox, console),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    console.result(
        {"orgs": [_document(checked) for checked in found]},
        [
            *(line for checked in found for line in _lines(checked)),
            *refusal_lines((checked.code for checked in found), what="org", whats="orgs"),
        ]
        or [_none(options)],
    )
    refused = [checked for checked in found if checked.refusal is not None]
    if refused and len(refused) == len(found):
        return ExitCode.STOPPED
    is_odd = bool(settings.warnings) or any(checked.is_odd for checked in found)
    return ExitCode.UNFINISHED if refused or (options.strict and is_odd) else ExitCode.OK


async def _check_all(
    settings: Settings, options: MergedOptions, sandbox: str | None, console: Console
) -> list[Checked]:
    found: dict[str, Checked] = {}

    async def check(lane: Lane, place: str | None) -> None:
        found[lane.org.key] = await _check(lane, place)

    with unwrap_exception_group():
        async with connected(settings, options, on_event=console.say_pauses) as service:
            is_chosen = chooser(options, service.orgs)
            orgs = [
                org for org in _known(service, options) if is_chosen(org, sandbox or org.sandbox)
            ]
            async with anyio.create_task_group() as tasks:
                for org in orgs:
                    tasks.start_soon(check, service.lane_of(org.key), sandbox or org.sandbox)
            return [found[org.key] for org in orgs]


def _known(service: ConnectedService, options: MergedOptions) -> list[Org]:
    """The orgs of the settings, and those of the simulator that were named: there any name is one."""
    named = [service.orgs.find(only[4:]) for only in options.only if only.startswith("org=")]
    known = {org.key: org for org in (*service.orgs.all, *named) if org is not None}
    return list(known.values())


async def _check(lane: Lane, sandbox: str | None) -> Checked:
    # In the order in which things can be wrong: the credential, the spec, the sandbox.
    refused = await lane.sign_in()
    if refused is not None:
        return _refused(lane.org, sandbox, "sign-in", refused)
    if sandbox is None:
        note = "signed in; no default sandbox, so nothing was read (name one with --sandbox)"
        return Checked(org=lane.org, sandbox=None, note=note)
    spec = await lane.spec(sandbox)
    if isinstance(spec, Unreadable):
        return _refused(lane.org, sandbox, "connection spec", spec.refusal or spec.fault)
    listing = await lane.list_one_page(sandbox)
    why = listing.refusal or listing.fault
    if why is not None and why.code != "not_read_on":
        return _refused(lane.org, sandbox, "listing", why)
    return _signed_in(lane.org, sandbox, spec)


def _refused(org: Org, sandbox: str | None, asked: str, why: OrgLevel | ListingFault) -> Checked:
    return Checked(org=org, sandbox=sandbox, refusal=f"{asked}: {told_reason(why)}", code=why.code)


def _signed_in(org: Org, sandbox: str, spec: Spec) -> Checked:
    if spec.is_as_expected:
        note = "signed in, connection spec and listing readable"
        return Checked(org=org, sandbox=sandbox, note=note)
    note = "warning: the connection spec does not offer the expected authentication"
    return Checked(org=org, sandbox=sandbox, note=note, is_odd=True)


def _none(options: MergedOptions) -> str:
    if options.only:
        return f"no org of the settings is chosen by {', '.join(options.only)}"
    return "no org is set; in the simulator any `org` cell is an org"


def _document(checked: Checked) -> dict[str, object]:
    return {
        "org": checked.org.key,
        "org_id": checked.org.org_id,
        "sandbox": checked.sandbox,
        "ok": checked.refusal is None,
        "refusal": checked.refusal,
        "code": checked.code or None,
        "remedy": look_hint_for(checked.code) if checked.code else None,
        "note": checked.note,
    }


def _lines(checked: Checked) -> list[str]:
    verdict = "refused" if checked.refusal is not None else "ok"
    org = checked.org
    # The environment as settings has no key of its own: there the org id is the key.
    key = f"{org.key:<16} " if org.key != org.org_id else ""
    name = escape_control(f"{key}{org.org_id:<36} {checked.sandbox or '-':<12}")
    return [f"{name} {verdict}", *_wrapped(checked.refusal or checked.note)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(escape_control(text), 80, initial_indent="    ", subsequent_indent="    ")
