"""Starts the process that tells, for as long as it may take, and puts what became of it into words."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from batchconnect.model.errors import UsageError
from batchconnect.model.notice import Notice
from batchconnect.model.secret import Secret
from batchconnect.notify.address import spellings
from batchconnect.transport.trust import authorities_file

LONGEST_S: Final = 30.0
"""Seconds that telling may take: a run is over, and its exit code is waited for."""
_WORDS: Final[Mapping[str, str]] = {
    "missing": "a package is not installed: pip install 'batchconnect[notify]'",
    "unknown": "its address is of no kind that is known",
    "failed": "it could not be reached, or did not take it",
}


def check_installed() -> None:
    """
    See that notices can be sent at all.

    Raises:
        UsageError: What sends them is not installed.
    """
    if find_spec("apprise") is None:
        raise UsageError(
            "--notify needs a package that is not installed (apprise)",
            hint="pip install 'batchconnect[notify]'",
        )


def tell(
    notice: Notice, url: Secret, *, proxy: Secret | None, ca_bundle: Path | None
) -> str | None:
    """
    Tell it.

    Args:
        notice: What is told.
        url: To whom; checked by `check_address`.
        proxy: URL of the proxy for webhooks, but for loopback; mail goes its own way.
        ca_bundle: PEM file of authorities to trust beside the system's.

    Returns:
        Why it was not told; None: it was. The words hold nothing of the address, nor of what was answered.

    Raises:
        SettingsError: *ca_bundle* cannot be used.
    """
    given = json.dumps(
        {
            "urls": spellings(url),
            "title": notice.title,
            "body": notice.body,
            "mood": notice.mood.value,
        }
    )
    with tempfile.TemporaryDirectory(prefix="batchconnect-") as folder:
        authorities = authorities_file(ca_bundle, Path(folder))
        # `-I`: no foreign path or variable; the child is a file of its own, and imports nothing of ours.
        command = [sys.executable, "-I", "-B", str(Path(__file__).with_name("child.py"))]
        try:
            done = subprocess.run(  # noqa: S603 - our own file
                command,
                input=given,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
                env=_environment(proxy, authorities),
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {LONGEST_S:g} s"
        except OSError as error:
            return f"no process could be started for it: {error.strerror}"
    answer = done.stdout.strip()
    if answer == "sent":
        return None
    if answer.isdigit():
        return f"it was answered with HTTP status {answer}"
    return _WORDS.get(answer, "what sends it has failed")


def _environment(proxy: Secret | None, authorities: Path | None) -> dict[str, str]:
    # Windows starts no program without this one.
    found = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    if proxy is not None:
        found |= {"HTTPS_PROXY": proxy.reveal(), "NO_PROXY": "localhost,127.0.0.1,::1"}
    if authorities is not None:
        found |= {"REQUESTS_CA_BUNDLE": str(authorities), "SSL_CERT_FILE": str(authorities)}
    return found
