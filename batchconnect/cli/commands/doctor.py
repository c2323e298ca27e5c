"""Looks at what a first contact meets, and says of each thing that it is in order, or what to do."""

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import unquote, urlsplit

import anyio

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import as_part, options_of, settings_of, warn_ignored_flags
from batchconnect.model.errors import SettingsError
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.doctor import Diagnosis, Patient, diagnose
from batchconnect.settings import Settings

_WIDTH: Final = 80
_WORDS: Final = {
    Verdict.OK: "ok",
    Verdict.NOTE: "note",
    Verdict.WARNING: "warn",
    Verdict.FAILED: "FAIL",
    Verdict.SKIPPED: "-",
}


def run(output: OutputOptions, given: Given) -> int:
    """Look at everything; nothing is changed."""
    console = Console(output)
    settings, trouble = _settings(given)
    options = options_of(settings, given)
    warn_ignored_flags(given, console)
    where = "this machine and the ledger's place"
    console.say(
        f"looking at {where}, for practice; without --simulate also at the way to Adobe"
        if options.simulate
        else f"looking at {where} and the way to Adobe; nothing is changed"
    )
    redactor = _redactor(settings, options)
    patient = Patient(
        settings=settings,
        trouble=trouble,
        options=options,
        sandbox=given.options.sandbox,
        patience_s=given.options.patience,
        environ=os.environ,
        on_event=lambda _event: None,
        hold=redactor.hold,
    )
    with ending_at_once():
        found = anyio.run(
            partial(_diagnose, patient),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    found = _redacted(found, redactor)
    console.result(_document(found), [escape_control(line) for line in _lines(found)])
    return found.exit_code(strict=options.strict)


async def _diagnose(patient: Patient) -> Diagnosis:
    with unwrap_exception_group():
        return await diagnose(patient)


def _settings(given: Given) -> tuple[Settings, SettingsError | None]:
    """The settings, or as much of them as can be read without the secrets; and why not all of it."""
    part = as_part(given)
    try:
        return settings_of(part, os.environ), None
    except SettingsError as error:
        trouble = error
    try:
        return settings_of(part, os.environ, offline=True), trouble
    except SettingsError:
        return Settings(options=part.options), trouble


def _redactor(settings: Settings, options: MergedOptions) -> Redactor:
    """Holds every credential that is at hand: what this command says is sent to others."""
    redactor = Redactor()
    redactor.hold(*settings.secrets)
    for name, value in os.environ.items():
        if name.lower().endswith(("_proxy", "_secret", "_token", "_password", "_key")) and value:
            redactor.hold(Secret(_password_of(value) or value))
    if options.proxy_url is not None and (password := _password_of(options.proxy_url.reveal())):
        redactor.hold(Secret(password))
    return redactor


def _password_of(address: str) -> str | None:
    try:
        password = urlsplit(address).password
    except ValueError:
        return None
    return unquote(password) if password else None


def _redacted(found: Diagnosis, redactor: Redactor) -> Diagnosis:
    checks = [
        replace(
            check,
            subject=redactor.text(check.subject),
            what=redactor.text(check.what),
            remedy=redactor.text(check.remedy),
        )
        for check in found.checks
    ]
    return replace(found, checks=checks)


def _document(found: Diagnosis) -> dict[str, object]:
    return {
        "ok": found.has_settings and not found.failed,
        "versions": dict(found.versions),
        "checks": [
            {
                "topic": check.topic,
                "subject": check.subject or None,
                "verdict": check.verdict.value,
                "code": check.code or None,
                "what": check.what,
                "remedy": check.remedy or None,
            }
            for check in found.checks
        ],
    }


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from textwrap.wrap(
        ", ".join(f"{name} {version}" for name, version in found.versions.items()), _WIDTH
    )
    for check in found.checks:
        yield from _told(check)
    counts = Counter(check.verdict for check in found.checks)
    failed, warned = counts[Verdict.FAILED], counts[Verdict.WARNING]
    looked = counted(len(found.checks), "thing")
    also = f", {counted(warned, 'warning')}" if warned else ""
    yield f"{looked} looked at, {failed} failed{also}; nothing was changed"


def _told(check: Check) -> Iterator[str]:
    subject = f"{check.subject}: " if check.subject else ""
    code = f" ({check.code})" if check.code else ""
    yield from textwrap.wrap(
        f"{_WORDS[check.verdict]:<5}{check.topic:<11}{subject}{check.what}{code}",
        _WIDTH,
        subsequent_indent=" " * 16,
        break_on_hyphens=False,
    )
    yield from textwrap.wrap(
        check.remedy,
        _WIDTH,
        initial_indent=" " * 13 + "-> ",
        subsequent_indent=" " * 16,
        break_on_hyphens=False,
    )
