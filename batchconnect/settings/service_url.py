"""
Decides where credentials may be sent: Adobe's own hosts, loopback, or a host that was allowed by name.

A wrong address in the settings would hand every client secret to a stranger, so each address is
judged when the settings are read, long before a socket opens (contract, section 1).
"""

import ipaddress
import re
from collections.abc import Collection
from enum import Enum
from urllib.parse import urlsplit

from batchconnect.model.errors import SettingsError
from batchconnect.model.likely_name import is_likely_name
from batchconnect.transport.loopback import is_loopback

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
HTTPS_PORT = 443


class ServiceHost(Enum):
    """A service of Adobe's, by the pattern of its public hosts, stage and regions included."""

    PLATFORM = re.compile(r"platform(-[a-z0-9]+)?\.adobe\.io")
    IMS = re.compile(r"ims-[a-z0-9]+(-[a-z0-9]+)?\.adobelogin\.com")


def canonical_host(text: str, *, setting: str) -> str:
    """
    One host of `--allow-host`, in lower case.

    Raises:
        SettingsError: It is an address or a pattern, not a host.
    """
    host = text.strip().lower().removesuffix(".")
    if _HOST.fullmatch(host) is None and not _is_ip(host):
        raise SettingsError(
            f"{setting} must name hosts alone, as gateway.example.com",
            hint="Write the host without https://, port and path; patterns are not known.",
        )
    return host


def service_url(text: str, service: ServiceHost, *, setting: str, allowed: Collection[str]) -> str:
    """
    Judge the root address of a service.

    Args:
        text: The address as it was set. It is never repeated in a message: it may bear a password.
        service: Whose public hosts need no permission.
        setting: How a person calls the setting, for messages.
        allowed: Further hosts, in lower case.

    Returns:
        `https://host`, in lower case and without a trailing slash; on loopback with its port.

    Raises:
        SettingsError: The address may not be used; the message names the setting and the remedy.
    """
    scheme, host, port = _split(text, setting)
    shown = f"[{host}]" if ":" in host else host
    if is_loopback(host):
        return f"{scheme}://{shown}" if port is None else f"{scheme}://{shown}:{port}"
    if scheme != "https":
        raise SettingsError(
            f"{setting} must start with https://", hint="Plain http is for this machine alone."
        )
    if port not in {None, HTTPS_PORT}:
        raise SettingsError(
            f"{setting} must use port 443", hint="Other ports are for this machine alone."
        )
    if service.value.fullmatch(host) is None and host not in allowed:
        # As it was typed: in lower case even a key might be a host.
        is_told = "." in host and is_likely_name(urlsplit(text).netloc.partition(":")[0])
        named, meant = (f"the host {host}", host) if is_told else ("a host", "HOST")
        raise SettingsError(
            f"{setting} names {named}, which is not Adobe's: credentials would go there",
            hint=f"If that is meant, say so with --allow-host {meant}.",
        )
    return f"https://{shown}"


def split_host(address: str) -> tuple[str, int | None] | None:
    """Host in lower case and port of a text that is nothing else, as `host:8200`; None: it is something else."""
    try:
        is_plain = address.isascii() and address.isprintable() and not set(address) & set(" \\@/?#")
        parts = urlsplit(f"//{address}")
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return None
    if not is_plain or not (_HOST.fullmatch(host) or _is_ip(host)):
        return None
    return host, port


def _split(text: str, setting: str) -> tuple[str, str, int | None]:
    """Scheme, host in lower case and port, where there is nothing else."""
    try:
        # urlsplit drops line breaks and takes other spaces as they come, so they are looked for.
        readable = text.isascii() and text.isprintable() and not set(text) & {" ", "\\"}
        parts = urlsplit(text)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        readable, parts, host, port = False, urlsplit(""), "", None
    # The cases, each with what to do:
    cases = (
        (not readable, "It holds a character that no address has, or its port is no number."),
        ("@" in parts.netloc, "Take out the user name and the password before the host."),
        (parts.scheme not in {"https", "http"}, "It starts with https:// and names a host."),
        (not _HOST.fullmatch(host) and not _is_ip(host), "Its host cannot be read."),
        (
            parts.path not in {"", "/"} or "?" in text or "#" in text,
            "Take out everything behind the host; the paths are known.",
        ),
    )
    for is_so, hint in cases:
        if is_so:
            raise SettingsError(
                f"{setting} must be the bare address of a service, as https://platform.adobe.io",
                hint=hint,
            )
    return parts.scheme, host, port


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
