"""Signs in to each org of the settings and says what is refused, and why."""

import os
import sys
from dataclasses import dataclass
from functools import partial

import anyio

from batchconnect.choices import Choices
from batchconnect.cli_options import OutputOptions, PlaceOptions, ServiceOptions
from batchconnect.commands.console import Console
from batchconnect.commands.start import choices_of, settings_of
from batchconnect.error_group import the_cause
from batchconnect.errors import ExitCode
from batchconnect.flow_service import Spec, Unreadable
from batchconnect.inert import inert
from batchconnect.lane import Lane
from batchconnect.org import Org
from batchconnect.service import connected
from batchconnect.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one org answered."""

    org: Org
    sandbox: str | None
    refusal: str | None = None
    """The first thing that was refused, with its reason; None: all is well."""
    note: str = ""


def run(
    output: OutputOptions, places: PlaceOptions, service: ServiceOptions, *, sandbox: str | None
) -> int:
    """Check every org; reads only."""
    console = Console(output)
    settings = settings_of(places, os.environ, service=service)
    choices = choices_of(settings, places, service=service)
    console.warn(settings.warnings)
    found = anyio.run(
        partial(_check_all, settings, choices, sandbox),
        backend_options={"use_uvloop": sys.platform != "win32"},
    )
    console.result(
        {"orgs": [_document(checked) for checked in found]},
        [line for checked in found for line in _lines(checked)] or ["no org is set"],
    )
    refused = [checked for checked in found if checked.refusal is not None]
    if not refused:
        return ExitCode.OK
    return ExitCode.STOPPED if len(refused) == len(found) else ExitCode.UNFINISHED


async def _check_all(settings: Settings, choices: Choices, sandbox: str | None) -> list[Checked]:
    found: dict[str, Checked] = {}

    async def check(lane: Lane) -> None:
        found[lane.org.key] = await _check(lane, sandbox or lane.org.sandbox)

    with the_cause():
        async with connected(settings, choices, on_event=lambda _event: None) as service:
            async with anyio.create_task_group() as tasks:
                for org in service.orgs.all:
                    tasks.start_soon(check, service.lane_of(org.key))
            return [found[org.key] for org in service.orgs.all]


async def _check(lane: Lane, sandbox: str | None) -> Checked:
    # In the order in which things can be wrong: the credential, the spec, the sandbox.
    refusal = await lane.sign_in()
    if refusal is not None:
        return Checked(org=lane.org, sandbox=sandbox, refusal=f"sign-in: {refusal}")
    if sandbox is None:
        note = "signed in; no default sandbox, so nothing was read (name one with --sandbox)"
        return Checked(org=lane.org, sandbox=None, note=note)
    spec = await lane.spec(sandbox)
    if isinstance(spec, Unreadable):
        return Checked(org=lane.org, sandbox=sandbox, refusal=f"connection spec: {_why(spec)}")
    listing = await lane.list_one_page(sandbox)
    why = listing.refusal or listing.fault
    if why is not None and why.code != "not_read_on":
        text = f"listing: {why.code}: {why.detail}"
        return Checked(org=lane.org, sandbox=sandbox, refusal=text)
    return Checked(org=lane.org, sandbox=sandbox, note=_note(spec))


def _why(unreadable: Unreadable) -> str:
    why = unreadable.refusal or unreadable.fault
    return f"{why.code}: {why.detail}"


def _note(spec: Spec) -> str:
    if spec.is_as_expected:
        return "signed in, connection spec and listing readable"
    return "warning: the connection spec does not offer the expected authentication"


def _document(checked: Checked) -> dict[str, object]:
    return {
        "org": checked.org.key,
        "org_id": checked.org.org_id,
        "sandbox": checked.sandbox,
        "ok": checked.refusal is None,
        "refusal": checked.refusal,
        "note": checked.note,
    }


def _lines(checked: Checked) -> list[str]:
    verdict = "refused" if checked.refusal is not None else "ok"
    name = inert(f"{checked.org.key:<16} {checked.org.org_id:<36} {checked.sandbox or '-':<12}")
    return [f"{name} {verdict}", inert(f"    {checked.refusal or checked.note}")]
