"""Two orgs in one sheet, one of them denied: the other finishes, and a rerun touches the denied rows alone."""

import pytest

from tests.acceptance.place import Place, cells
from tests.acceptance.practice import (
    ACME,
    BETA,
    SECRETS_OF_TWO,
    Practice,
    assert_exactly_once,
)

pytestmark = pytest.mark.acceptance

HANDFUL = 3
"""Requests that a denied lane may cost, a refreshed token's second try included."""
ROWS = [
    cells(number, org="acme" if number % 2 else "beta", **{"account manager": "Ännie"})
    for number in range(1, 13)
]
NAMES = {row["name"] for row in ROWS}


@pytest.fixture
def two(place: Place, practice: Practice) -> Practice:
    """A settings file of both orgs instead of the variables of one."""
    for name in practice.environment():
        del place.environ[name]
    place.environ.update(SECRETS_OF_TWO)
    place.settings(practice.two_orgs())
    place.sheet(ROWS)
    return practice


@pytest.mark.parametrize("how", ["403025", "invalid_client", "2000"])
def test_a_denied_org_is_one_incident_and_a_rerun_brings_it_home(
    place: Place, two: Practice, how: str
) -> None:
    """Whether the platform or the sign-in says no; the rerun after the fix sends those rows alone."""
    two.ask(lambda simulator: simulator.deny(BETA, how))
    done = place.run("run", "clients.csv", "--rate", "20")
    results, summary = place.results(), place.summary()
    first, to_beta = two.mark(), len(two.journal(BETA))

    assert done.code == 4, done
    assert {row["status"] for row in results.values() if row["org"] == "acme"} == {"created"}
    assert {row["status"] for row in results.values() if row["org"] == "beta"} == {"not_attempted"}
    assert to_beta <= HANDFUL
    assert two.creates(BETA) == []
    assert [(one["org"], one["rows"]) for one in summary["incidents"]] == [("beta", 6)]
    assert f"next:   batchconnect rerun {summary['run_id']}" in done.out

    two.ask(lambda simulator: simulator.allow(BETA))
    rerun = place.run("rerun", "--rate", "20")
    assert rerun.code == 0, rerun
    assert two.journal(ACME, since=first) == [], "what is done is not touched"
    assert len(two.creates(BETA)) == 6
    assert summary["run_id"] == place.summary()["parent_run_id"]
    assert_exactly_once(two, place, NAMES)
    nothing = place.run("rerun")
    assert nothing.code == 0, nothing
    assert "nothing to do" in nothing.out


def test_every_org_denied_stops_the_run(place: Place, two: Practice) -> None:
    """Exit 7, nothing created, one incident for each."""
    two.ask(lambda simulator: simulator.deny(ACME, "403025"))
    two.ask(lambda simulator: simulator.deny(BETA, "403025"))
    done = place.run("run", "clients.csv", "--rate", "20", "--json")

    assert done.code == 7, done
    assert {word: n for word, n in done.json["counts"].items() if n} == {"not_attempted": 12}
    assert {"acme", "beta"} == {one["org"] for one in done.json["incidents"]}
    assert two.creates() == []


def test_a_missing_sandbox_stops_only_its_own_rows(place: Place, two: Practice) -> None:
    """2100: the lane's other sandbox goes on."""
    rows = [cells(n, org="acme", sandbox="dev" if n % 2 else "missing") for n in range(1, 9)]
    place.sheet(rows)
    done = place.run("run", "clients.csv", "--rate", "20")
    results = place.results().values()

    assert done.code == 4, done
    assert {row["status"] for row in results if row["sandbox"] == "dev"} == {"created"}
    assert {row["status"] for row in results if row["sandbox"] == "missing"} == {"not_attempted"}
    incidents = place.summary()["incidents"]
    assert [(one["sandbox"], one["rows"]) for one in incidents] == [("missing", 4)]
    assert [one for one in two.creates() if one.sandbox == "missing"] == []


def test_orgs_says_who_is_refused_and_why(place: Place, two: Practice) -> None:
    """Exit 4 where some are, 0 where none is; nothing is changed."""
    two.ask(lambda simulator: simulator.deny(BETA, "invalid_client"))
    refused = place.run("orgs", "--sandbox", "dev")
    two.ask(lambda simulator: simulator.allow(BETA))
    fine = place.run("orgs", "--sandbox", "dev", "--json")

    assert refused.code == 4, refused
    assert "invalid_client" in refused.out
    assert fine.code == 0, fine
    assert [org["ok"] for org in fine.json["orgs"]] == [True, True]
    assert {entry.method for entry in two.journal(ACME)} == {"GET"}
