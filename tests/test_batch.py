"""Smoke."""

import pytest

from batchconnect.outcome import Status
from tests.fake_service import ACME, BETA, Bench, DENIED, cells, FakeService, lost
from batchconnect.event import LaneStopped
pytestmark = pytest.mark.anyio


async def test_smoke() -> None:
    bench = Bench()
    state = await bench.run([cells(n) for n in range(1, 6)] + [cells(n, "beta") for n in range(6, 9)])
    print(state, bench.statuses(state))
    assert bench.broken_promises(state, 8) == []
    bench = Bench()
    bench.service.denied[ACME.org_id] = DENIED
    state = await bench.run([cells(n) for n in range(1, 6)] + [cells(n, "beta") for n in range(6, 9)])
    print(state, bench.statuses(state), bench.codes(state), bench.heard(LaneStopped))
    print(bench.service.reads(ACME))
    import anyio
    bench = Bench(service=FakeService(lambda seen: lost(applied_s=None) if seen.marker else None))
    state = await bench.run([cells(n) for n in range(1, 4)])
    print(state, bench.statuses(state), bench.codes(state), len(bench.service.posts), anyio.current_time())
    assert 0
