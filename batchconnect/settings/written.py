"""
The settings file as `init` writes it: one section per org, every secret a reference.

What stands in a file already stays as it is: a section is added behind it, and nothing of it is read or made
anew.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from batchconnect.model.errors import SettingsError
from batchconnect.model.value import Value
from batchconnect.settings.org_profile import check_client_id, check_org_id
from batchconnect.validation.naming import check_sandbox

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_KEY: Final = 64
_REFERENCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}:\S.*")
"""`env:NAME`, `file:PATH`, or a name in a store of the settings."""
_HEAD: Final = (
    "# Settings of batchconnect; docs/settings.md has every key. Secrets are references: env:NAME,\n"
    "# file:PATH (relative to this file), or a name in a store.\n"
)


class NewOrg(Value):
    """An org that is to be written."""

    key: str
    """What the `org` cells of sheets will say."""
    org_id: str
    client_id: str
    client_secret: str
    """A reference, never the secret."""
    sandbox: str | None = None


def check_key(text: str) -> None:
    """
    See that an org may be called so.

    Raises:
        SettingsError: It may not; its text is not repeated.
    """
    if not 0 < len(text) <= _LONGEST_KEY or not text.isprintable() or text != text.strip():
        raise SettingsError(
            "the org's name must be a short word",
            hint="As the `org` cells of your sheets will say it: acme.",
        )


def check_reference(text: str) -> None:
    """
    See that a text is a reference to a secret, and none itself.

    Raises:
        SettingsError: It may be the secret; its text is not repeated.
    """
    if _REFERENCE.fullmatch(text) is None:
        raise SettingsError(
            "the client secret must be a reference, and what was given may be the secret itself",
            hint="Write env:NAME or file:PATH; without it a terminal asks, and does not show what is typed.",
        )


def check_org(org: NewOrg) -> None:
    """
    See that an org can be meant, before it is written.

    Raises:
        SettingsError: It cannot; the message names the setting.
    """
    check_key(org.key)
    check_org_id(org.org_id, "the org id")
    check_client_id(org.client_id, "the client id")
    check_reference(org.client_secret)
    check_default_sandbox(org.sandbox)


def check_default_sandbox(text: str | None) -> None:
    """
    See that a sandbox may be called so.

    Raises:
        SettingsError: It may not.
    """
    if text and (problems := check_sandbox(text)):
        raise SettingsError(f"the sandbox: {problems[0].what}", hint=problems[0].remedy)


def settings_text(before: str | None, orgs: Sequence[NewOrg], top: Mapping[str, str]) -> str:
    """
    The file's text.

    Args:
        before: What stands there; None: there is none.
        orgs: What is added.
        top: Keys of a new file beside its orgs: `proxy`, `ca_bundle`.
    """
    sections = [_section(org) for org in orgs]
    if before is None:
        head = _HEAD + "".join(f"{key} = {_text(value)}\n" for key, value in top.items())
        return "\n".join([head, *sections])
    return "\n".join([before.rstrip("\n"), "", *sections])


def _section(org: NewOrg) -> str:
    key = org.key if _BARE_KEY.fullmatch(org.key) else _text(org.key)
    values = {
        "org_id": org.org_id,
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "sandbox": org.sandbox,
    }
    lines = "".join(f"{name} = {_text(value)}\n" for name, value in values.items() if value)
    return f"[orgs.{key}]\n{lines}"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for one sign that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
