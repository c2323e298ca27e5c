"""One question about each of many connections: a refusal that all would meet is met once."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from batchconnect.flow_service import Unreadable
from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.listing import ListingFault
from batchconnect.model.event import Event, Looked
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.reading_each import read_each

pytestmark = pytest.mark.anyio

FAULT = ListingFault(code="403025", detail="")


@dataclass(frozen=True)
class Item:
    """What is asked about."""

    name: str
    org: str = "acme"
    sandbox: str = "dev"


@dataclass
class Service:
    """A lane is its org's name here."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, Unreadable] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        self.told.append(event)

    def lane_of(self, org: str) -> str:
        return org

    async def ask(self, lane: Any, item: Item) -> str | Unreadable:
        self.asked.append((lane, item.name))
        return self.answers.get(item.name, f"answer {item.name}")


async def answered(service: Service, *items: Item) -> dict[str, str | Unreadable]:
    found: dict[str, str | Unreadable] = {}
    await read_each(
        items,
        service.ask,
        service=cast("ConnectedService", service),
        at_once=1,
        on_answer=lambda item, answer: found.update({item.name: answer}),
    )
    return found


def refused(scope: StopScope) -> Unreadable:
    refusal = OrgLevel(
        code="403025",
        title="Access refused",
        detail="",
        scope=scope,
        http_status=403,
        request_id=None,
    )
    return Unreadable(fault=FAULT, refusal=refusal)


async def test_each_is_asked_once_in_its_lane() -> None:
    service = Service()

    found = await answered(service, Item("a"), Item("b", org="beta"))

    assert found == {"a": "answer a", "b": "answer b"}
    assert sorted(service.asked) == [("acme", "a"), ("beta", "b")]


async def test_a_refusal_of_the_lane_answers_for_its_others() -> None:
    refusal = refused(StopScope.LANE)
    service = Service(answers={"a": refusal})

    found = await answered(service, Item("a"), Item("b", sandbox="prod"), Item("c", org="beta"))

    assert found == {"a": refusal, "b": refusal, "c": "answer c"}
    assert ("acme", "b") not in service.asked


async def test_a_refusal_of_the_sandbox_answers_for_that_alone() -> None:
    refusal = refused(StopScope.SANDBOX)
    service = Service(answers={"a": refusal})

    found = await answered(service, Item("a"), Item("b"), Item("c", sandbox="prod"))

    assert found == {"a": refusal, "b": refusal, "c": "answer c"}


async def test_what_refuses_one_alone_answers_for_no_other() -> None:
    service = Service(answers={"a": Unreadable(fault=FAULT)})

    found = await answered(service, Item("a"), Item("b"))

    assert found["b"] == "answer b"


async def test_how_far_it_is_is_told_of_each_answer() -> None:
    """Unasked ones too: whoever waits sees all of them pass."""
    service = Service(answers={"a": refused(StopScope.LANE)})

    await answered(service, Item("a"), Item("b"), Item("c", org="beta"))

    assert sorted(service.told, key=lambda one: (one.org, one.looked)) == [  # type: ignore[union-attr]
        Looked(org="acme", looked=1, of=2),
        Looked(org="acme", looked=2, of=2),
        Looked(org="beta", looked=1, of=1),
    ]
