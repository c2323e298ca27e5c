"""Where a team's ledger is: the address of a PostgreSQL database, which may bear a password."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from batchconnect.model.secret import Secret

SCHEMES: Final = ("postgresql://", "postgres://")
_SHOWN: Final = ("host", "port", "sslmode", "target_session_attrs")
"""What of the options behind the `?` may be shown; the others may be secrets, or lead to them."""
_PASSWORDS: Final = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class LedgerAddress:
    """A database, as libpq's URL (PostgreSQL, section "Connection URIs"); its password is never shown."""

    url: Secret

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The address that a text is; None where it is none."""
        return cls(Secret(text)) if text.startswith(SCHEMES) else None

    @property
    def passwords(self) -> tuple[Secret, ...]:
        """What of it must never be shown, decoded."""
        netloc, query = self._parts()
        userinfo, at, _ = netloc.rpartition("@")
        _, colon, password = userinfo.partition(":")
        found = [unquote(password)] if at and colon else []
        found += [value for name, value in query if name.lower() in _PASSWORDS]
        return tuple(Secret(text) for text in found if text)

    def __str__(self) -> str:
        """The address without its password, for people."""
        netloc, query = self._parts()
        userinfo, at, hosts = netloc.rpartition("@")
        user = userinfo.partition(":")[0]
        told = "&".join(f"{name}={value}" for name, value in query if name in _SHOWN)
        path = urlsplit(self.url.reveal()).path
        return f"postgresql://{user}{at}{hosts}{path}{'?' if told else ''}{told}"

    def _parts(self) -> tuple[str, list[tuple[str, str]]]:
        parts = urlsplit(self.url.reveal())
        return parts.netloc, parse_qsl(parts.query)
