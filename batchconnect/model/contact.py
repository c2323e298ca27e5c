"""
What can stand between this machine and the service: the codes of a first contact that did not come about.

One list for whoever asks how such a trouble is told: it is no matter of a row, of a sandbox or of an org's
rights, and its headline is the cause, never "the sandbox could not be listed".
"""

import re
from typing import Final

_PASSING: Final = frozenset(
    {
        "dns",
        "refused",
        "unreachable",
        "connect_timeout",
        "proxy",
        "no_token",
        "timeout",
        "connection_lost",
        "bad_answer",
        "http-429",
    }
)
_AFTER_SENDING: Final = frozenset({"timeout", "connection_lost", "bad_answer", "http-429"})
"""Of these, what an answer to one request alone may come to as well."""
_LASTING: Final = frozenset(
    {
        "tls",
        "clock",
        "client_certificate",
        "tls_refused",
        "proxy_refused",
        "http-407",
        "foreign_answer",
        "host_not_allowed",
        "bad_request",
    }
)
_SERVER_FAULT: Final = re.compile(r"http-5\d\d")


def is_of_contact(code: str) -> bool:
    """Whether the service was not reached, or something else answered in its place."""
    return code in _LASTING or may_pass(code)


def may_pass(code: str) -> bool:
    """Whether waiting may help: a network that is down, a service that fails. It is no refusal."""
    return code in _PASSING or _SERVER_FAULT.fullmatch(code) is not None


def is_of_the_way(code: str) -> bool:
    """Whether nothing at all gets through, whatever is asked: it is never the matter of one connection."""
    return (
        is_of_contact(code) and code not in _AFTER_SENDING and _SERVER_FAULT.fullmatch(code) is None
    )
