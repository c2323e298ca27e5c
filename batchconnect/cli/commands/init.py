"""Writes the settings, asking for what was not given; then signs in to each new org, and says what is refused."""

import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from batchconnect.cli.commands.orgs import org_document, org_lines
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.asking import Asker, Terminal
from batchconnect.cli.screen.console import Console, counted, wrapped
from batchconnect.cli.screen.new_orgs import Wish, wished
from batchconnect.cli.screen.refusals import refusal_lines
from batchconnect.cli.signals import ending_at_once
from batchconnect.model.errors import BatchConnectError, ExitCode, SettingsError, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.options import with_defaults
from batchconnect.reports.new_file import write_new, write_over
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.ledger_place import look_at_places
from batchconnect.run.diagnosis.org_check import OrgCheck, check_orgs
from batchconnect.settings import Settings, load_settings
from batchconnect.settings.written import (
    NewOrg,
    settings_text,
)


def run(
    output: OutputOptions,
    given: Given,
    *,
    path: Path,
    wish: Wish,
    asker: Asker | None = None,
) -> int:
    """
    Write the settings, or add to them.

    Args:
        output: How it speaks.
        given: The way to the hosts.
        path: Of the settings.
        wish: What was given.
        asker: Who answers; None: the terminal, where there is one.
    """
    console = Console(output)
    before = _before(path)
    if asker is None and sys.stdin is not None and sys.stdin.isatty():
        asker = Terminal()
    if wish.missing and asker is None:
        raise UsageError(
            f"{', '.join(wish.missing)} missing, and nobody to ask: this is no terminal",
            hint="Give them all; the client secret as env:NAME or file:PATH, never itself.",
        )
    _check_top(given)
    stored: list[Path] = []
    try:
        new = [*wished(path, wish, asker, stored)]
        text = settings_text(before, new, _top(given) if before is None else {})
        settings = _written(path, before, text, given)
    except BaseException:
        # Nothing refers to a secret whose settings were not written.
        for secret in stored:
            secret.unlink(missing_ok=True)
        raise
    trouble, found = (
        (None, []) if wish.offline else _signed_in(path, new, given, hold=console.redactor.hold)
    )
    options = with_defaults(settings.options)
    places = [check for check in look_at_places(options) if check.verdict is Verdict.FAILED]
    console.result(
        _document(path, new, found, places, trouble),
        [
            part
            for line in _lines(path, new, found, places, trouble)
            for part in _whole(escape_control(line), console.width)
        ],
    )
    if trouble is not None:
        return ExitCode.USAGE
    if places:
        return ExitCode.LEDGER
    return ExitCode.UNFINISHED if any(one.refusal for one in found) else ExitCode.OK


# What is written --------------------------------------------------------------------------------------


def _before(path: Path) -> str | None:
    """
    What stands there already.

    Raises:
        SettingsError: It is no settings file that may be added to.
    """
    if not os.path.lexists(path):
        return None
    load_settings(path=path, environ=os.environ, resolve_secrets=False, flags=True)
    return path.read_text(encoding="utf-8-sig")


def _check_top(given: Given) -> None:
    """
    See that no password would be written into the file.

    Raises:
        SettingsError: The proxy's address has one.
    """
    proxy = _proxy(given)
    if proxy is not None:
        try:
            has_password = urlsplit(proxy).password is not None
        except ValueError:
            has_password = True
        if has_password:
            raise SettingsError(
                "--proxy holds a password, which would be seen on the command line and in the file",
                hint="Put the address into a variable, and name it: --proxy env:NAME.",
            )


def _proxy(given: Given) -> str | None:
    """As it was typed: an address, or the reference to one."""
    proxy = given.options.proxy
    return proxy.reveal() if isinstance(proxy, Secret) else proxy


def _top(given: Given) -> dict[str, str]:
    bundle = given.options.ca_bundle
    top = {
        "proxy": _proxy(given),
        "ca_bundle": str(Path(bundle).absolute()) if bundle else None,
    }
    return {key: value for key, value in top.items() if value}


def _written(path: Path, before: str | None, text: str, given: Given) -> Settings:
    """
    Write the file whole, if it can be meant; what it would mean is judged beside it first.

    Raises:
        SettingsError: It cannot.
        UsageError: It cannot be written.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_new(aside, [text.encode()])
    try:
        settings = _judged(aside, path, given)
    finally:
        with suppress(OSError):
            aside.unlink()
    if before is None:
        write_new(path, [text.encode()])
    else:
        write_over(path, [text.encode()])
    return settings


def _judged(aside: Path, path: Path, given: Given) -> Settings:
    try:
        return load_settings(
            path=aside, environ=os.environ, options=given.options, resolve_secrets=False, flags=True
        )
    except SettingsError as error:
        told, hint = error.message, error.hint or ""
    told, hint = (part.replace(str(aside), str(path)) for part in (told, hint))
    raise SettingsError(f"nothing was written: {told}", hint=hint or None)


# The sign-in ------------------------------------------------------------------------------------------


def _signed_in(
    path: Path, new: Sequence[NewOrg], given: Given, *, hold: Callable[[Secret], None]
) -> tuple[BatchConnectError | None, list[OrgCheck]]:
    """What each new org answers; and why nobody could be asked."""
    try:
        whole = load_settings(path=path, environ=os.environ, options=given.options, flags=True)
        keys = {org.key for org in new}
        mine = replace(whole, orgs=tuple(org for org in whole.orgs if org.key in keys))
        options = with_defaults(mine.options)
        with ending_at_once():
            found = anyio.run(
                partial(
                    check_orgs,
                    mine,
                    options,
                    sandbox=None,
                    on_event=lambda _event: None,
                    hold=hold,
                ),
                backend_options={"use_uvloop": sys.platform != "win32"},
            )
    except (SettingsError, UsageError) as error:
        return error, []
    return None, found


def _document(
    path: Path,
    new: Sequence[NewOrg],
    found: Sequence[OrgCheck],
    places: Sequence[Check],
    trouble: BatchConnectError | None,
) -> dict[str, object]:
    return {
        "path": str(path.absolute()),
        "written": [org.key for org in new],
        "orgs": [org_document(check) for check in found],
        "ledger": [{"what": check.what, "remedy": check.remedy} for check in places],
        "error": trouble.message if trouble else None,
        "hint": trouble.hint if trouble else None,
    }


def _whole(line: str, width: int) -> list[str]:
    """A line without a word cut in two; the next command stays in one."""
    return [line] if line.startswith("next:") else wrapped(line, width)


def _lines(
    path: Path,
    new: Sequence[NewOrg],
    found: Sequence[OrgCheck],
    places: Sequence[Check],
    trouble: BatchConnectError | None,
) -> Iterator[str]:
    names = ", ".join(org.key for org in new)
    yield f"{path}: {counted(len(new), 'org')} written, readable by you alone: {names}"
    for one in found:
        yield from org_lines(one)
    yield from refusal_lines((check.code for check in found), what="org", whats="orgs")
    if trouble is not None:
        yield f"! no sign-in was tried: {trouble.message}"
        if trouble.hint:
            yield f"  -> {trouble.hint}"
    for place in places:
        yield f"! {place.subject}: {place.what}"
        yield f"  -> {place.remedy}"
    settings = (
        []
        if path.name == "batchconnect.toml" and path.parent == Path()
        else ["--settings", str(path)]
    )
    is_fine = found and not any(check.refusal for check in found)
    words = ["template", "clients.xlsx", *settings] if is_fine else ["doctor", *settings]
    yield f"next:   {shlex.join(['batchconnect', *words])}"
