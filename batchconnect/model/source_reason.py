"""
Why the source refused, as a code: found in the whole of a foreign text, however far behind.

A connector repeats what Microsoft Entra or Azure Data Explorer said, wrapped in words of its own, so the
reason stands anywhere. Entra numbers its reasons; Azure Data Explorer names exceptions and uses set phrases,
each of which becomes one word of ours. None of the text itself is kept.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from batchconnect.model.source_remedies import ENTRA, TABLE

# Each pattern begins with a literal and repeats nothing without a bound: a text of any length is read in
# time that grows with it, and no text makes one slow. They read lower case.

_NUMBERS: Final = (
    # Behind no letter or digit, unless those belong to an escape of JSON within JSON.
    (
        r"aadsts(?:(?<![a-z0-9]aadsts)|(?<=\\[nrt]aadsts)|(?<=\\u[0-9a-f]{4}aadsts))"
        r"([0-9]{4,7})(?![a-z0-9])"
    ),
    r"error_codes\W{1,12}([0-9]{4,7})(?![a-z0-9])",
    r"login\.microsoftonline\.com/error\?code=([0-9]{4,7})(?![a-z0-9])",
)

_PHRASES: Final = (
    (
        "kusto_suspended",
        (
            r"clustersuspendedexception",
            r"service is in a suspended state",
            r"cluster\b[^.\n]{0,80}?\b(?:is|was|has been) (?:currently )?(?:stopped|suspended)\b",
        ),
    ),
    (
        "kusto_firewall",
        (
            r"public network access\b[^.\n]{0,40}?\b(?:disabled|denied|not (?:allowed|permitted))",
            r"ip address\b[^\n]{0,60}?\b(?:blocked|denied|(?:not|isn.t) (?:allowed|permitted|authorized))",
            r"firewall\b[^.\n]{0,60}?\b(?:den(?:y|ies|ied)|block(?:s|ed)?|refuse[sd]?|not allow(?:ed)?)\b",
            r"public address\b[^\n]{0,60}?\b(?:blocked|denied|(?:not|isn.t) (?:allowed|permitted|authorized))",
            r"(?:blocked|denied|refused) by [^.\n]{0,40}?\b(?:firewall|network (?:security )?polic(?:y|ies))",
            r"private endpoint\b[^.\n]{0,40}?\b(?:required|only)\b",
        ),
    ),
    (
        "kusto_no_table",
        (
            r"badrequest_tablenotexist",
            r"tablenotfoundexception",
            r"kind \W{0,4}table\W{0,4} (?:was|could) not (?:be )?found",
        ),
    ),
    (
        "kusto_no_database",
        (
            r"badrequest_databasenotexist",
            r"databasenotfoundexception",
            r"database\b[^\n]{0,80}?\b(?:not (?:be )?found|(?:wasn|isn).t found|does ?n.t exist)",
        ),
    ),
    (
        "kusto_not_authorized",
        (
            r"kustorequestdeniedexception",
            r"unauthorizeddatabaseaccessexception",
            r"unauthorizedoperationexception",
            r"is not authorized to ",
            r"isn.t authorized to ",
            r"insufficient security permissions",
            r"authorization has been denied",
            r"forbidden \(403",
            r"403[- (]{1,3}forbidden",
            r"unauthorized \(401",
            r"401[- (]{1,3}unauthorized",
        ),
    ),
    (
        "kusto_throttled",
        (
            r"kustorequestthrottledexception",
            r"kustoservicetimeoutexception",
            r"toomanyrequests",
            r"denied due to throttling",
            r"429[- (]{1,3}too many requests",
        ),
    ),
    (
        "kusto_no_cluster",
        (
            r"kustoclientnameresolutionfailureexception",
            r"unknownhostexception",
            r"name could not be resolved",
            r"name resolution",
            r"no such host is known",
            r"name or service not known",
            r"nodename nor servname",
            r"could not resolve host",
            r"getaddrinfo",
            r"nxdomain",
        ),
    ),
    (
        "kusto_not_reachable",
        (
            r"kustoclienttimeoutexception",
            r"sockettimeoutexception",
            r"connect(?:ion)?(?: attempt)? timed out",
            r"connect(?:ion)? timeout",
            r"timed out while connecting",
            r"connection (?:was )?refused",
            r"connection attempt failed",
            r"actively refused it",
            r"unable to connect to the remote server",
            r"no route to host",
            r"network is unreachable",
        ),
    ),
    ("entra_refused", (r"kustoclientapplicationauthenticationexception",)),
    # Last: it may be a table or a mapping as well, and a connection's first look is for its database.
    ("kusto_no_database", (r"badrequest_entitynotfound", r"entitynotfoundexception")),
)
"""The documented exceptions and phrases of Azure Data Explorer, and of the way to it: the surest first."""


def source_code(text: str) -> str | None:
    """
    The code of the reason that a text of the source names: `AADSTS7000215`, `kusto_no_database`.

    Of several the most specific is told. An Entra number wins over a phrase: without a token Azure Data
    Explorer was never asked. Of Entra's numbers one with advice of its own wins, then the longest (Microsoft
    tells details by more digits behind the general number), then the first. Of the phrases the surest wins.

    Args:
        text: The whole of it, without secrets. Only the code is taken from it.

    Returns:
        None where it names no reason that is known. A number that no list has is told as it is.
    """
    lowered = text.lower()
    numbers = dict.fromkeys(_numbers(lowered))
    if numbers:
        return max(numbers, key=lambda code: (code in TABLE, len(code)))
    return next(
        (code for code, patterns in _phrases() if any(one.search(lowered) for one in patterns)),
        None,
    )


# Compiled when a source first refuses, and not at each start.
@cache
def _number_patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, _NUMBERS))


@cache
def _phrases() -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    return tuple((code, tuple(map(re.compile, patterns))) for code, patterns in _PHRASES)


def is_entra(code: str) -> bool:
    """Whether a code is a number of Entra's, which nobody else writes."""
    return code.startswith(ENTRA)


def _numbers(lowered: str) -> Iterator[str]:
    """Every number that the text names, those written as `AADSTS` first; all in the form of a code."""
    return (
        f"{ENTRA}{found[1]}" for number in _number_patterns() for found in number.finditer(lowered)
    )
