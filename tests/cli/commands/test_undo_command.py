"""`undo` on the command line: what the preview shows, how long lists are folded, and what comes next."""

from collections.abc import Mapping
from typing import Any

import pytest

from batchconnect.model.outcome import Status
from batchconnect.model.remedies import undo_hint_for
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

pytestmark = pytest.mark.usefixtures("each_ledger")


def made(batchconnect: CommandLine, rows: int, *more: str) -> str:
    """A run that created its rows; its id."""
    done = batchconnect("run", batchconnect.sheet(many(rows)), *FAST, "--json", *more)
    assert done.code == 0, done
    run_id: str = done.json["run_id"]
    return run_id


def use_all(practice: Practice, but: int) -> None:
    """Dataflows use all connections but those of the first few rows."""

    def use(simulator: Any) -> None:
        # In the sheet's order: rows that are under way at once are made in any.
        for one in sorted(simulator.connections(), key=lambda one: one.name)[but:]:
            simulator.others.use(one.id)

    practice.ask(use)


@pytest.mark.slow
def test_the_preview_folds_a_long_list_and_json_has_all(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = made(batchconnect, 15)
    use_all(practice, 2)

    shown = batchconnect("undo", run_id, *FAST)
    told = batchconnect("undo", run_id, *FAST, "--json")

    assert shown.code == told.code == 4
    assert "2 to delete" in shown.out
    assert "! keep 13: A dataflow uses it (in_use)" in shown.out
    assert shown.out.count("Used by 1 source connection.") == 10
    assert "and 3 more: --json has all" in shown.out
    assert "looking at each connection" in shown.err
    hint = [line for line in shown.out.splitlines() if line.startswith(("  -> ", "     "))]
    assert max(map(len, hint)) <= 80
    assert " ".join(" ".join(hint).split()) == f"-> {told.json['rows'][2]['hint']}"
    rows: list[Mapping[str, object]] = told.json["rows"]
    assert [row["action"] for row in rows] == ["delete"] * 2 + ["keep"] * 13
    assert rows[2]["reason"] == "Used by 1 source connection."
    assert f"`batchconnect undo {run_id}`" in str(rows[2]["hint"])
    document = {key: told.json[key] for key in ("run_id", "delete", "keep", "keep_by_code")}
    assert document == {
        "run_id": run_id,
        "delete": 2,
        "keep": 13,
        "keep_by_code": {"in_use": 13},
    }


def test_the_next_command_finds_the_same_ledger(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = made(batchconnect, 2, "--reports", "elsewhere")

    shown = batchconnect("undo", run_id, *FAST, "--reports", "elsewhere")

    assert f"next:   batchconnect undo {run_id} --yes 2 --reports elsewhere" in shown.out


@pytest.mark.slow
def test_what_an_undo_left_in_doubt_is_settled_although_nothing_is_to_be_deleted_any_more(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Every command that the screen names leads out of it: the hint, the preview's last line, the run."""
    run_id = made(batchconnect, 1)
    practice.ask(lambda simulator: setattr(simulator.habits, "finalizing_s", 3600.0))
    undone = batchconnect("undo", run_id, *FAST, "--settle", "0.3", "--yes", "1")
    (one,) = practice.connections()
    practice.ask(lambda simulator: simulator.others.set_state(one.id, "enabled"))
    practice.ask(lambda simulator: simulator.others.change(one.id, name="Renamed"))

    held = batchconnect("run", "clients.csv", *FAST)
    shown = batchconnect("undo", run_id, *FAST)
    told = batchconnect("undo", run_id, *FAST, "--json")
    settled = batchconnect("undo", run_id, *FAST, "--settle", "0.3", "--yes", "0")
    after = batchconnect("undo", run_id, *FAST)
    again = batchconnect("run", "clients.csv", *FAST)

    assert (undone.code, held.code) == (6, 4), (undone, held)
    assert "Give `batchconnect undo RUN`" in held.out
    assert shown.code == 4, shown
    assert "0 to delete" in shown.out
    assert "a delete of 1 to keep was sent before, and its end is not known:" in shown.out
    assert f"next:   batchconnect undo {run_id} --yes 0" in shown.out
    assert (told.json["settle"], told.json["rows"][0]["settle"]) == (1, True)
    assert settled.code == 4, settled
    assert "changed_by_others" in settled.out
    assert "next:" not in after.out
    assert "1 existing" in again.out
    assert len(practice.connections()) == 1


def test_the_beginning_of_an_id_is_enough_and_the_undos_own_id_stands_for_the_run(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = made(batchconnect, 2)

    done = batchconnect("undo", run_id[:-2], *FAST, "--yes", "2", "--json")
    again = batchconnect("undo", done.json["run_id"], *FAST)

    assert done.code == 0, done
    assert (done.json["command"], done.json["parent_run_id"]) == ("undo", run_id)
    assert again.code == 0, again
    assert f"undo of run {run_id}" in again.out
    assert "2 deleted by an undo before" in again.out


def test_what_creates_nothing_is_refused_before_anything_is_looked_at(
    batchconnect: CommandLine, practice: Practice
) -> None:
    verified = batchconnect("verify", made(batchconnect, 1), *FAST, "--json").json["run_id"]

    done = batchconnect("undo", verified, *FAST)

    assert done.code == 2, done
    assert "which creates nothing" in done.err
    assert "looking at each connection" not in done.err


def test_a_rerun_says_what_was_undone_and_sends_nothing(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = made(batchconnect, 2)
    batchconnect("undo", run_id, *FAST, "--yes", "2")
    before = len(practice.creates())

    rerun = batchconnect("rerun", run_id, *FAST)
    of_undo = batchconnect("rerun", batchconnect("runs", "--json").json["runs"][0]["run_id"])

    assert rerun.code == 0, rerun
    assert "an undo deleted 2 of its connections since" in rerun.out
    assert of_undo.code == 2, of_undo
    assert len(practice.creates()) == before


def test_a_plan_creates_what_was_undone_however_long_a_listing_shows_it(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = made(batchconnect, 3)
    practice.ask(lambda simulator: setattr(simulator.habits, "delete_lag_s", 3600.0))
    batchconnect("undo", run_id, *FAST, "--yes", "3")

    plan = batchconnect("plan", "clients.csv", *FAST, "--json")

    (sandbox,) = plan.json["sandboxes"]
    assert (sandbox["create"], sandbox["existing"], sandbox["conflict"]) == (3, 0, 0)


def test_a_reconcile_does_not_miss_what_was_undone(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Its sweep looks at the whole run once more, and expects nothing that an undo deleted."""
    practice.by_name(Client_003=Decision(reply=Reset(), lag_s=1.0))
    sheet = batchconnect.sheet(many(3))
    run = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold", "--json")
    undone = batchconnect("undo", run.json["run_id"], *FAST, "--yes", "2", "--json")

    done = batchconnect("reconcile", run.json["run_id"], "--settle", "30", "--json")

    assert (run.code, undone.code, done.code) == (6, 4, 0), (run, undone, done)
    (kept,) = undone.json["incidents"]
    assert kept["code"] == "create_in_doubt"
    assert (done.json["sweep"]["expected"], done.json["sweep"]["missing"]) == (1, [])


@pytest.mark.parametrize(
    ("code", "status", "wanted", "never"),
    [
        ("timeout", Status.IN_DOUBT, "may be gone", "reconcile"),
        ("FLOW-1104-504", Status.IN_DOUBT, "may be gone", "may exist"),
        ("lane_stopped", Status.NOT_ATTEMPTED, "batchconnect undo run-1", "rerun"),
        ("FLOW-1416-400", Status.FAILED, "batchconnect undo run-1", "cells"),
        ("in_use", Status.KEPT, "batchconnect undo run-1", "undo RUN"),
    ],
)
def test_what_to_do_about_a_delete_is_never_what_to_do_about_a_create(
    code: str, status: Status, wanted: str, never: str
) -> None:
    hint = undo_hint_for(code, status, run_id="run-1")

    assert wanted in hint
    assert never not in hint
