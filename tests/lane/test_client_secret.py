"""An org's client secret that a store holds: it is there at the sign-in, or the sign-in says what is wrong with it."""

from collections.abc import Collection, Mapping

import pytest

from batchconnect.lane.client_secret import looked_up
from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.stores.resolver import STORES_ALONE, StoreResolver
from batchconnect.transport.ims import SignInError
from tests.fake_service import org
from tests.lane.key_runs import FakeStore, opened

pytestmark = pytest.mark.anyio

AT = Reference("kv:acme")
ORG = org("acme", client_secret_at=AT)


class Answering:
    """A resolver with one answer."""

    def __init__(self, answer: LookedUp) -> None:
        self.answer = answer

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        return dict.fromkeys(references, self.answer)


async def test_the_secret_is_looked_up_when_the_lane_signs_in() -> None:
    look_up = looked_up(ORG, Answering(StoredSecret(value=Secret("fake"))))
    assert look_up is not None

    assert await look_up() == Secret("fake")


async def test_a_secret_that_was_refused_is_asked_for_anew_though_it_is_still_held() -> None:
    """A store gives out again what a row holds; whoever was refused wants what stands there by now."""
    store = FakeStore()
    async with opened(store) as line:
        look_up = looked_up(ORG, StoreResolver({"kv": line}, STORES_ALONE))
        assert look_up is not None
        refused = await look_up()
        again = await look_up()

    assert refused == again
    assert store.asked == ["acme"] * 2


async def test_a_secret_that_stands_in_the_settings_is_looked_up_nowhere() -> None:
    assert looked_up(org("acme"), Answering(StoredSecret(value=Secret("fake")))) is None
    assert looked_up(ORG, None) is None


async def test_a_store_in_trouble_is_the_reason_why_nobody_signs_in() -> None:
    answer = NotAttempted(code="store_down", detail="It answered 503.", store="kv")
    look_up = looked_up(ORG, Answering(answer))
    assert look_up is not None

    with pytest.raises(SignInError, match=r"It answered 503\.") as refused:
        await look_up()
    assert refused.value.code == "store_down"


async def test_what_is_wrong_with_it_is_said_of_the_setting_and_not_of_a_cell() -> None:
    """The stores' words are made for a row's key; here a person has to look into the settings."""
    problem = Problem(
        code="secret_not_found",
        what="the store kv has no such secret",
        remedy="Correct the cell",
    )
    look_up = looked_up(ORG, Answering(problem))
    assert look_up is not None

    with pytest.raises(SignInError) as refused:
        await look_up()
    assert refused.value.code == "secret_not_found"
    assert str(refused.value).endswith("Correct client_secret of org acme")
