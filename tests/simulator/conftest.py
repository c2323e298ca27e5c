"""Whatever a test asks the simulator, its answer is one that the contract knows."""

from collections.abc import Iterator

import pytest

from batchconnect.simulator import Simulator
from batchconnect.simulator.decision import Delivery
from batchconnect.simulator.exchange import Request
from tests.contract.messages import Watch


@pytest.fixture(autouse=True)
def every_answer_is_described(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Holds all that any simulator of this process says by itself."""
    watch = Watch()
    receive = Simulator.receive

    def watched(simulator: Simulator, request: Request) -> Delivery:
        delivery = receive(simulator, request)
        watch.look(request, delivery)
        return delivery

    monkeypatch.setattr(Simulator, "receive", watched)
    yield
    assert watch.departures == []
