"""The practice profiles: repeatable, and survivable by an engine that settles its doubts."""

from collections import Counter
from collections.abc import Callable

import pytest

from batchconnect.simulator import PROFILES, answers, fates, faults
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Decision,
    Delivery,
    Garbled,
    Hang,
    Instead,
    Normal,
    Reset,
    Reshaped,
    Shape,
)
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.records import History
from batchconnect.simulator.testing import ADX_ONLY, Caller, Clock, adx, code, parsed
from tests.fast_lane import few

SENDS = 3
"""The first time, and twice again after proven absence."""
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def marker(row: int) -> str:
    return f"bc1-{'a' * 23}{BASE32[row // 1024]}{BASE32[row // 32 % 32]}{BASE32[row % 32]}"


class Engine:
    """The smallest engine that keeps the contract's rules, with a clock that is set by hand."""

    def __init__(self, sim: Simulator, clock: Clock) -> None:
        self.sim = sim
        self.clock = clock
        self.caller = Caller(sim)
        self.doubts = 0
        self.refused = 0

    def bring_home(self, row: int) -> str:
        """One row's story: send, and while in doubt look for the marker."""
        body = adx(f"row {row}", description=f"text {marker(row)}")
        for _ in range(SENDS):
            found = self.send(body) or self.settle(marker(row))
            if found is not None:
                return found
        raise AssertionError(f"row {row} was lost")

    def send(self, body: object) -> str | None:
        for _ in range(100):
            delivery = self.talk(lambda: self.caller.deliver("POST", "/connections", body=body))
            answer = delivery.answer
            if isinstance(delivery.reply, Reset | Closed | Garbled | Hang):
                break
            if answer.status == 201:
                location = (answer.header("Location") or "").rsplit("/", 1)[-1]
                return location if len(location) == 36 else None
            if answer.status == 429 or (
                b'"error_code"' in answer.body and code(answer).startswith("503")
            ):
                self.refused += 1
                self.clock.advance(1)
                continue
            assert answer.status >= 500 or answer.status in {200, 202, 204}, answer
            break
        else:
            raise AssertionError("throttled for ever")
        self.doubts += 1
        return None

    def settle(self, wanted: str) -> str | None:
        """Look at once, and last when the settle window has passed."""
        for wait_s in (0.0, self.sim.settle_s):
            self.clock.advance(wait_s)
            found = {i["id"] for i in self.listing() if i["description"].endswith(wanted)}
            assert len(found) <= 1, "sent twice"
            if found:
                return str(found.pop())
        return None

    def listing(self) -> list[dict[str, str]]:
        items, path = [], f"/connections?limit=100&property={ADX_ONLY}"
        href: str | None = ""
        while href is not None:
            page = parsed(self.read(f"{path}{href}").answer)
            items += page["items"]
            link = page["_links"].get("next", {}).get("href")
            href = None if link is None else f"&{link.partition('?')[2]}"
        return items

    def read(self, path: str) -> Delivery:
        for _ in range(5):
            delivery = self.talk(lambda: self.caller.deliver("GET", path))
            if not isinstance(delivery.reply, Reset | Closed) and delivery.answer.status == 200:
                return delivery
            self.clock.advance(1)
        raise AssertionError("a read failed five times")

    def talk(self, send: Callable[[], Delivery]) -> Delivery:
        """With a token, refreshed once after a 401."""
        for refreshed in (False, True):
            for _ in range(5):
                if self.caller.token is not None or self.caller.sign_in().status == 200:
                    break
                self.clock.advance(1)
            assert self.caller.token is not None, "IMS failed five times"
            delivery = send()
            if delivery.answer.status != 401:
                return delivery
            self.caller.token = None
            assert not refreshed, "the fresh token was refused too"
        raise AssertionError("unreachable")


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
@pytest.mark.parametrize("profile", few(PROFILES, 2))
def test_every_profile_can_be_survived(profile: str, seed: int) -> None:
    """Settling by marker and sending at most twice again brings every row home, once."""
    clock = Clock()
    sim = Simulator(profile=profile, seed=seed, clock=clock)
    engine = Engine(sim, clock)

    homes = []
    for row in range(120):
        homes.append(engine.bring_home(row))
        clock.advance(0.02)
    clock.advance(sim.settle_s)

    assert len(set(homes)) == 120
    assert {one.id for one in sim.connections()} == set(homes)
    assert sim.pending == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "doubts", "refused", "tokens"),
    [
        ("none", False, False, False),
        ("throttle", False, True, False),
        ("overload", True, False, False),
        ("ambiguous", True, False, False),
        ("expiry", False, False, True),
        ("flaky", True, True, True),
        ("badday", True, True, True),
    ],
)
def test_every_profile_gives_the_trouble_it_is_named_for(
    profile: str, doubts: bool, refused: bool, tokens: bool
) -> None:
    """And no other."""
    clock = Clock()
    sim = Simulator(profile=profile, seed=3, clock=clock)
    engine = Engine(sim, clock)
    for row in range(300):
        engine.bring_home(row)
        clock.advance(0.02)

    assert (engine.doubts > 0, engine.refused > 0, sim.tokens_issued > 1) == (
        doubts,
        refused,
        tokens,
    )


def story(seed: int) -> list[object]:
    clock = Clock()
    sim = Simulator(profile="badday", seed=seed, clock=clock)
    engine = Engine(sim, clock)
    homes = [engine.bring_home(row) for row in range(60)]
    return [homes, sim.journal(), sim.connections()]


def test_the_same_seed_is_the_same_run() -> None:
    """To the last byte of the journal; another seed is another run."""
    assert story(1) == story(1)
    assert story(1) != story(2)


def test_a_fate_does_not_hang_on_the_order_of_requests() -> None:
    """Only on the seed, the request, and how often it was seen."""
    fates = []
    for order in (range(50), reversed(range(50))):
        caller = Caller(Simulator(profile="ambiguous", seed=9, clock=Clock()))
        fates.append(
            {row: caller.deliver("POST", "/connections", body=adx(str(row))).reply for row in order}
        )

    assert fates[0] == fates[1]


@pytest.mark.slow
def test_a_body_is_lost_without_a_trace_once_at_the_most() -> None:
    """Whatever the seed: the next tries take effect, late at the latest."""
    for seed in range(300):
        clock = Clock()
        sim = Simulator(profile="ambiguous", seed=seed, clock=clock)
        caller = Caller(sim)
        for _ in range(3):
            caller.create()
        clock.advance(sim.settle_s)
        assert len(sim.connections()) >= 2


@pytest.mark.parametrize("profile", PROFILES)
def test_no_fate_is_worse_than_the_profile_says(profile: str) -> None:
    """D, L and the longest hang are what a run's settle window is made of."""
    chosen = faults.profile(profile)
    for attempt in range(2000):
        rng = faults.dice(1, attempt)
        decision = fates.decide_create(chosen, rng, History(), 0.0, beyond_capacity=False)
        assert (decision.apply_after_s or 0.0) <= chosen.max_apply_s <= 2.0
        assert decision.lag_s <= chosen.max_lag_s <= 1.0
        if isinstance(decision.reply, Hang):
            assert decision.reply.seconds <= 3.0


def test_the_settle_window_follows_profile_and_lag() -> None:
    """At least a second and a half."""
    assert Simulator().settle_s == 1.5
    sim = Simulator(profile="ambiguous")
    assert sim.settle_s == 3.5
    sim.lag_s = 30
    assert sim.settle_s == 32.5


def test_an_unknown_profile_is_refused_with_a_hint() -> None:
    """The known ones are named, sorted, and all are there."""
    assert sorted(faults.BY_NAME) == list(PROFILES)
    with pytest.raises(ValueError, match="ambiguous, badday, expiry, flaky, none"):
        Simulator(profile="nightmare")


def test_a_late_create_takes_effect_at_its_time() -> None:
    """Not before, and nothing has to be woken up for it."""
    clock = Clock()
    sim = Simulator(clock=clock)
    caller = Caller(sim)
    fate = Decision(apply_after_s=2.0, reply=Closed(), lag_s=1.0)
    sim.script(lambda request: fate if request.is_create else None)
    caller.create()

    assert (sim.connections(), sim.pending) == ([], 1)
    clock.advance(2)
    assert (len(sim.connections()), sim.pending) == (1, 0)
    assert caller.listed() == []
    clock.advance(1)
    assert len(caller.listed()) == 1


def test_what_never_takes_effect_cannot_have_an_answer_of_the_service() -> None:
    """Such a decision is refused where it is made."""
    with pytest.raises(ValueError, match="HINT"):
        Decision(apply_after_s=None)


def test_a_script_decides_before_limits_and_profile() -> None:
    """Where it says None, they do."""
    sim = Simulator(profile="none", clock=Clock())
    caller = Caller(sim)
    caller.sign_in()
    lost = Decision(apply_after_s=None, reply=Reset())
    sim.script(lambda request: lost if request.json["name"] == "lost" else None)

    assert caller.deliver("POST", "/connections", body=adx("lost")).reply == Reset()
    assert caller.create(adx("kept")).status == 201
    assert [one.name for one in sim.connections()] == ["kept"]
    sim.script(None)
    assert caller.create(adx("lost")).status == 201


def bent(shape: Shape) -> tuple[Simulator, Delivery]:
    sim = Simulator(clock=Clock())

    def bend(request: Request) -> Decision | None:
        return Decision(reply=Reshaped(shape=shape)) if request.is_create else None

    sim.script(bend)
    return sim, Caller(sim).deliver("POST", "/connections", body=adx())


@pytest.mark.parametrize(
    ("shape", "status", "has_body", "has_location"),
    [
        ("no_body", 201, False, False),
        ("not_json", 201, True, True),
        ("no_id", 201, True, False),
        ("location_only", 201, False, True),
        ("location_url", 201, True, True),
        ("no_location", 201, True, False),
        ("odd_id", 201, True, True),
        ("ids_differ", 201, True, True),
        ("no_etag", 201, True, True),
        ("as_200", 200, True, False),
        ("as_202", 202, True, True),
        ("as_204", 204, False, False),
    ],
)
def test_a_created_is_bent_and_the_object_is_there(
    shape: Shape, status: int, has_body: bool, has_location: bool
) -> None:
    """One object, whatever the answer says."""
    sim, delivery = bent(shape)
    answer = delivery.answer

    assert (answer.status, bool(answer.body)) == (status, has_body)
    assert (answer.header("Location") is not None) == has_location
    assert len(sim.connections()) == 1


def test_a_gateways_code_may_be_a_number() -> None:
    """The contract accepts both; other answers stay as they are."""
    sim = Simulator(clock=Clock())
    sim.script(lambda _: Decision(reply=Reshaped(shape="number_code")))
    caller = Caller(sim)
    answer = caller.create(headers={"x-api-key": None})

    assert parsed(answer) == {"error_code": 403000, "message": "Api Key is required"}
    assert caller.create().status == 201
    assert caller.send("DELETE", f"/connections/{sim.connections()[0].id}").status == 204


def test_a_shape_that_does_not_fit_leaves_the_answer_alone() -> None:
    """A refusal is not made a 201."""
    sim = Simulator(clock=Clock())
    sim.script(lambda request: Decision(reply=Reshaped(shape="no_items")))
    caller = Caller(sim)

    assert caller.create().status == 201
    assert parsed(caller.send("GET", "/connections?count=true")) == {"count": 1}
    sim.script(lambda request: Decision(reply=Reshaped(shape="no_body")))
    assert code(caller.create(b"")) == "FLOW-1405-400"


def test_the_mix_of_a_profile_is_what_its_chances_say() -> None:
    """Within the noise of two thousand draws."""
    chosen = faults.profile("badday")
    drawn: Counter[str] = Counter()
    for attempt in range(2000):
        rng = faults.dice(5, attempt)
        decision = fates.decide_create(chosen, rng, History(), 0.0, beyond_capacity=False)
        reply = decision.reply
        if decision.apply_after_s is None:
            busy = isinstance(reply, Instead) and b'"error_code"' in reply.answer.body
            drawn["throttled" if busy else "never"] += 1
        elif decision.apply_after_s > 0:
            drawn["late"] += 1

    for kind in ("throttled", "never", "late"):
        assert drawn[kind] / 2000 == pytest.approx(getattr(chosen.chances, kind), abs=0.015)


# Patches and deletions --------------------------------------------------------------------------------


def rotation(caller: Caller, made: dict[str, str], key: str = "new") -> Delivery:
    patch = [{"op": "replace", "path": "/auth/params/servicePrincipalKey", "value": key}]
    headers = {"if-match": made["etag"]}
    return caller.deliver("PATCH", f"/connections/{made['id']}", body=patch, headers=headers)


def made_with(clock: Clock) -> tuple[Simulator, Caller, dict[str, str]]:
    sim = Simulator(clock=clock)
    caller = Caller(sim)
    return sim, caller, parsed(caller.create(adx(key="old")))


@pytest.mark.parametrize(
    ("decision", "key"),
    [
        (Decision(reply=Reset()), "new"),
        (Decision(reply=Instead(answer=answers.html(504, "Gateway Timeout"))), "new"),
        (Decision(apply_after_s=None, reply=Reset()), "old"),
        (Decision(apply_after_s=None, reply=Instead(answer=answers.empty(502))), "old"),
    ],
)
def test_whether_a_patch_is_applied_and_what_is_answered_are_chosen_apart(
    decision: Decision, key: str
) -> None:
    """Lost before the change, and lost after it; the etag tells which."""
    sim, caller, made = made_with(Clock())
    sim.script(lambda _: decision)

    delivery = rotation(caller, made)

    assert delivery.answer.status != 200
    assert sim.received_key(made["id"]) == key
    assert (sim.connections()[0].etag == made["etag"]) == (key == "old")
    assert sim.journal()[-1].applied == (key == "new")


@pytest.mark.parametrize("applied", [True, False])
def test_a_deletion_is_lost_before_or_after_it(applied: bool) -> None:
    sim, caller, made = made_with(Clock())
    lost = Decision(apply_after_s=0.0 if applied else None, reply=Closed())
    sim.script(lambda _: lost)

    caller.deliver("DELETE", f"/connections/{made['id']}")

    assert (sim.connections() == []) == applied


def test_a_late_patch_takes_effect_at_its_time() -> None:
    """Not before; and nothing has to be woken up for it."""
    clock = Clock()
    sim, caller, made = made_with(clock)
    late = Decision(apply_after_s=2.0, reply=Closed())
    sim.script(lambda request: late if request.is_change else None)
    rotation(caller, made)

    assert (sim.received_key(made["id"]), sim.pending) == ("old", 1)
    clock.advance(2)
    (after,) = sim.connections()
    assert (sim.received_key(made["id"]), sim.pending) == ("new", 0)
    assert after.updated_at == int(clock() * 1000)
    assert after.etag != made["etag"]


def test_a_late_patch_comes_to_nothing_where_somebody_was_faster() -> None:
    """It looks at the etag again; the journal then says that it changed nothing."""
    clock = Clock()
    sim, caller, made = made_with(clock)
    late = Decision(apply_after_s=2.0, reply=Closed())
    sim.script(lambda request: late if request.is_change else None)
    rotation(caller, made)
    sim.others.change(made["id"], name="Theirs")
    clock.advance(2)

    assert [one.name for one in sim.connections()] == ["Theirs"]
    assert sim.received_key(made["id"]) == "old"
    assert sim.journal()[-1].applied_at is None


@pytest.mark.parametrize("used", [True, False])
def test_a_late_deletion_is_judged_again_when_its_time_has_come(used: bool) -> None:
    clock = Clock()
    sim, caller, made = made_with(clock)
    late = Decision(apply_after_s=2.0, reply=Closed())
    sim.script(lambda request: late if request.is_change else None)
    caller.deliver("DELETE", f"/connections/{made['id']}")
    if used:
        sim.others.use(made["id"])

    assert len(sim.connections()) == 1
    clock.advance(2)
    assert (len(sim.connections()), sim.journal()[-1].applied) == (int(used), used is False)


@pytest.mark.parametrize("profile", few(["ambiguous", "flaky", "badday"], 1))
def test_the_same_share_of_patches_is_lost_as_of_creates(profile: str) -> None:
    """Within the noise of so many draws; none is swallowed twice."""
    chosen = faults.profile(profile)
    drawn: Counter[str] = Counter()
    for attempt in range(8000):
        rng = faults.dice(5, attempt)
        decision = fates.decide_change(chosen, rng, History(), 0.0, beyond_capacity=False)
        reply = decision.reply
        if decision.apply_after_s is None:
            busy = isinstance(reply, Instead) and b'"error_code"' in reply.answer.body
            drawn["throttled" if busy else "never"] += 1
        elif decision.is_fault:
            odd = isinstance(reply, Cut)
            drawn["odd" if odd else "late" if decision.apply_after_s > 0 else "lost"] += 1
        assert (decision.apply_after_s or 0.0) <= chosen.max_apply_s
        assert not isinstance(reply, Reshaped)
        again = History(attempts=1, lost=1)
        second = fates.decide_change(
            chosen, faults.dice(5, attempt), again, 0.0, beyond_capacity=False
        )
        swallowed = second.apply_after_s is None
        assert not swallowed or isinstance(second.reply, Instead)

    for kind in ("lost", "late", "never", "odd", "throttled"):
        assert drawn[kind] / 8000 == pytest.approx(getattr(chosen.chances, kind), abs=0.015)
    assert drawn["lost"] > 0


def test_the_same_seed_gives_patches_and_deletions_the_same_fate() -> None:
    """Whatever else was asked meanwhile."""
    fates_of = []
    for listings in (0, 3):
        sim = Simulator(profile="ambiguous", seed=4, clock=Clock())
        caller = Caller(sim)
        told = []
        for row in range(20):
            sim.script(lambda request: Decision() if request.is_create else None)
            made = parsed(caller.create(adx(str(row))))
            for _ in range(listings):
                caller.listed()
            told += [rotation(caller, made).reply]
            told += [caller.deliver("DELETE", f"/connections/{made['id']}").reply]
        fates_of.append([type(reply).__name__ for reply in told])

    assert fates_of[0] == fates_of[1]
    assert len(set(fates_of[0])) > 2


class Rotator(Engine):
    """The smallest engine that sends keys and deletes, and settles its doubts by a GET."""

    def settled(self, connection_id: str) -> dict[str, str] | None:
        """The connection once nothing can come any more; None: it is gone."""
        path = f"/connections/{connection_id}"
        self.clock.advance(self.sim.settle_s)
        for _ in range(5):
            delivery = self.talk(lambda: self.caller.deliver("GET", path))
            if not isinstance(delivery.reply, Reset | Closed):
                if delivery.answer.status == 404:
                    return None
                if delivery.answer.status == 200:
                    return dict(parsed(delivery.answer)["items"][0])
            self.clock.advance(1)
        raise AssertionError("a read failed five times")

    def rotate(self, connection_id: str, key: str) -> None:
        """Send until the etag is a new one."""
        before = self.settled(connection_id)
        assert before is not None
        for _ in range(SENDS + 3):
            delivery = self.talk(lambda: rotation(self.caller, before, key))
            if not (isinstance(delivery.reply, Normal) and delivery.answer.status == 200):
                self.doubts += 1
            after = self.settled(connection_id)
            if after is not None and after["etag"] != before["etag"]:
                return
        raise AssertionError("a key was lost")

    def delete(self, connection_id: str) -> None:
        """Send until it is gone."""
        path = f"/connections/{connection_id}"
        for _ in range(SENDS + 3):
            self.talk(lambda: self.caller.deliver("DELETE", path))
            if self.settled(connection_id) is None:
                return
        raise AssertionError("a deletion was lost")


@pytest.mark.parametrize("profile", few(PROFILES, 2))
def test_every_profile_lets_keys_and_deletions_through(profile: str) -> None:
    """A GET after the settle window tells what a lost answer was; every key arrives, everything goes."""
    clock = Clock()
    sim = Simulator(profile=profile, seed=2, clock=clock)
    engine = Rotator(sim, clock)
    homes = [engine.bring_home(row) for row in range(30)]

    engine.doubts = 0
    for home in homes:
        engine.rotate(home, f"key of {home}")
    keys = {one.id: sim.received_key(one.id) for one in sim.connections()}
    for home in homes:
        engine.delete(home)

    assert keys == {home: f"key of {home}" for home in homes}
    assert sim.connections() == []
    assert sorted(sim.deleted()) == sorted(homes)
    assert bool(engine.doubts) == (profile in {"ambiguous", "badday", "flaky"})
