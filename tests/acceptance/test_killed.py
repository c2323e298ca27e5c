"""
Kill -9 at any moment, with answers lost, late creates and a lagging listing: nothing twice, nothing lost.

The bounded form kills a dozen times; `BATCHCONNECT_TEST_DEEP=1` kills hundreds of times, and runs a
thousand rows through a service that loses every fifth answer.
"""

import io
import os
import random
import signal
import time

import openpyxl
import pytest

from batchconnect.simulator.decision import Closed, Decision, Reset
from batchconnect.simulator.exchange import Request
from tests.acceptance.place import COLUMNS, INPUTS, Place, cells, many
from tests.acceptance.practice import Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance

IS_DEEP = bool(os.environ.get("BATCHCONNECT_TEST_DEEP"))
ROWS, KILLS = (600, 300) if IS_DEEP else (60, 12)


def test_a_run_that_is_killed_a_dozen_times_creates_each_row_once(place: Place) -> None:
    """Killed as its N-th create arrives, or a moment later; always the same command again."""
    rng = random.Random(7)
    names = {row["name"] for row in many(ROWS)}
    sheet = place.sheet(many(ROWS))
    with Practice(profile="ambiguous", seed=3) as practice:
        place.environ.update(practice.environment())
        # A busy machine is late with what the service does later.
        settle_s = practice.simulator.settle_s + 4
        pace = ("--rate", "25", "--concurrency", "6", "--timeout", "2")
        command = ("run", sheet, *pace, "--settle", str(settle_s))
        for _ in range(KILLS):
            running = place.start(*command)
            # As a create arrives, or a moment later: before or after its answer.
            after_s = rng.choice((None, rng.random() * 0.15))
            number = rng.randint(1, ROWS // KILLS)
            practice.send_at_create(number, signal.SIGKILL, running, after_s=after_s)
            assert running.done().code == -signal.SIGKILL, "it ended before it could be killed"
        practice.script = lambda request: None
        last = place.run(*command)
        swept = place.summary()["sweep"]
        before = len(practice.creates())
        again = place.run(*command)

        assert last.code == 0, last
        assert ROWS == swept["expected"] == swept["found"]
        assert [swept["duplicated"], swept["missing"]] == [[], []]
        assert len(place.runs()) == 2
        assert again.code == 0, again
        assert before == len(practice.creates()), "given again, nothing is sent"
        assert_exactly_once(practice, place, names)
        place.secrets |= practice.tokens


FLAGS: tuple[tuple[str, ...], ...] = (
    (),
    ("--max-rows", "5"),
    ("--only", "sandbox=prod"),
    ("--on-doubt", "hold"),
    ("--skip-invalid", "--adopt-by-name"),
    ("--recreate", "--accept-unproven-listing"),
    ("--no-sweep",),
)
"""What a command may say otherwise in each of its lives; its rows stay the same."""


def test_a_run_that_is_told_something_else_in_each_life_creates_each_row_once(
    place: Place, practice: Practice
) -> None:
    """Killed with other flags each time, under one run id; its last life has none."""
    rng = random.Random(5)
    rows = [cells(n, sandbox=("dev", "prod")[n % 2]) for n in range(1, ROWS + 1)]
    sheet = place.sheet(rows)
    command = ("run", sheet, "--concurrency", "6", "--settle", "2")
    for flags in FLAGS * (KILLS // 12):
        running = place.start(*command, "--rate", str(rng.choice((20, 40))), *flags)
        practice.send_at_create(
            rng.randint(1, 4), signal.SIGKILL, running, after_s=rng.random() * 0.1
        )
        assert running.done().code == -signal.SIGKILL, "it ended before it could be killed"
    practice.script = lambda request: None
    last = place.run(*command, "--rate", "60")

    assert last.code == 0, last
    assert len(place.runs()) == 1
    assert_exactly_once(practice, place, {row["name"] for row in rows})


def test_a_rerun_that_is_killed_over_one_sheet_after_the_other_loses_no_row(
    place: Place, practice: Practice
) -> None:
    """Sorted, shortened, replaced, with a row above; then the first run goes on, and names each row's own id."""
    rows = many(30)
    sheet = place.sheet(rows)
    pace = ("--rate", "40", "--settle", "2")
    running = place.start("run", sheet, *pace)
    practice.send_at_create(4, signal.SIGKILL, running, after_s=0.1)
    running.done()
    other = [cells(number) for number in range(101, 111)]
    for name, today in {
        "sorted": rows[::-1],
        "shortened": rows[10:],
        "replaced": other,
        "a row above": [other[0], *rows],
    }.items():
        running = place.start("rerun", "--sheet", place.sheet(today, f"{name}.csv"), *pace)
        practice.send_at_create(3, signal.SIGKILL, running, after_s=0.05)
        running.done()
    practice.script = lambda request: None
    last = place.run("run", sheet, *pace)

    assert last.code == 0, last
    there = {one.name: one.id for one in practice.connections()}
    told = place.results(place.reports / place.runs()[0])
    assert {name: row["connection_id"] for name, row in told.items()} == there
    assert sorted(there) == sorted(row["name"] for row in rows)
    assert len(practice.connections()) == len(rows)


def test_a_bad_day_ends_with_every_row_and_a_clean_sweep(place: Place) -> None:
    """`--fault badday` on the example: exit 0, nothing duplicated, nothing missing."""
    done = place.run(
        "run", INPUTS / "tenants.csv", "--simulate", "--fault", "badday", "--json", "--rate", "10"
    )

    assert done.code == 0, done
    assert {word: n for word, n in done.json["counts"].items() if n} == {"created": 40}
    nothing: list[str] = []
    assert done.json["sweep"] == {
        "expected": 40,
        "found": 40,
        "duplicated": nothing,
        "missing": nothing,
        "wrong_id": nothing,
    }


def test_a_lost_ledger_makes_nothing_twice(place: Place, practice: Practice) -> None:
    """A new ledger that meets young markers waits for one window, and finds what was on its way."""
    sheet = place.sheet(many(4))
    practice.ask(lambda simulator: setattr(simulator, "lag_s", 1.0))
    running = place.start("run", sheet, "--rate", "4")
    practice.send_at_create(3, signal.SIGKILL, running, after_s=0.2)
    running.done()
    practice.script = lambda request: None
    made = len(practice.connections())
    for path in place.reports.glob("ledger.sqlite3*"):
        path.unlink()
    time.sleep(0.8)

    done = place.run("run", sheet, "--rate", "20", "--settle", "3")

    assert done.code == 0, done
    assert {"existing": made, "created": 4 - made} == {"created": 0, **place.statuses()}
    assert_exactly_once(practice, place, {row["name"] for row in many(4)})


@pytest.mark.skipif(not IS_DEEP, reason="BATCHCONNECT_TEST_DEEP=1: takes minutes")
def test_a_thousand_rows_with_every_fifth_answer_lost(place: Place) -> None:
    """
    0 duplicates, 0 lost, every doubt settled, in the work's time plus a window for each round of resends.

    Answers are lost without a 5xx, which would be a sign of overload and slow the lane down.
    """
    rows, rate, settle_s = many(1000), 60, 4.0
    rng = random.Random(11)

    def script(request: Request) -> Decision | None:
        if not request.is_create or rng.random() >= 0.2:
            return None
        applied = rng.choice((0.0, 0.0, 0.0, rng.random() * 2, None))
        return Decision(apply_after_s=applied, reply=rng.choice((Reset(), Closed())), lag_s=1)

    with Practice() as practice:
        place.environ.update(practice.environment())
        practice.script = script
        began = time.monotonic()
        pace = ("--rate", str(rate), "--settle", str(settle_s), "--timeout", "2")
        done = place.run("run", place.sheet(rows), *pace, patience_s=300)
        took_s = time.monotonic() - began
        place.secrets |= practice.tokens

        assert done.code == 0, done
        assert took_s < 1000 / rate * 2 + 3 * 1.5 * settle_s + 10
        assert_exactly_once(practice, place, {row["name"] for row in rows})
        assert place.summary()["sweep"]["found"] == 1000


def test_a_run_over_several_sheets_that_is_killed_goes_on_under_its_id(
    place: Place, practice: Practice
) -> None:
    """Always the same command again: one run, nothing twice, each row told by its own number, sheet and tab."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    rows = {("a.csv", ""): many(20)}
    for tab, first in {"EMEA": 101, "APAC": 201}.items():
        rows["b.xlsx", tab] = [cells(number) for number in range(first, first + 20)]
        sheet = book.create_sheet(tab)
        sheet.append(list(COLUMNS))
        for row in rows["b.xlsx", tab]:
            sheet.append([row[column] for column in COLUMNS])
    packed = io.BytesIO()
    book.save(packed)
    place.sheet(rows["a.csv", ""], "a.csv")
    place.write("b.xlsx", packed.getvalue())
    command = ("run", "a.csv", "b.xlsx", "--all-worksheets", "--rate", "40", "--settle", "2")
    for number, after_s in ((8, None), (9, 0.05), (10, None), (8, 0.1)):
        running = place.start(*command, "--concurrency", "4")
        practice.send_at_create(number, signal.SIGKILL, running, after_s=after_s)
        assert running.done().code == -signal.SIGKILL, "it ended before it could be killed"
    begun = place.runs()
    practice.script = lambda request: None
    last = place.run(*command)
    before = len(practice.creates())
    again = place.run(*command)

    assert (last.code, again.code) == (0, 0), last
    assert len(begun) == 1
    assert place.runs()[0] == begun[0]
    assert before == len(practice.creates()), "given again, nothing is sent"
    assert_exactly_once(practice, place, {row["name"] for of in rows.values() for row in of})
    told = place.results(place.reports / begun[0])
    there = {one.name: one.id for one in practice.connections()}
    for (sheet_name, tab), of_tab in rows.items():
        for number, row in enumerate(of_tab, 2):
            one = told[row["name"]]
            assert (one["row"], one["sheet"], one["worksheet"]) == (number, sheet_name, tab or None)
            assert one["connection_id"] == there[row["name"]]
