"""
Every request that the engine can make, made by its own code, and answered by the simulator.

No wire is between them, so that both sides are seen as they are: each request as the engine hands it to
the wire, each answer as the simulator means it. Both are held to the description of the service.
"""

import inspect
from dataclasses import replace
from random import Random

import anyio
import pytest

from batchconnect.flow_service import client
from batchconnect.flow_service.answer import ObjectCreated
from batchconnect.flow_service.change import Changed, InUse, Taken
from batchconnect.lane.lane import Lane, Limits
from batchconnect.model.secret import Secret
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.exchange import Request as Arrived
from batchconnect.simulator.planting import Planted
from batchconnect.simulator.registry import CLIENT_SECRET, client_id_of
from batchconnect.simulator.testing import OTHER_ORG, Clock
from batchconnect.transport.interface import Purpose, Request, Response
from tests.contract.description import BASE_PATH, Message, ours
from tests.contract.messages import answer_problems, hold, of_sent
from tests.fake_service import ACME, cells, judged

pytestmark = pytest.mark.anyio

ORG = replace(
    ACME,
    org_id=OTHER_ORG,
    client_id=client_id_of(OTHER_ORG),
    access_token=None,
    client_secret=Secret(CLIENT_SECRET),
    ims_url="https://ims.test",
)


class Between:
    """The innermost ring of a lane, and the simulator's door."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.sent: list[Message] = []

    async def send(self, request: Request) -> Response:
        hold(request)
        message = of_sent(request)
        self.sent.append(message)
        arrived = Arrived(
            method=message.method,
            path="/" + message.target.split("/", 3)[3].partition("?")[0],
            query=tuple(message.query),
            headers={name.lower(): value for name, value in message.headers.items()},
            body=message.body,
        )
        delivery = self._simulator.receive(arrived)
        assert answer_problems(arrived, delivery) == []
        headers = {name.lower(): value for name, value in delivery.answer.headers}
        return Response(status=delivery.answer.status, headers=headers, body=delivery.answer.body)

    def calls(self) -> set[tuple[str, str]]:
        """Method and path, as the description has it, of all that was sent."""
        found = (ours().operation(one.method, one.target) for one in self.sent)
        return {(one.method, one.template) for one in found if one is not None}


def lane_of(between: Between) -> Lane:
    return Lane(
        ORG,
        between,
        limits=Limits(),
        slots=anyio.CapacityLimiter(4),
        rng=Random(0),
        on_event=lambda _event: None,
    )


async def test_every_request_is_as_described_and_so_is_every_answer() -> None:
    """Token, create, count, three pages, one connection, one that is not there, the spec."""
    simulator = Simulator(clock=Clock())
    between = Between(simulator)
    lane = lane_of(between)
    simulator.plant(*(
        Planted(org_id=OTHER_ORG, sandbox="prod", name=f"Another {number}") for number in range(250)
    ))  # fmt: skip
    row = replace(judged(cells(1, name="Acme, Inc. = Süd")), org=ORG)

    sent = await lane.create(row)
    listing = await lane.list("prod")
    (made,) = simulator.connections()[-1:]
    await lane.get("prod", made.id)
    await lane.get("prod", f"0000{made.id[4:]}")
    spec = await lane.spec("prod")

    assert isinstance(sent.answer, ObjectCreated)
    assert listing.complete
    assert isinstance(spec, client.Spec)
    assert spec.is_as_expected
    assert between.calls() == {
        ("post", "/ims/token/v3"),
        ("post", "/connections"),
        ("get", "/connections"),
        ("get", "/connections/{id}"),
        ("get", "/connectionSpecs/{id}"),
    }
    pages = [one for one in between.sent if "continuationToken" in one.target]
    assert len(pages) == 2


async def test_what_follows_a_create_is_as_described_too() -> None:
    """Test, tables, columns, both ways of sending a key, two pages of usage, deletion."""
    simulator = Simulator(clock=Clock())
    between = Between(simulator)
    lane = lane_of(between)
    row = replace(judged(cells(1)), org=ORG)
    await lane.create(row)
    (made,) = simulator.connections()

    works = await lane.test("prod", made.id)
    tables = await lane.tables("prod", made.id)
    columns = await lane.columns("prod", made.id, "PageViews")
    by_path = await lane.send_key(row, made.id, made.etag)
    assert isinstance(by_path.answer, Changed)
    whole = await lane.send_key(row, made.id, by_path.answer.etag or "", whole=True)
    for number in range(101):
        simulator.others.use(made.id, f"Dataflow {number}")
    used = await lane.usage("prod", made.id)
    kept = await lane.delete("prod", made.id)
    simulator.others.release(made.id)
    deleted = await lane.delete("prod", made.id)

    assert works is True
    assert isinstance(tables, tuple)
    assert isinstance(columns, tuple)
    assert [table.path for table in tables] == ["Events", "PageViews"]
    assert [column.name for column in columns] == ["Timestamp", "Tenant"]
    assert isinstance(whole.answer, Changed)
    assert used == 101
    assert isinstance(kept.answer, InUse)
    assert isinstance(deleted.answer, Taken)
    assert simulator.connections() == []
    assert between.calls() >= {
        ("get", "/connections/{id}/test"),
        ("get", "/connections/{id}/explore"),
        ("get", "/sourceConnections"),
        ("patch", "/connections/{id}"),
        ("delete", "/connections/{id}"),
    }
    assert not any("preview" in one.query for one in simulator.journal())


async def test_the_only_filter_is_that_of_our_own_kind() -> None:
    """The contract, section 3: filters on a user's text prove nothing."""
    between = Between(Simulator(clock=Clock()))
    await lane_of(between).list("prod")

    filters = {value for one in between.sent for name, value in one.query if name == "property"}
    assert filters == {"connectionSpec.id==0479cc14-7651-4354-b233-7480606c2ac3"}


def test_no_request_is_made_that_is_not_sent_above() -> None:
    """A new maker of requests has to be told to this file: each of these is."""
    makers = {
        name
        for name, made in inspect.getmembers(client, inspect.isfunction)
        if inspect.signature(made).return_annotation is Request and not name.startswith("_")
    }

    assert makers == {
        *("create_request", "list_request", "count_request", "get_request", "spec_request"),
        *("key_request", "delete_request", "test_request", "explore_request", "usage_request"),
    }


async def test_a_request_off_the_contract_is_not_taken_for_a_fault() -> None:
    """It ends the test, whatever the engine would make of an exception."""
    between = Between(Simulator(clock=Clock()))
    request = Request(
        purpose=Purpose.READ, method="GET", url=f"https://x.test{BASE_PATH}/conections"
    )

    with pytest.raises(BaseException, match="not described") as caught:
        await between.send(request)
    assert not isinstance(caught.value, Exception)
