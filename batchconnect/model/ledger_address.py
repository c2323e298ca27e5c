"""Where a team's ledger is: the address of a PostgreSQL database, which may bear a password."""

import re
from typing import Final, Self
from urllib.parse import parse_qsl, unquote

from batchconnect.model.secret import MASK, Secret
from batchconnect.model.value import Value

SCHEMES: Final = ("postgresql://", "postgres://")
_SHOWN: Final = ("host", "port", "sslmode", "target_session_attrs")
"""What of the options behind the `?` may be shown; the others may be secrets, or lead to them."""
_PASSWORDS: Final = ("password", "sslpassword")
_PART: Final = r"[^:/?#\[\]@]*"
_HOST: Final = rf"(?:\[[0-9A-Fa-f:.%]*\]|{_PART})(?::[0-9]*)?"
_ADDRESS: Final = re.compile(
    rf"(?:{'|'.join(SCHEMES)})(?:(?P<user>{_PART})(?P<password>:[^/?#\[\]@]*)?(?P<at>@))?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<path>(?:/[^/?#\[\]@]*)?)(?:\?(?P<query>[^#]*))?"
)
"""Narrower than libpq, which takes `#` and `?` in a password, and of one with `/` the first half for a port."""


class LedgerAddress(Value, kw_only=False):
    """A database, as libpq's URL (PostgreSQL, section "Connection URIs"); its password is never shown."""

    url: Secret

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The address that a text is; None where it is none."""
        return cls(Secret(text)) if text.startswith(SCHEMES) else None

    @property
    def is_readable(self) -> bool:
        """Whether it is clear which part is what; where it is not, a part of the password may look like another."""
        return self._parts() is not None

    @property
    def passwords(self) -> tuple[Secret, ...]:
        """What of it must never be shown, decoded: all of an address that cannot be read."""
        parts = self._parts()
        if parts is None:
            return (self.url,)
        found = [unquote((parts["password"] or "").removeprefix(":"))]
        found += [value for name, value in _query(parts) if name.lower() in _PASSWORDS]
        return tuple(Secret(text) for text in found if text)

    def __str__(self) -> str:
        """The address without its password, for people; nothing of one that cannot be read."""
        parts = self._parts()
        if parts is None:
            return f"{SCHEMES[0]}{MASK}"
        told = "&".join(f"{name}={value}" for name, value in _query(parts) if name in _SHOWN)
        place = f"{parts['user'] or ''}{parts['at'] or ''}{parts['hosts']}{parts['path']}"
        return f"{SCHEMES[0]}{place}{'?' if told else ''}{told}"

    def _parts(self) -> re.Match[str] | None:
        return _ADDRESS.fullmatch(self.url.reveal())


def _query(parts: re.Match[str]) -> list[tuple[str, str]]:
    return parse_qsl(parts["query"] or "")
