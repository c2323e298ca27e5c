"""
`doctor`: what a first contact meets, step by step, each in order or with its remedy; it changes nothing.

The steps are modules of `diagnosis/`, in the order in which they can be the cause of what fails behind them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import anyio

from batchconnect.model.errors import ExitCode, SettingsError
from batchconnect.model.event import Event
from batchconnect.model.org import IMS_URL, PLATFORM_URL
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.ledger_place import look_at_places
from batchconnect.run.diagnosis.machine import look_at_machine, unheard_proxy, versions
from batchconnect.run.diagnosis.rights import TOPIC, look_at_orgs
from batchconnect.run.diagnosis.way import Host, Network, look_at_host
from batchconnect.settings import Settings
from batchconnect.transport.wire import Wire

_CONNECT_S = 10.0
_ANSWER_S = 30.0


class Diagnosis(Value):
    """What was looked at."""

    versions: Mapping[str, str]
    checks: Sequence[Check]
    has_settings: bool
    """Whether the settings could be used."""

    @property
    def failed(self) -> Sequence[Check]:
        """What a run would stumble over."""
        return [check for check in self.checks if check.verdict is Verdict.FAILED]

    def exit_code(self, *, strict: bool) -> ExitCode:
        """
        What it amounts to.

        Args:
            strict: Whether warnings are errors.
        """
        if not self.has_settings:
            return ExitCode.USAGE
        is_odd = any(check.verdict is Verdict.WARNING for check in self.checks)
        return ExitCode.UNFINISHED if self.failed or (strict and is_odd) else ExitCode.OK


class Patient(Value):
    """
    What is looked at, and from where.

    Args:
        settings: The settings, or what of them could be read.
        trouble: Why they cannot be used; None: they can.
        options: Where things lie, and how hosts are reached.
        sandbox: Look at this one, in place of each org's default.
        environ: The environment.
        on_event: Told of pauses.
        hold: As of `connected`.
        patience_s: How long each org is tried; None: briefly.
        now: This machine's clock.
    """

    settings: Settings
    trouble: SettingsError | None
    options: MergedOptions
    sandbox: str | None
    environ: Mapping[str, str]
    on_event: Callable[[Event], None]
    hold: Callable[[Secret], None]
    patience_s: float | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def diagnose(patient: Patient) -> Diagnosis:
    """Look at everything; what one step finds keeps no other from being looked at, but for what hangs on it."""
    checks = [_settings(patient)]
    checks += await anyio.to_thread.run_sync(lambda: list(look_at_places(patient.options)))
    checks += look_at_machine(patient.options, patient.environ)
    ways = {} if patient.options.simulate else await _ways(patient)
    checks += [check for of_host in ways.values() for check in of_host]
    unreached = {
        host.url
        for host, of_host in ways.items()
        if any(check.verdict is Verdict.FAILED and check.topic != "clock" for check in of_host)
        or any(check.topic == "clock" and len(of_host) == 1 for check in of_host)
    }
    if patient.trouble is None:
        checks += await look_at_orgs(
            patient.settings,
            patient.options,
            sandbox=patient.sandbox,
            on_event=patient.on_event,
            hold=patient.hold,
            unreached=unreached,
            patience_s=patient.patience_s,
        )
    else:
        what = "not tried: the settings cannot be used, see above"
        checks.append(Check(topic=TOPIC, verdict=Verdict.SKIPPED, what=what))
    return Diagnosis(
        versions=versions(), checks=tuple(checks), has_settings=patient.trouble is None
    )


def _settings(patient: Patient) -> Check:
    settings, trouble = patient.settings, patient.trouble
    subject = str(settings.file or "")
    if trouble is not None:
        return Check(
            topic="settings",
            subject=subject,
            verdict=Verdict.FAILED,
            what=trouble.message,
            remedy=trouble.hint or "Write them by `batchconnect init`.",
        )
    count = len(settings.orgs)
    what = f"{count} {'org' if count == 1 else 'orgs'}, every reference leads somewhere"
    if settings.warnings:
        return Check(
            topic="settings",
            subject=subject,
            verdict=Verdict.WARNING,
            what="; ".join(settings.warnings),
        )
    return Check(topic="settings", subject=subject, what=what)


async def _ways(patient: Patient) -> dict[Host, list[Check]]:
    """What each host of the settings answers; without any org, Adobe's own."""
    orgs = patient.settings.orgs
    platforms = [org.platform_url for org in orgs] or [PLATFORM_URL]
    imses = [org.ims_url for org in orgs] or [IMS_URL]
    hosts = [
        *(Host(url=url, is_ims=False) for url in dict.fromkeys(platforms)),
        *(Host(url=url, is_ims=True) for url in dict.fromkeys(imses)),
    ]
    proxy = patient.options.proxy_url
    found: dict[Host, list[Check]] = {host: [] for host in hosts}
    async with Wire(
        allowed_hosts=frozenset(host.name for host in hosts),
        connect_timeout_s=_CONNECT_S,
        read_timeout_s=_ANSWER_S,
        deadline_s=_ANSWER_S,
        proxy=proxy.reveal() if proxy else None,
        ca_bundle=patient.options.ca_bundle,
    ) as wire:
        network = Network(
            wire=wire,
            proxy=proxy,
            ca_bundle=patient.options.ca_bundle,
            unheard_proxy=unheard_proxy(patient.environ),
            now=patient.now,
        )

        async def look(host: Host) -> None:
            found[host] = await look_at_host(host, network)

        async with anyio.create_task_group() as tasks:
            for host in hosts:
                tasks.start_soon(look, host)
    return found
