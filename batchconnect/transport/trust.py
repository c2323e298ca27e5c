"""
Whom a lane trusts: the system's authorities, and beside them those of the company's own bundle.

Boxes that inspect TLS make certificates that break rules of form which Python 3.13 began to insist on.
Such a box is trusted through the bundle or not at all: where the strict handshake fails by a rule of form
alone, a second one trusts nothing but the bundle, and asks for everything but the form.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

from batchconnect.model.errors import SettingsError

_RULES_OF_FORM: Final = frozenset({78, *range(80, 95)})
"""Codes of OpenSSL's errors that are looked for only under `X509_V_FLAG_X509_STRICT`, from a signature
algorithm that is named in two ways (78) to the parameters of a curve (94): `x509_vfy.h`."""


_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")
_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.+?-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)


@final
class Trust:
    """
    The authorities of one wire.

    Args:
        ca_bundle: PEM file of authorities to trust beside the system's.

    Raises:
        SettingsError: *ca_bundle* cannot be used.
    """

    def __init__(self, ca_bundle: Path | None) -> None:
        self._usual: ssl.SSLContext | bool = True  # aiohttp's own, which is read already
        self._bundle_only: ssl.SSLContext | None = None
        self._lax_hosts: set[str] = set()
        if ca_bundle is None:
            return
        with _reading(ca_bundle):
            self._usual = ssl.create_default_context()
            self._usual.load_verify_locations(cafile=ca_bundle)
            self._bundle_only = ssl.create_default_context(cafile=ca_bundle)
        self._bundle_only.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def of(self, host: str) -> ssl.SSLContext | bool:
        """Whom to trust in a handshake with this host."""
        if host in self._lax_hosts and self._bundle_only is not None:
            return self._bundle_only
        return self._usual

    def has_another(self, host: str, error: Exception, *, used: ssl.SSLContext | bool) -> bool:
        """
        Whether a second handshake with this host may succeed; from now on `of` tells whom it trusts.

        Args:
            host: Whose certificate was refused.
            error: Why.
            used: Whom the handshake trusted, as `of` told before it: another one of the same host may have
                failed meanwhile.
        """
        if self._bundle_only is None or used is self._bundle_only:
            return False
        if getattr(error, "verify_code", 0) not in _RULES_OF_FORM:
            return False
        self._lax_hosts.add(host)
        return True


def authorities_file(ca_bundle: Path | None, folder: Path) -> Path | None:
    """
    One file of all whom to trust, for libraries that take a file.

    Args:
        ca_bundle: PEM file of authorities to trust beside the system's.
        folder: Where the file is made, if one has to be.

    Returns:
        The file; None: the system has none of its own, and each library's is to count.

    Raises:
        SettingsError: *ca_bundle* cannot be used.
    """
    paths = ssl.get_default_verify_paths()
    own = b""
    if ca_bundle is not None:
        with _reading(ca_bundle):
            ssl.create_default_context(cafile=ca_bundle)
            own = ca_bundle.read_bytes()
    if ca_bundle is None and paths.cafile and not _in_folder(paths.capath):
        return Path(paths.cafile)
    system = _system(paths)
    if ca_bundle is None and not system:
        return None
    found = folder / "authorities.pem"
    found.write_bytes(system + b"\n" + own)
    return found


@contextmanager
def _reading(ca_bundle: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--ca-bundle {ca_bundle}: {getattr(error, 'strerror', None) or 'not a PEM file'}",
            hint="Name a readable file of PEM certificates.",
        ) from None


def _system(paths: ssl.DefaultVerifyPaths) -> bytes:
    """All whom the system trusts, as PEM: by its file, by its folder, as Debian's, or by its store, as Windows'."""
    files = [Path(paths.cafile)] if paths.cafile else []
    found: dict[bytes, None] = {}
    for one in (*files, *_in_folder(paths.capath)):
        with suppress(OSError):
            # A folder mostly has what the file has, once more.
            found |= dict.fromkeys(_CERTIFICATE.findall(one.read_bytes().replace(b"\r", b"")))
    if not found:
        # What lies in a folder is loaded only when it is looked for, so this tells of stores alone.
        certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
        found = {ssl.DER_cert_to_PEM_cert(one).encode(): None for one in certificates}
    return b"\n".join(found)


def _in_folder(folder: str | None) -> list[Path]:
    """The files of a folder that OpenSSL looks at: each is named by the hash of its subject."""
    if folder is None:
        return []
    with suppress(OSError):
        return sorted(one for one in Path(folder).iterdir() if _HASHED.fullmatch(one.name))
    return []
