"""
The process that tells: the one place that knows Apprise, which has a hundred other ways to tell.

It is started for one notice, reads it from standard input, and writes one word to standard output. Proxy and
authorities are its environment, since the libraries beneath take them from nowhere else: so nothing of
the process that runs the sheet is changed for them.
"""

import json
import logging
import re
import sys
from typing import Any, Final

_STATUS: Final = re.compile(r"error=(\d{3})\b")


class _Statuses(logging.Handler):
    """Hears what Apprise says of a failure, and keeps the HTTP status alone: the rest may tell the address."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found += _STATUS.findall(record.getMessage())


def main() -> None:
    """Tell, and say what became of it: `sent`, `unknown`, `missing`, `failed`, or an HTTP status."""
    given = json.load(sys.stdin)
    # What a library prints of an address is not for whoever reads our output.
    answer, sys.stdout = sys.stdout, sys.stderr
    answer.write(_told(given))


def _told(given: Any) -> str:
    try:
        from apprise import Apprise, NotifyType  # noqa: PLC0415 - whether it is there is what is asked
    except ImportError:
        return "missing"
    statuses = _Statuses()
    log = logging.getLogger("apprise")
    log.handlers, log.propagate = [statuses], False
    log.setLevel(logging.WARNING)
    for url in given["urls"]:
        plugin = Apprise.instantiate(url, suppress_exceptions=True)
        if plugin is not None:
            telling = Apprise()
            telling.add(plugin)
            is_sent = telling.notify(
                body=given["body"], title=given["title"], notify_type=NotifyType(given["mood"])
            )
            return "sent" if is_sent else next(iter(statuses.found), "failed")
    return "unknown"


if __name__ == "__main__":
    main()
