"""`verify` and `rotate` on the command line: what they say, to people and to programs, and what comes next."""

from typing import Any

from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

BAD = "wrong-at-test-7000222"
"""As keys that have expired: the simulator knows them by their text."""


Rows = list[dict[str, str]]


def rows(*bad: int, count: int = 3) -> Rows:
    """Valid rows, of which some have a key that their source does not take."""
    return [
        {**row, "servicePrincipalKey": f"{BAD}-{number}"} if number in bad else row
        for number, row in enumerate(many(count), start=1)
    ]


def ran(batchconnect: CommandLine, sheet: Rows, *more: str, code: int = 0) -> Any:
    """A run over a sheet; its summary."""
    done = batchconnect("run", batchconnect.sheet(sheet), *FAST, "--json", *more)
    assert done.code == code, done
    return done.json


def test_a_run_with_verify_tells_what_works_and_why_the_rest_does_not(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Under its own cause, with exit code 4: the connections exist all the same."""
    summary = ran(batchconnect, rows(2), "--verify", code=4)

    assert summary["counts"]["created"] == 3
    assert summary["works"] == {"yes": 2, "no": 1, "not_tested": 0}
    (incident,) = summary["incidents"]
    assert (incident["code"], incident["rows"], incident["works"]) == ("AADSTS7000222", 1, "no")


def test_verify_takes_the_last_run_or_one_by_the_beginning_of_its_id(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = ran(batchconnect, rows())["run_id"]

    last = batchconnect("verify", *FAST)
    named = batchconnect("verify", run_id[:-2], *FAST, "--json")

    assert last.code == named.code == 0, (last, named)
    assert "works: 3 yes" in last.out
    assert (named.json["command"], named.json["parent_run_id"]) == ("verify", run_id)
    assert named.json["works"]["yes"] == 3


def test_verify_of_an_undo_is_refused_and_names_the_run_that_it_is_of(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = ran(batchconnect, rows())["run_id"]
    undone = batchconnect("undo", run_id, *FAST, "--yes", "3", "--json").json["run_id"]

    done = batchconnect("verify", undone, *FAST)

    assert done.code == 2, done
    assert f"{undone} is an undo" in done.err
    assert f"`batchconnect verify {run_id}`" in done.err
    assert "rows in" not in done.out


def test_verify_of_a_sheet_finds_its_connections_and_creates_none(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A row without one is told of, and is exit 4; a key is needed by none, for none is sent."""
    ran(batchconnect, rows(count=2))
    keyless = [{**row, "servicePrincipalKey": ""} for row in rows(count=3)]

    done = batchconnect("verify", batchconnect.sheet(keyless), *FAST, "--json")

    assert done.code == 4, done
    assert done.json["counts"]["existing"] == 2
    assert done.json["counts"]["not_attempted"] == 1
    assert [one["code"] for one in done.json["incidents"]] == ["no_connection"]
    assert len(practice.ask(lambda simulator: simulator.connections())) == 2


def test_rotate_with_failing_takes_only_what_its_last_test_said_no_of(
    batchconnect: CommandLine, practice: Practice
) -> None:
    ran(batchconnect, rows(2), "--verify", code=4)

    done = batchconnect("rotate", batchconnect.sheet(rows()), "--failing", *FAST, "--json")

    assert done.code == 0, done
    assert (done.json["counts"]["updated"], done.json["counts"]["unchanged"]) == (1, 2)
    assert "1/3 updated" in batchconnect("runs").out, "what stayed as it was counts for nothing"
    assert done.json["works_changed"] == {"no_more": 0, "again": 0}, "it was another key"
