"""Requests of the engine and of the simulator, as the descriptions read them."""

from collections.abc import Hashable
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from batchconnect.simulator.decision import Delivery, Normal
from batchconnect.simulator.exchange import Request as Arrived
from batchconnect.simulator.registry import DENIALS
from batchconnect.transport.interface import Request as Sent
from tests.contract.description import Description, Message, ours

PORTAL: Final = DENIALS["portal"][1].body
"""Of somebody who stands between us and the service, and is none of it."""


def of_sent(request: Sent) -> Message:
    """A request that the engine hands to the wire."""
    return Message(
        method=request.method,
        target=request.url,
        headers=request.headers,
        body=request.body or b"",
    )


def of_arrived(request: Arrived) -> Message:
    """A request that the simulator was given."""
    query = f"?{urlencode(request.query)}" if request.query else ""
    return Message(
        method=request.method,
        target=f"{request.path}{query}",
        headers=request.headers,
        body=request.body,
    )


def answer_problems(
    request: Arrived, delivery: Delivery, description: Description | None = None
) -> list[str]:
    """How the simulator's answer departs from a description; None: from ours."""
    answer = delivery.answer
    return (description or ours()).answer_problems(
        of_arrived(request), answer.status, answer.headers, answer.body
    )


class Watch:
    """
    Holds the simulator's own answers to our description, each shape of them once.

    A validator of JSON Schema takes longer for a page of a listing than the simulator for making it, and the
    hundredth page of a kind says nothing new. What a fault makes of an answer is off the contract on purpose,
    and passed over.
    """

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()
        self.departures: list[str] = []

    def look(self, request: Arrived, delivery: Delivery) -> None:
        """Hold one answer."""
        answer = delivery.answer
        if not isinstance(delivery.reply, Normal) or answer.body == PORTAL:
            return
        operation = ours().operation(request.method, request.path)
        shape = (
            None if operation is None else (operation.method, operation.template),
            answer.status,
            tuple(name for name, _ in answer.headers),
            shape_of(answer.body),
        )
        if shape not in self._seen:
            self._seen.add(shape)
            self.departures += answer_problems(request, delivery)


def shape_of(body: bytes) -> Hashable:
    """Names and types of a body, without its values; two bodies of one shape differ in values only."""
    try:
        return _shape(orjson.loads(body))
    except orjson.JSONDecodeError:
        return body


def _shape(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((name, _shape(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return frozenset(map(_shape, value))
    return type(value).__name__


class OffContract(BaseException):
    """A request that the contract does not know: no `except Exception` may take it for a fault."""


def hold(request: Sent) -> None:
    """
    Hold a request of the engine to the description.

    Raises:
        OffContract: It departs from it.
    """
    problems = ours().request_problems(of_sent(request))
    if problems:
        raise OffContract(problems)
