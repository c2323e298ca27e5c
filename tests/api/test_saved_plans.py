"""A plan that a program saves and follows: what the command line's does, in both directions."""

import json
from pathlib import Path

import pytest

import batchconnect as library
from batchconnect import PlanChangedError, RunOptions, Status, UsageError
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, cells, many

QUICK = RunOptions(rate=200.0, settle=0.3)


def test_a_plan_of_the_command_is_followed_by_a_program(
    place: CommandLine, practice: Practice
) -> None:
    """Its sheets and options are the plan's, so that none is named again; a sorted sheet is the same."""
    place.sheet([cells(n, sandbox="") for n in (1, 2, 3)])
    planned = place("plan", "clients.csv", "--sandbox", "dev", "--out", "p.json")
    place.sheet([cells(n, sandbox="") for n in (3, 1, 2)])

    report = library.onboard_sync(plan="p.json", reports="reports", options=QUICK)

    assert planned.code == 0
    assert report.counts[Status.CREATED] == 3
    assert {row.sandbox for row in report.rows} == {"dev"}


def test_a_plan_of_a_program_is_followed_by_the_command(
    place: CommandLine, practice: Practice
) -> None:
    """And no key is in it."""
    sheet = place.sheet(many(2))
    found = library.plan_sync(sheet, out="p.json", reports="reports", options=QUICK)
    done = place("run", "--plan", "p.json", *FAST)

    assert found.saved == Path("p.json").absolute()
    assert done.code == 0, done
    assert cells(1)["servicePrincipalKey"] not in Path("p.json").read_text(encoding="utf-8")
    assert Path("p.json").stat().st_mode & 0o777 == 0o600


def test_what_has_changed_is_named_and_nothing_is_sent(
    place: CommandLine, practice: Practice
) -> None:
    """By `changes`, as the screen names it; but for a key, which no plan sees."""
    rows = many(2)
    library.plan_sync(rows, out="p.json", reports="reports", options=QUICK)
    other = [rows[0], {**rows[1], "database": "other"}]
    with pytest.raises(PlanChangedError) as caught:
        library.onboard_sync(other, plan="p.json", reports="reports", options=QUICK)

    assert any("`database` is `other`" in one for one in caught.value.changes)
    assert (caught.value.exit_code, practice.creates()) == (3, [])
    new_key = [rows[0], {**rows[1], "servicePrincipalKey": "another~key-of-its-own"}]
    report = library.onboard_sync(new_key, plan="p.json", reports="reports", options=QUICK)
    assert report.counts[Status.CREATED] == 2


def test_where_not_each_row_has_a_fate_nothing_is_saved(
    place: CommandLine, practice: Practice
) -> None:
    """A rejected row leaves nothing to approve, unless it is to be skipped."""
    rows = [*many(1), cells(2, database="")]
    found = library.plan_sync(rows, out="p.json", reports="reports", options=QUICK)
    skipping = RunOptions(rate=200.0, settle=0.3, skip_invalid=True)
    skipped = library.plan_sync(rows, out="p.json", reports="reports", options=skipping)

    assert (found.saved, found.exit_code) == (None, 3)
    assert skipped.saved is not None
    assert json.loads(Path("p.json").read_text(encoding="utf-8"))["options"]["skip_invalid"] is True


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"out": 7}, "out must be a path"),
        ({"out": ""}, "out must be a path"),
        ({"out": "notes.json"}, "exists, and is no plan"),
        ({"out": "p.json", "rotates": True}, "out with rotates"),
        ({"out": "p.json", "reports": None}, "nothing says where its ledger is"),
        ({"out": "nowhere/p.json"}, "nowhere"),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(one),
)
def test_what_cannot_be_saved_is_refused_before_anything_is_read(
    place: CommandLine, practice: Practice, named: dict[str, object], says: str
) -> None:
    """One `UsageError` each."""
    place.write("notes.json", "{}")
    given = {"reports": "reports", "options": QUICK, **named}
    with pytest.raises(UsageError, match=says):
        library.plan_sync(many(1), **given)  # type: ignore[arg-type]

    assert practice.journal() == []


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({}, "no sheet is named"),
        ({"plan": 7}, "plan must be a path"),
        ({"plan": "gone.json"}, "gone.json"),
        ({"plan": "notes.json"}, "is no plan of batchconnect"),
        ({"plan": "p.json", "reports": None}, "nothing says where its ledger is"),
        ({"plan": "p.json", "reports": "elsewhere"}, "is of another ledger"),
        ({"plan": "p.json", "options": RunOptions(simulate=True)}, "this run is simulated"),
        ({"plan": "p.json", "options": {"rate": 5}}, "options must be a RunOptions"),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(one) or "nothing",
)
def test_what_cannot_be_followed_is_refused(
    place: CommandLine, practice: Practice, named: dict[str, object], says: str
) -> None:
    """One `UsageError` each, and nothing is sent."""
    sheet = place.sheet(many(1))
    place.write("notes.json", "{}")
    library.plan_sync(sheet, out="p.json", reports="reports", options=QUICK)
    given = {"reports": "reports", "options": QUICK, **named}
    with pytest.raises(UsageError, match=says):
        library.onboard_sync(**given)  # type: ignore[arg-type]

    assert practice.creates() == []
