"""
Faults 1 to 23 of the network and the service, over real sockets, with the real command.

Many rows share one run, each with a fault of its own, for a run costs more than a row: the fixture
`troubled` runs them once, and each test looks at its own.
"""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from batchconnect.model.identity import find_marker
from batchconnect.simulator import answers
from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Decision,
    Drip,
    Flood,
    Garbled,
    Hang,
    Instead,
    Reset,
    Reshaped,
)
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.planting import Planted
from batchconnect.simulator.records import Connection
from tests.acceptance.place import Done, Nursery, Place, cells, many, until
from tests.acceptance.practice import (
    ACME,
    BETA,
    SECRETS_OF_TWO,
    Practice,
    assert_exactly_once,
)

pytestmark = pytest.mark.acceptance

TIMEOUT_S, SETTLE_S = 6, 15
"""Of the troubled run: so long that a busy machine is no fault of its own."""
HANGS_S = 600
LOST = Instead(answer=answers.html(504, "Gateway Timeout"))
FATES = {
    "reset and not applied": Decision(apply_after_s=None, reply=Reset()),
    "reset and applied": Decision(reply=Reset()),
    "closed and applied": Decision(reply=Closed()),
    "no HTTP": Decision(reply=Garbled()),
    "timeout and applied": Decision(reply=Hang(seconds=HANGS_S)),
    "timeout and applied later": Decision(apply_after_s=TIMEOUT_S + 1, reply=Hang(seconds=HANGS_S)),
    "504 and applied": Decision(reply=LOST),
    "504 and applied later": Decision(apply_after_s=1.5, reply=LOST),
    "504 and never applied": Decision(apply_after_s=None, reply=LOST),
    "500 and applied": Decision(reply=Instead(answer=answers.html(500, "Internal Server Error"))),
    "201 cut": Decision(reply=Cut()),
    "201 dripping": Decision(reply=Drip(every_s=HANGS_S)),
    "201 endless": Decision(reply=Flood(size=1 << 16, endless=True)),
    "201 as a bomb": Decision(reply=Flood(size=8 << 20, gzip=True)),
    "201 without a body": Decision(reply=Reshaped(shape="no_body")),
    "201 with a location only": Decision(reply=Reshaped(shape="location_only")),
    "201 that is no JSON": Decision(reply=Reshaped(shape="not_json")),
    "201 with an odd id": Decision(reply=Reshaped(shape="odd_id")),
    "201 with two ids": Decision(reply=Reshaped(shape="ids_differ")),
    "200": Decision(reply=Reshaped(shape="as_200")),
    "204": Decision(reply=Reshaped(shape="as_204")),
    "captive portal": Decision(
        apply_after_s=None, reply=Instead(answer=answers.html(200, "Welcome to the guest network"))
    ),
    "400": Decision(
        apply_after_s=None,
        reply=Instead(answer=answers.invalid("1304-400", "mandatory field missing")),
    ),
    "409 and nothing there": Decision(
        apply_after_s=None, reply=Instead(answer=answers.loose(409, "exists already"))
    ),
    "409 and ours is there": Decision(reply=Instead(answer=answers.loose(409, "exists already"))),
    "429": Decision(
        apply_after_s=None, reply=Instead(answer=answers.gateway(429, "429050", "Too many"))
    ),
    "503010": Decision(
        apply_after_s=None, reply=Instead(answer=answers.gateway(503, "503010", "not validated"))
    ),
}
"""By the row's name: what happens to its first create."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """One run in which every row had a fault of its own."""

    done: Done
    results: dict[str, Any]
    made: dict[str, list[Connection]]
    """By name, what the service holds afterwards."""
    creates: dict[str, int]
    """By name, how many POSTs arrived."""
    summary: Any
    posts_when_run_again: int


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Troubled:
    """Healthy rows stand between the faulty ones, for ten doubts in a row pause a lane."""
    place = Place(tmp_path_factory.mktemp("troubled"), nursery)
    names = [
        name
        for pair in zip(FATES, many(len(FATES)), strict=True)
        for name in (pair[0], pair[1]["name"])
    ]
    rows = [cells(number, name=name) for number, name in enumerate(names, start=1)]
    with Practice() as practice:
        place.environ.update(practice.environment())
        fates = dict(FATES)
        seen: dict[str, int] = {}

        def script(request: Request) -> Decision | None:
            if not request.is_create:
                return None
            name = request.json["name"]
            seen[name] = seen.get(name, 0) + 1
            return fates.pop(name, None)

        practice.script = script
        pace = ("--rate", "30", "--timeout", str(TIMEOUT_S), "--settle", str(SETTLE_S))
        done = place.run("run", place.sheet(rows), *pace)
        results, summary, creates = place.results(), place.summary(), dict(seen)
        made: dict[str, list[Connection]] = {}
        for one in practice.connections():
            made.setdefault(one.name, []).append(one)
        place.run("run", "clients.csv", *pace)
        place.secrets |= practice.tokens
    assert place.leaks() == []
    again = sum(seen.values()) - sum(creates.values())
    return Troubled(
        done=done,
        results=results,
        made=made,
        creates=creates,
        summary=summary,
        posts_when_run_again=again,
    )


NOT_MADE = {"400", "409 and nothing there"}
SENT_TWICE = {"reset and not applied", "504 and never applied", "captive portal", "429", "503010"}
READ_FROM_LOCATION = {
    "201 cut",
    "201 dripping",
    "201 endless",
    "201 as a bomb",
    "201 with a location only",
    "201 that is no JSON",
}


@pytest.mark.parametrize("name", [name for name in FATES if name not in NOT_MADE])
def test_a_row_with_a_fault_has_one_connection(troubled: Troubled, name: str) -> None:
    """Created once, and the report names it; sent again only where it surely was not applied."""
    row = troubled.results[name]

    assert row["status"] == "created", row
    assert [row["connection_id"]] == [one.id for one in troubled.made[name]]
    assert 1 + (name in SENT_TWICE) == troubled.creates[name]


@pytest.mark.parametrize("name", sorted(READ_FROM_LOCATION))
def test_location_is_believed_where_the_body_is_not_there(troubled: Troubled, name: str) -> None:
    """No doubt, and no look-up."""
    assert not troubled.results[name]["reconciled"], troubled.results[name]


@pytest.mark.parametrize("name", sorted(NOT_MADE))
def test_a_refused_row_fails_alone(troubled: Troubled, name: str) -> None:
    """400 at once; 409 after its absence is proven, never looped."""
    row = troubled.results[name]

    assert row["status"] == "failed", row
    assert name not in troubled.made
    assert troubled.creates[name] == 1


def test_healthy_rows_between_them_are_created(troubled: Troubled) -> None:
    """No fault of a row is another's."""
    healthy = [row for name, row in troubled.results.items() if name.startswith("Client")]

    assert {"created"} == {row["status"] for row in healthy}
    assert {1} == {troubled.creates[row["name"]] for row in healthy}


def test_the_troubled_run_ends_with_a_clean_sweep(troubled: Troubled) -> None:
    """Exit 4 for the refused rows; nothing missing, nothing twice; run again, only they are sent."""
    assert troubled.done.code == 4, troubled.done
    sweep = troubled.summary["sweep"]
    assert [sweep["duplicated"], sweep["missing"]] == [[], []]
    assert len(NOT_MADE) == troubled.posts_when_run_again


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_refused_socket_is_tried_again_without_a_window(place: Place) -> None:
    """Fault 1: nothing left, so no row is in doubt, and nothing is swept."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {
        "BATCHCONNECT_ORG_ID": ACME,
        "BATCHCONNECT_CLIENT_ID": "client-acme",
        "BATCHCONNECT_CLIENT_SECRET": SECRETS_OF_TWO["ACME_SECRET"],
        "BATCHCONNECT_PLATFORM_URL": url,
        "BATCHCONNECT_IMS_URL": url,
    }
    running = place.start("run", place.sheet(many(3)), "--rate", "20", env=environ)
    until(lambda: "goes on" in running.said or (place.reports / "ledger.sqlite3").exists())
    threading.Event().wait(0.5)
    with Practice(port=port) as practice:
        done = running.done()
        assert done.code == 0, done
        assert place.summary()["sweep"]["missing"] == []
        assert place.summary()["requests"]["in_doubt"] == 0
        assert_exactly_once(practice, place, {row["name"] for row in many(3)})


def test_retry_after_holds_one_lane_and_not_the_other(place: Place, practice: Practice) -> None:
    """Fault 8: 429 with `Retry-After: 6`; that lane waits for at least so long, the other goes on."""
    for name in practice.environment():
        del place.environ[name]
    place.settings(practice.two_orgs())
    rows = [cells(n, org="acme" if n % 2 else "beta") for n in range(1, 9)]
    once = [answers.gateway(429, "429050", "Too many requests", ("Retry-After", "6"))]

    def script(request: Request) -> Decision | None:
        if request.is_create and request.org_id == BETA and once:
            return Decision(apply_after_s=None, reply=Instead(answer=once.pop()))
        return None

    practice.script = script
    done = place.run("run", place.sheet(rows), "--rate", "10", env=SECRETS_OF_TWO)
    beta, acme = practice.creates(BETA), practice.creates(ACME)
    refused = next(one for one in beta if one.status == 429)
    after = [one.at for one in beta if one.ordinal > refused.ordinal]

    assert done.code == 0, done
    assert len(beta) == 4 + 1
    assert min(after) - refused.at >= 6
    assert max(one.at for one in acme) < min(after)
    assert_exactly_once(practice, place, {row["name"] for row in rows})


def test_a_token_that_dies_in_mid_run_is_refreshed_once(place: Place, practice: Practice) -> None:
    """Fault 11: one refresh for all the rows that met it."""
    stale = Instead(answer=answers.gateway(401, "401013", "Oauth token is not valid"))
    first: list[str] = []

    def script(request: Request) -> Decision | None:
        bearer = request.headers.get("authorization", "")
        if request.is_create:
            first.append(bearer)
            if len(first) > 3 and bearer == first[0]:
                return Decision(apply_after_s=None, reply=stale)
        return None

    practice.script = script
    done = place.run("run", place.sheet(many(8)), "--rate", "30", "--settle", "3")

    assert done.code == 0, done
    assert practice.simulator.tokens_issued == 2
    assert_exactly_once(practice, place, {row["name"] for row in many(8)})


def test_a_second_401_stops_the_lane(place: Place, practice: Practice) -> None:
    """Fault 11: with a fresh token in hand it is the org's trouble; looked up before it is failed; exit 7."""
    refusal = Decision(
        apply_after_s=None,
        reply=Instead(answer=answers.gateway(401, "401013", "Oauth token is not valid")),
    )
    practice.script = lambda request: refusal if request.is_create else None
    done = place.run("run", place.sheet(many(8)), "--settle", "2", "--concurrency", "2")
    statuses = [row["status"] for row in place.results().values()]

    assert done.code == 7, done
    assert practice.connections() == []
    assert len(practice.creates()) <= 5
    assert {"failed", "not_attempted"} == set(statuses)
    assert [one["code"] for one in place.summary()["incidents"]] == ["401013"]


@pytest.mark.parametrize("is_applied_again", [False, True])
def test_a_row_whose_token_was_refused_though_it_was_applied_is_looked_up(
    place: Place, practice: Practice, *, is_applied_again: bool
) -> None:
    """Found once it is created, whatever the second answer said; found twice it is exit 6."""
    stale = Instead(answer=answers.gateway(401, "401013", "Oauth token is not valid"))
    wrong = Instead(answer=answers.gateway(400, "1308-400", "Refused"))
    met: list[str] = []

    def script(request: Request) -> Decision | None:
        if not request.is_create:
            return None
        met.append(request.headers.get("authorization", ""))
        if len(met) == 1:
            return Decision(reply=stale)
        if len(met) == 2 and not is_applied_again:
            return Decision(apply_after_s=None, reply=wrong)
        return None

    practice.script = script
    done = place.run("run", place.sheet(many(1)), "--settle", "2")
    (row,) = place.results().values()

    assert len(practice.connections()) == 1 + is_applied_again
    assert done.code == (6 if is_applied_again else 0), done
    assert row["status"] == ("conflict" if is_applied_again else "created")
    assert row["reconciled"] is not is_applied_again


@pytest.fixture
def other_host() -> Iterator[tuple[int, list[bytes]]]:
    """A second server: its port, and every byte that arrived there."""
    arrived: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                try:
                    with listening.accept()[0] as one:
                        arrived.append(one.recv(1 << 16))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield listening.getsockname()[1], arrived
        is_over.set()
        thread.join()


def test_a_redirect_is_never_followed(
    place: Place, practice: Practice, other_host: tuple[int, list[bytes]]
) -> None:
    """Fault 16: 307 to another host; nothing arrives there, the lane stops, the row is in doubt."""
    port, arrived = other_host
    away = answers.redirect(307, f"http://localhost:{port}/connections")
    fate = Decision(apply_after_s=None, reply=Instead(answer=away))
    practice.script = lambda request: fate if request.is_create else None
    done = place.run("run", place.sheet(many(4)), "--concurrency", "1", "--settle", "1")

    assert arrived == []
    assert done.code == 7, done
    assert len(practice.creates()) == 1
    assert place.statuses() == {"not_attempted": 4}, "the one that was sent is proven absent"
    assert "redirect to localhost" in place.summary()["incidents"][0]["title"] + done.out + done.err


def test_a_captive_portal_is_no_empty_listing(place: Place, practice: Practice) -> None:
    """Fault 17: HTML with status 200 is no answer of Adobe's: the lane stops at once, nothing is created."""
    practice.ask(lambda simulator: simulator.deny(ACME, "portal"))
    done = place.run("run", place.sheet(many(2)), "--rate", "20")

    assert done.code == 7, done
    assert practice.creates() == []
    assert place.statuses() == {"not_attempted": 2}


@pytest.mark.parametrize(
    "fate",
    [
        Decision(reply=Cut(after_bytes=20)),
        Decision(reply=Reshaped(shape="repeat_token")),
        Decision(reply=Reshaped(shape="no_items")),
    ],
    ids=["cut", "token repeated", "no items"],
)
def test_a_broken_listing_proves_no_absence(
    place: Place, practice: Practice, fate: Decision
) -> None:
    """Fault 18: a row whose create was lost stays in doubt while listings fail; exit 6, sent once."""
    target = {
        "endpoint": "https://foreign.westeurope.kusto.windows.net",
        "database": "foreign",
        "tenant": "contoso.onmicrosoft.com",
        "servicePrincipalId": "aaaaaaaa-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    }
    foreign = [
        Planted(org_id=ACME, sandbox="dev", name=f"Foreign {n}", params=target, age_s=9999)
        for n in range(120)
    ]
    practice.ask(lambda simulator: simulator.plant(*foreign))
    sent: list[int] = []

    def script(request: Request) -> Decision | None:
        if request.is_create:
            sent.append(1)
            return Decision(apply_after_s=None, reply=LOST)
        return fate if request.is_listing and sent else None

    practice.script = script
    done = place.run(
        *("run", place.sheet(many(1)), "--rate", "20", "--settle", "0.5", "--patience", "2")
    )

    assert done.code == 6, done
    assert place.statuses() == {"in_doubt": 1}
    assert len(practice.creates()) == 1


def test_two_objects_with_our_marker_are_reported_and_kept(
    place: Place, practice: Practice
) -> None:
    """Fault 19: somebody copied one; it is said, and none is deleted."""
    sheet = place.sheet(many(2))
    assert place.run("run", sheet, "--rate", "20").code == 0
    ours = practice.connections()[0]
    copy = Planted(
        org_id=ACME,
        sandbox="dev",
        name=ours.name,
        description=ours.description,
        params=ours.params,
        age_s=999,
    )
    practice.ask(lambda simulator: simulator.plant(copy))
    done = place.run("run", sheet, "--rate", "20")

    assert find_marker(ours.description or "") is not None
    assert done.code in {4, 6}, done
    assert "duplicat" in done.out.lower()
    assert place.results()[ours.name]["status"] == "conflict"
    assert len(practice.connections()) == 3
    assert {"GET", "POST"} == {entry.method for entry in practice.journal()}


def test_the_same_name_with_a_foreign_target_is_a_conflict(
    place: Place, practice: Practice
) -> None:
    """Fault 20: nothing is sent for it; `plan` says so before."""
    target = {
        "endpoint": "https://foreign.westeurope.kusto.windows.net",
        "database": "foreign",
        "tenant": "contoso.onmicrosoft.com",
        "servicePrincipalId": "aaaaaaaa-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    }
    foreign = Planted(org_id=ACME, sandbox="dev", name=many(1)[0]["name"], params=target, age_s=999)
    practice.ask(lambda simulator: simulator.plant(foreign))
    sheet = place.sheet(many(2))
    plan = place.run("plan", sheet)
    done = place.run("run", sheet, "--rate", "20")

    assert (plan.code, done.code) == (4, 4), (plan, done)
    assert "row 2" in plan.out
    assert place.statuses() == {"conflict": 1, "created": 1}
    assert len(practice.creates()) == 1
