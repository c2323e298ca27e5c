"""
Whom a 4xx blames: the row, its sandbox, the whole lane, or nobody that we can name.

The tables of the contract's section 5 for refusals, apart from what is made of them.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus

from batchconnect.flow_service.problem import Phrase, ServiceProblem


class ErrorScope(Enum):
    """What is wrong when a request was refused and surely not applied."""

    ROW = auto()
    """This row alone."""
    ROW_OR_LANE = auto()
    """Not stated; three in a row with one code are the lane's."""
    SANDBOX = auto()
    """Every row of this sandbox."""
    LANE = auto()
    """Every row of the lane: the same constants and the same credential go out with each."""


STALE_TOKEN = frozenset({"401013"})
"""The token is not valid (any more); under 401, and under 403 just as well."""
PASSING: Mapping[int, frozenset[str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: frozenset({"503000", "503010"}),
    HTTPStatus.FORBIDDEN: frozenset({"503020"}),
}
"""Codes of the gateway that say "not applied, for a passing cause"; 429 needs no code."""

_LANE: Mapping[int, frozenset[str]] = {
    HTTPStatus.BAD_REQUEST: frozenset(
        {
            *("400003", "1007", "1301", "1302", "1339", "1413", "1415"),
            *("2105", "2110", "2112", "2113", "2114", "2115"),
        }
    ),
    HTTPStatus.UNAUTHORIZED: STALE_TOKEN | {"", "2000", "2001", "2002", "1008"},
    HTTPStatus.FORBIDDEN: STALE_TOKEN | {"", "1009", "2111", "2118", "2120", "2121"},
    HTTPStatus.NOT_FOUND: frozenset({"", "2106"}),
}
"""Per HTTP status the codes that every row would get; `""` is an answer without a code."""
_SANDBOX = frozenset({"2100", "2101", "2103"})
_ROW = frozenset({400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 431})

_GATEWAY_403 = re.compile(r"403\d{3}")


def error_scope(status: int, problem: ServiceProblem) -> ErrorScope | None:
    """
    Say whom a 4xx blames.

    Args:
        status: 400 to 499, without those that leave a doubt (407, 408, 409, 412, 425) and 429.
        problem: What the body says.

    Returns:
        None where neither status nor body proves that the request was refused by the service.
    Source:
        Contract, section 5, second table.
    """
    if status == HTTPStatus.NOT_FOUND and problem.number in _SANDBOX:
        return ErrorScope.SANDBOX
    if problem.number in _LANE.get(status, ()) or _tells_of_lane(status, problem):
        return ErrorScope.LANE
    if _may_be_lane(status, problem):
        return ErrorScope.ROW_OR_LANE
    return ErrorScope.ROW if status in _ROW or problem.is_shaped else None


def _tells_of_lane(status: int, problem: ServiceProblem) -> bool:
    match status:
        case HTTPStatus.FORBIDDEN:
            return _GATEWAY_403.fullmatch(problem.number) is not None
        case HTTPStatus.BAD_REQUEST:
            # Only a shape without a code is known by its text: a page of HTML names its content
            # type, and a connector's error may quote anything.
            is_bare = problem.is_shaped and not problem.number
            return is_bare and Phrase.SAME_CONSTANTS in problem.says
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            return problem.is_shaped and Phrase.VERSION_REQUIRED in problem.says
        case _:
            return False


def _may_be_lane(status: int, problem: ServiceProblem) -> bool:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return True
    is_provider = status == HTTPStatus.BAD_REQUEST and problem.number == "1100"
    return is_provider and Phrase.NOT_ENTITLED in problem.says
