"""Which versions there are, and what the environment says that is not heard."""

import platform
import ssl
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.transport.peer import authorities

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")
"""Variables of other programs that name a company's authorities."""
_OF_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def versions() -> Mapping[str, str]:
    """What runs here, by name."""
    return {
        "batchconnect": _version("batchconnect"),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        "aiohttp": _version("aiohttp"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def look_at_machine(options: MergedOptions, environ: Mapping[str, str]) -> Iterator[Check]:
    """
    What the environment says of the way to a service.

    Args:
        options: Whether a proxy, or a bundle, was given.
        environ: Its variables.
    """
    yield _authorities(environ)
    unheard = unheard_proxy(environ)
    if unheard and not options.proxy:
        yield Check(
            topic="proxy",
            subject=unheard,
            verdict=Verdict.NOTE,
            what="is set and not used: batchconnect goes the direct way",
            remedy=f"Where the direct way is closed: --proxy env:{unheard}",
        )
    bundles = [name for name in _BUNDLES if environ.get(name)]
    if bundles and options.ca_bundle is None:
        yield Check(
            topic="trust",
            subject=bundles[0],
            verdict=Verdict.NOTE,
            what="is set and not used",
            remedy=f'Where a certificate is not trusted: --ca-bundle "${bundles[0]}"',
        )


def unheard_proxy(environ: Mapping[str, str]) -> str:
    """The variable that names a proxy to other programs, and nothing to us; "" where none is set."""
    return next((name for name in _PROXIES if environ.get(name)), "")


def _authorities(environ: Mapping[str, str]) -> Check:
    named = [name for name in _OF_OPENSSL if environ.get(name)]
    subject = ", ".join(named)
    count = authorities()
    paths = ssl.get_default_verify_paths()
    # A folder of authorities is read when it is needed, so that none is counted.
    if count or paths.capath is not None:
        where = f", from {subject}" if subject else ""
        return Check(topic="trust", what=f"the system knows authorities ({count} read{where})")
    return Check(
        topic="trust",
        subject=subject,
        verdict=Verdict.FAILED,
        code="tls",
        what="this Python knows no authority, so that it trusts no host",
        remedy="Install the system's ca-certificates (python.org's Python on a Mac: run its"
        " `Install Certificates.command`), or unset SSL_CERT_FILE and SSL_CERT_DIR.",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # pragma: no cover - a checkout that was never installed
        return "?"
