"""
Reads `Retry-After`, the one header by which a service says how long to stay away, in both of its
forms and without trusting either.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0
"""Seconds; a demand that is longer than a day is a mistake, and counts as none (contract, section 6)."""
RETRY_AFTER_JITTER_S = 0.3
"""Seconds at most on top of what was asked for, so that lanes and rows do not come back together."""
_SECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """
    Read how long the service asks us to wait.

    Args:
        headers: Of the answer, with names in lower case. A date is measured against the answer's own
            `Date`, for our clock may be wrong; without a usable `Date` it says nothing.

    Returns:
        Seconds above 0 and up to `LONGEST_S`, or None where the header is absent, past, negative,
        malformed or longer than that.
    Source:
        RFC 9110, section 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        until, sent = _date(value), _date(headers.get("date", ""))
        if until is None or sent is None:
            return None
        seconds = (until - sent).total_seconds()
    return seconds if 0 < seconds <= LONGEST_S else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):  # all seen from the stdlib's parser
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
