"""The orgs that `init` writes: as flags gave them, or as a person answers."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from batchconnect.cli.screen.asking import Asker, asked
from batchconnect.model.errors import UsageError
from batchconnect.model.reference import ENV, FILE
from batchconnect.model.value import Value
from batchconnect.reports.new_file import write_new
from batchconnect.reports.write import make_folder
from batchconnect.settings.org_profile import check_client_id, check_org_id
from batchconnect.settings.written import (
    NewOrg,
    check_default_sandbox,
    check_key,
    check_org,
    check_reference,
)

_INTRODUCTION: Final = """\
Each org takes what the Adobe Developer Console shows of a project with an OAuth
server-to-server credential: organization id, client id, client secret."""
SECRETS_FOLDER: Final = "secrets"
"""Beside the settings file: where a secret goes that was typed."""


class Wish(Value):
    """What was given by flags; None is asked for."""

    key: str | None = None
    org_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    sandbox: str | None = None
    offline: bool = False

    @property
    def missing(self) -> list[str]:
        """The flags without which no org can be written."""
        needed = {
            "--org": self.key,
            "--org-id": self.org_id,
            "--client-id": self.client_id,
            "--client-secret": self.client_secret,
        }
        return [flag for flag, value in needed.items() if value is None]


def wished(path: Path, wish: Wish, asker: Asker | None, stored: list[Path]) -> Iterator[NewOrg]:
    """
    The orgs: one by flags, or as many as a person has.

    Args:
        path: Of the settings, beside which a secret goes that was typed.
        wish: What was given.
        asker: Who is asked for the rest; None: nothing is missing.
        stored: Gets the file of each secret that was typed.

    Raises:
        SettingsError: What was given cannot be meant.
        UsageError: The answers ended, or a typed secret could not be stored.
    """
    if asker is not None and wish.missing:
        asker.say(_INTRODUCTION)
    while True:
        org = _asked(path, wish, asker, stored) if asker is not None else _given(wish)
        check_org(org)
        yield org
        if asker is None or not wish.missing or not _wants_another(asker):
            return
        wish = Wish(offline=wish.offline)


def _given(wish: Wish) -> NewOrg:
    assert wish.key is not None
    assert wish.org_id is not None
    assert wish.client_id is not None
    assert wish.client_secret is not None
    return NewOrg(
        key=wish.key,
        org_id=wish.org_id,
        client_id=wish.client_id,
        client_secret=wish.client_secret,
        sandbox=wish.sandbox,
    )


def _asked(path: Path, wish: Wish, asker: Asker, stored: list[Path]) -> NewOrg:
    if not wish.missing:
        return _given(wish)
    key = wish.key or asked(asker, "Name of the org, as your sheets will call it (acme)", check_key)
    org_id = wish.org_id or asked(
        asker,
        "Organization id (ends in @AdobeOrg)",
        partial(check_org_id, called="the org id"),
    )
    client_id = wish.client_id or asked(
        asker,
        "Client id",
        partial(check_client_id, called="the client id"),
    )
    secret = wish.client_secret or _asked_secret(path, key, asker, stored, is_offline=wish.offline)
    sandbox = wish.sandbox
    if sandbox is None:
        question = "Its usual sandbox (dev; nothing: name one in each row)"
        sandbox = asked(asker, question, check_default_sandbox, default="") or None
    return NewOrg(
        key=key, org_id=org_id, client_id=client_id, client_secret=secret, sandbox=sandbox
    )


def _asked_secret(
    path: Path, key: str, asker: Asker, stored: list[Path], *, is_offline: bool
) -> str:
    """A reference; what is typed in its place goes into a file of its own, and is never shown."""
    question = "Client secret: env:NAME or file:PATH (nothing: type it)"
    reference = asked(asker, question, check_reference, default="")
    why = None if is_offline else _leads_nowhere(reference, path.parent)
    if why is not None:
        asker.say(f"  note: {why} Until then nobody can sign in.")
    if reference:
        return reference
    typed = ""
    while not typed:
        typed = asker.ask_secret("Client secret")
    folder = path.parent / SECRETS_FOLDER
    name = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in key)
    place = folder / f"{name}-{secrets.token_hex(3)}"
    try:
        make_folder(folder)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be made: {error.strerror or error}",
            hint="Give a reference in place of the secret: env:NAME or file:PATH.",
        ) from None
    # Whoever keeps the settings under version control keeps this out of it.
    with suppress(UsageError):
        write_new(folder / ".gitignore", [b"*\n"])
    write_new(place, [typed.encode()])
    stored.append(place)
    asker.say(f"  stored in {place}, readable by you alone")
    return f"file:{SECRETS_FOLDER}/{place.name}"


def _leads_nowhere(reference: str, folder: Path) -> str | None:
    """Why there is no secret behind a reference yet, where that can be told at once; it is not repeated."""
    kind, _, name = reference.partition(":")
    if kind == ENV and name not in os.environ:
        return "that variable is not set."
    if kind == FILE and not (folder / name).exists():
        return "there is no such file."
    return None


def _wants_another(asker: Asker) -> bool:
    """What is neither yes nor no was meant for another question: it is asked again."""
    while True:
        answer = asker.ask("Another org? [y/N]").lower()
        if answer in {"", "n", "no"}:
            return False
        if answer in {"y", "yes"}:
            return True
        asker.say("  y or n, please; nothing else is taken here.")
