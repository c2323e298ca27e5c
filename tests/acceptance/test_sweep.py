"""
The sweep at the end of a run, by the real command: who doubled, and whose id was answered.

The answers look healthy in each of these; only a look at what stands there tells.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.planting import Planted
from tests.acceptance.place import Place, many
from tests.acceptance.practice import ACME, Practice

pytestmark = pytest.mark.acceptance

ZEROS = "00000000-0000-0000-0000-000000000000"
QUICK = ("--rate", "200", "--settle", "2")


def asked(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(request.body)
    return body


def answered(connection_id: str) -> Decision:
    """Applied, and answered with an id of somebody's choice."""
    answer = answers.json_answer(201, {"id": connection_id, "etag": '"made-up"'})
    return Decision(reply=Instead(answer=answer))


def ids(place: Place) -> Mapping[str, str]:
    return {name: row["connection_id"] for name, row in place.results().items()}


def test_a_gateway_that_repeats_a_post_is_exit_6(place: Place, practice: Practice) -> None:
    """Each answer was a healthy 201, and two rows exist twice."""
    doubled: list[str] = []

    def script(request: Request) -> Decision | None:
        if request.is_create and len(doubled) < 2:
            body = asked(request)
            doubled.append(body["description"])
            copy = Planted(
                org_id=ACME,
                sandbox="dev",
                name=body["name"],
                description=body["description"],
                params=body["auth"]["params"],
            )
            practice.soon(lambda simulator: simulator.plant(copy))
        return None

    practice.script = script
    done = place.run("run", place.sheet(many(5)), *QUICK)

    assert done.code == 6, done
    assert len(place.summary()["sweep"]["duplicated"]) == 2
    assert "2 duplicated" in done.out


def test_two_rows_with_one_id_are_both_doubts_and_settled_by_looking(
    place: Place, practice: Practice
) -> None:
    """The ledger finds them at once, so neither is reported before its marker was seen; it holds ever after."""

    def script(request: Request) -> Decision | None:
        if not request.is_create:
            return None
        made = [one.id for one in practice.simulator.connections()]
        if not made:
            return None
        return answered(made[0])

    practice.script = script
    done = place.run("run", place.sheet(many(4)), *QUICK, "--concurrency", "1")
    practice.script = lambda request: None

    assert done.code == 0, done
    assert place.summary()["requests"]["in_doubt"] == 4
    assert {row["reconciled"] for row in place.results().values()} == {True}
    assert place.summary()["lanes"][0]["created"] == 4
    there = {one.name: one.id for one in practice.connections()}
    assert there == ids(place)
    assert place.run("run", place.sheet(many(4)), *QUICK).code == 0


@pytest.mark.parametrize("connection_id", [ZEROS, "7f1fbb2e-6d0a-4a52-8f6e-3b1a54ec4d1{}"])
@pytest.mark.parametrize("rows", [1, 3])
def test_an_id_that_exists_nowhere_is_not_reported(
    place: Place, practice: Practice, connection_id: str, rows: int
) -> None:
    """The sweep puts it right, and says so; several rows with one such id are doubts before."""
    number = iter(range(10))
    practice.script = lambda request: (
        answered(connection_id.format(next(number))) if request.is_create else None
    )
    done = place.run("run", place.sheet(many(rows)), *QUICK)
    practice.script = lambda request: None
    are_doubts = rows > 1 and connection_id == ZEROS

    assert done.code == (0 if are_doubts else 6), done
    assert len(place.summary()["sweep"]["wrong_id"]) == (0 if are_doubts else rows)
    assert {one.name: one.id for one in practice.connections()} == ids(place)


def test_rows_that_were_never_made_do_not_pass_as_existing(
    place: Place, practice: Practice
) -> None:
    """Each was answered with an earlier run's id and not applied: proven so, and the next run brings them home."""
    sheet = place.sheet(many(4))
    healthy = place.run("run", sheet, *QUICK, "--max-rows", "1")
    (made,) = practice.connections()
    answer = answers.json_answer(201, {"id": made.id, "etag": '"made-up"'})
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=answer)) if request.is_create else None
    )
    broken = place.run("run", sheet, *QUICK)
    codes = {row["error_code"] for row in place.results().values()}
    practice.script = lambda request: None
    again = place.run("run", sheet, *QUICK)

    assert healthy.code == 8, healthy
    assert broken.code == 4, broken
    assert codes == {None, "never_applied"}
    assert again.code == 0, again
    assert {one.name: one.id for one in practice.connections()} == ids(place)
    assert len(practice.connections()) == 4


def test_ten_new_rows_in_a_sandbox_of_ten_thousand_cost_three_requests(
    place: Place, practice: Practice
) -> None:
    """Newest first, down to ten minutes before the first create."""
    foreign = [
        Planted(org_id=ACME, sandbox="dev", name=f"Foreign {n}", age_s=9999) for n in range(10_000)
    ]
    practice.ask(lambda simulator: simulator.plant(*foreign))
    done = place.run("run", place.sheet(many(10)), "--rate", "1000", "--settle", "60")
    last = max(one.ordinal for one in practice.creates())

    assert done.code == 0, done
    assert place.summary()["sweep"]["found"] == 10
    assert len(practice.journal(since=last)) <= 3


def test_without_a_sweep_nothing_is_asked_at_the_end(place: Place, practice: Practice) -> None:
    done = place.run("run", place.sheet(many(2)), *QUICK, "--no-sweep")

    assert done.code == 0, done
    assert place.summary()["sweep"] is None


def test_a_sweep_that_cannot_look_is_not_exit_0(place: Place, practice: Practice) -> None:
    """Created, and yet nobody knows: "missing unknown" is exit 6, and the next run finds all."""
    sheet = place.sheet(many(3))
    made: list[str] = []

    def script(request: Request) -> Decision | None:
        if request.is_create:
            made.append(request.path)
        broken = Instead(answer=answers.html(502, "Bad Gateway"))
        return Decision(apply_after_s=None, reply=broken) if made and request.is_listing else None

    practice.script = script
    done = place.run("run", sheet, *QUICK, "--patience", "5")
    practice.script = lambda request: None

    assert done.code == 6, done
    assert place.summary()["sweep"]["missing"] is None
    assert place.run("run", sheet, *QUICK).code == 0
