"""
Which addresses a notice may go to: a webhook (`https:`) or a mailbox (`mailto:`), and nothing else.

Apprise knows a hundred kinds more, some of which write files, speak without TLS or talk to this machine's own
services. An address comes from a file that many may read and some may write, so it may not choose among these.
Nor does it choose how it is spoken to: what Apprise would take out of it for itself is a webhook's own, and
nothing in it switches TLS, or the look at certificates, off.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from batchconnect.model.errors import SettingsError
from batchconnect.model.secret import Secret
from batchconnect.transport.loopback import is_loopback

Spelling = str | Mapping[str, str | int]
"""An address as Apprise takes it: a text that it reads, or the parts of one."""

_KINDS: Final = frozenset({"https", "mailto"})
_CHECKING: Final = "verify"
"""Apprise's parameter by which certificates are not looked at."""
_NO_TLS: Final = ("mode", "insecure")
_OTHER_HOST: Final = "smtp"
"""Likewise: the host that mail is handed to, in place of the address's own."""
_SEPARATOR: Final = re.compile("[&;]")
"""Of parameters, as Apprise reads them."""


def check_address(url: Secret, *, name: str) -> None:
    """
    See that an address is of a kind that notices go to.

    Args:
        url: As the settings lead to it.
        name: Of `[notify.NAME]`, for the message: the address itself is a secret.

    Raises:
        SettingsError: It is not.
    """
    parts = _parts(url)
    if parts is None:
        raise SettingsError(
            f"url of [notify.{name}] must be the address of a webhook or a mailbox",
            hint='It begins with https:// or mailto://, and is kept elsewhere: url = "env:OPS_WEBHOOK".',
        )
    if parts.scheme == "mailto" and not _is_here(parts):
        said = _parameters(parts.query)
        if any(name == _CHECKING or (name, value.lower()) == _NO_TLS for name, value in said):
            raise SettingsError(
                f"url of [notify.{name}] may not say how far TLS is to be trusted",
                hint=f"Leave `{_CHECKING}` and `{'='.join(_NO_TLS)}` out of it; --ca-bundle FILE names an authority.",
            )


def spellings(url: Secret) -> tuple[Spelling, ...]:
    """
    The address as Apprise may know it, in the order in which that is tried.

    Slack's, Teams' and others' own addresses are known to it as they are; any other webhook gets a JSON
    document. Mail goes by TLS, but to this machine.

    Args:
        url: Checked by `check_address`.
    """
    parts = _parts(url)
    assert parts is not None, "it was checked"
    if parts.scheme == "mailto":
        return (parts._replace(scheme="mailto" if _is_here(parts) else "mailtos").geturl(),)
    # A service that Apprise knows takes parameters of its own; this one is Apprise's, of any service.
    kept = [one for one in _SEPARATOR.split(parts.query) if _name_of(one) != _CHECKING]
    known = parts if kept == _SEPARATOR.split(parts.query) else parts._replace(query="&".join(kept))
    return (known.geturl(), _webhook(parts))


def _parts(url: Secret) -> SplitResult | None:
    """The parts of an address; None: it is of no kind that is known here."""
    try:
        parts = urlsplit(url.reveal())
        is_address = parts.scheme in _KINDS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    # Of several @, Apprise takes another for the host's; and what is behind a # it does not cut off.
    if not is_address or parts.netloc.count("@") > 1:
        return None
    return parts._replace(fragment="")


def _webhook(parts: SplitResult) -> Spelling:
    """A webhook in parts: read as a text, its query would be Apprise's, and its path written anew."""
    found: dict[str, str | int] = {
        "schema": "jsons",
        "host": f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "",
        "fullpath": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    }
    if parts.port is not None:
        found["port"] = parts.port
    if parts.username is not None:
        found |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
    return found


def _is_here(parts: SplitResult) -> bool:
    is_elsewhere = _OTHER_HOST in dict(_parameters(parts.query))
    return is_loopback(parts.hostname or "") and not is_elsewhere


def _name_of(parameter: str) -> str:
    return unquote(parameter.partition("=")[0]).lower().strip()


def _parameters(query: str) -> list[tuple[str, str]]:
    return [
        (_name_of(one), unquote(one.partition("=")[2]).strip()) for one in _SEPARATOR.split(query)
    ]
