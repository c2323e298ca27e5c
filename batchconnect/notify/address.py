"""
Which addresses a notice may go to: a webhook (`https:`) or a mailbox (`mailto:`), and nothing else.

Apprise knows a hundred kinds more, some of which write files, speak without TLS or talk to this machine's own
services. An address comes from a file that many may read and some may write, so it may not choose among these.
"""

from typing import Final
from urllib.parse import urlsplit

from batchconnect.model.errors import SettingsError
from batchconnect.model.secret import Secret
from batchconnect.transport.loopback import is_loopback

_KINDS: Final = {"https": "jsons", "mailto": "mailtos"}
"""By scheme: the kind of Apprise's that speaks it, over TLS."""


def check_address(url: Secret, *, name: str) -> None:
    """
    See that an address is of a kind that notices go to.

    Args:
        url: As the settings lead to it.
        name: Of `[notify.NAME]`, for the message: the address itself is a secret.

    Raises:
        SettingsError: It is not.
    """
    try:
        parts = urlsplit(url.reveal())
        is_address = parts.scheme in _KINDS and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise SettingsError(
            f"url of [notify.{name}] must be the address of a webhook or a mailbox",
            hint='It begins with https:// or mailto://, and is kept elsewhere: url = "env:OPS_WEBHOOK".',
        )


def spellings(url: Secret) -> tuple[str, ...]:
    """
    The address as Apprise may know it, in the order in which that is tried.

    Slack's, Teams' and others' own addresses are known to it as they are; any other webhook gets a JSON
    document. Mail goes by TLS, but to this machine.
    """
    text = url.reveal()
    scheme, _, rest = text.partition("://")
    if scheme == "mailto" and is_loopback(urlsplit(text).hostname or ""):
        return (text,)
    other = f"{_KINDS[scheme]}://{rest}"
    return (text, other) if scheme == "https" else (other,)
