"""
A new ledger over listings that are not as they should be: whatever they show, no row is made twice.

Five of eight rows stand there already, made by a ledger that is lost. Each listing is bent in one way, by a
service that offers a count or none; what is left is no proof of absence, or shows the rows all the same.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from batchconnect.model.outcome import Status
from batchconnect.transport.interface import Response
from tests.fake_service import Bench, FakeService, cells

pytestmark = pytest.mark.anyio

Body = dict[str, Any]
Item = dict[str, Any]
ROWS = [cells(number) for number in range(1, 9)]
MADE = 5


def each(change: Callable[[Item], object]) -> Callable[[Body], object]:
    """The same done to every item."""
    return lambda body: [change(item) for item in body["items"]]


def sets(**fields: object) -> Callable[[Body], object]:
    return each(lambda item: item.update(fields))


def same_id(body: Body) -> None:
    for item in body["items"]:
        item["id"] = body["items"][0]["id"]


BENT: Mapping[str, Callable[[Body], object]] = {
    "cut to one": lambda body: body.update(items=body["items"][:1], _links={}),
    "cut to none": lambda body: body.update(items=[], _links={}),
    "the newest is missing": lambda body: body["items"].pop(0),
    "the oldest is missing": lambda body: body["items"].pop(),
    "the second is missing": lambda body: body["items"].pop(1),
    "items is null": lambda body: body.update(items=None),
    "items by number": lambda body: body.update(items=dict(enumerate(body["items"]))),
    "a list in a list": lambda body: body.update(items=[body["items"]]),
    "one is null": lambda body: body["items"].append(None),
    "a page by another name": lambda body: body.update(_page={"next": "1"}, items=body["items"][:2]),
    "a link without a token": lambda body: body.update(_links={"next": {"href": "/connections"}}),
    "a link that is a list": lambda body: body.update(_links={"next": ["x"]}),
    "every id the same": same_id,
    "no id": sets(id=None),
    "every id a number": sets(id=7),
    "ids in capitals": each(lambda item: item.update(id=item["id"].upper())),
    "ids that are too long": each(lambda item: item.update(id=item["id"] + "0")),
    "each twice": lambda body: body.update(items=body["items"] * 2),
    "the other way round": lambda body: body["items"].reverse(),
    "one of another organisation": lambda body: body["items"][-1].update(imsOrgId="X@AdobeOrg"),
    "no spec": each(lambda item: item.pop("connectionSpec")),
    "another spec": sets(connectionSpec={"id": "other"}),
    "no time": sets(createdAt=None),
    "one time for all": sets(createdAt=1),
    "times as texts": sets(createdAt="2026-11-30"),
    "times to come": sets(createdAt=10**15),
    "no name": sets(name=None),
    "no credentials": each(lambda item: item.pop("auth")),
    "white space behind the marker": each(lambda item: item.update(description=f"{item['description']} \n")),
    "a state that nobody knows": sets(state="melting"),
    "drafts": sets(state="draft"),
    "an error besides": lambda body: body.update(status=500, errorMessage="no"),
}  # fmt: skip

COUNTS: Mapping[str, Callable[[int], object]] = {
    "the right count": lambda count: count,
    "no count": lambda _: None,
    "a count that is a text": str,
    "a count below zero": lambda _: -1,
    "a count of none": lambda _: 0,
    "too large a count": lambda count: count + 3,
}

WITH_COUNT = (COUNTS["the right count"], COUNTS["too large a count"])


class BentService(FakeService):
    """Lists what stands there as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.bend: Callable[[Body], object] = lambda _: None
        self.count: Callable[[int], object] = lambda count: count

    def _answer(self, body: Mapping[str, object]) -> Response:
        bent = dict(body)
        if "count" in bent:
            bent["count"] = self.count(len(self.existing()))
        elif "_links" in bent and bent["items"]:
            self.bend(bent)
        return super()._answer(bent)


async def five_of_eight() -> BentService:
    """What a ledger made that is lost since."""
    service = BentService()
    await Bench(service=service).run(ROWS[:MADE])
    await anyio.sleep(400)
    return service


def is_fast(turn: int, number: int) -> bool:
    """In the fast lane each listing comes with one count, and each count in turn."""
    return number == turn % len(COUNTS)


EACH_WITH_EACH = [
    pytest.param(
        BENT[how],
        COUNTS[what],
        id=f"{how}-{what}",
        marks=[] if is_fast(turn, number) else [pytest.mark.slow],
    )
    for turn, how in enumerate(BENT)
    for number, what in enumerate(COUNTS)
]


@pytest.mark.parametrize(("bend", "count"), EACH_WITH_EACH)
async def test_a_new_ledger_over_a_bent_listing_makes_no_row_twice(
    bend: Callable[[Body], object], count: Callable[[int], object]
) -> None:
    if bend is BENT["cut to none"] and count not in WITH_COUNT:
        return  # nothing tells it from a sandbox that is empty
    service = await five_of_eight()
    service.bend, service.count = bend, count
    bench = Bench(service=service)

    state = await bench.run(ROWS)

    assert service.twice() == [], bench.codes(state)
    assert len(bench.rows(state)) == len(ROWS)


@pytest.mark.parametrize("count", WITH_COUNT)
@pytest.mark.parametrize("name", ["cut to one", "cut to none", "one time for all", "no time"])
async def test_two_readings_agree_only_where_an_order_shows(
    name: str, count: Callable[[int], object]
) -> None:
    """One item is in every order, and so are items of one time: a count that says more is believed."""
    service = await five_of_eight()
    service.keeps_order = False
    service.bend, service.count = BENT[name], count
    bench = Bench(service=service)

    state = await bench.run(ROWS)

    assert service.twice() == [], bench.codes(state)


@pytest.mark.parametrize("bend", [BENT["no id"], BENT["every id a number"]], ids=["none", "number"])
async def test_ids_that_are_none_block_their_own_rows_alone(bend: Callable[[Body], object]) -> None:
    """However alike they are: each of those rows is a conflict, and the others are created."""
    service = await five_of_eight()
    service.bend = bend
    bench = Bench(service=service)

    state = await bench.run(ROWS)

    assert Counter(bench.codes(state)) == {"odd_id": MADE, "": len(ROWS) - MADE}
    assert Counter(bench.statuses(state))[Status.CONFLICT] == MADE
