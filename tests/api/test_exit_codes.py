"""The exit code of a result is the one that the command ends with, whatever the run itself had."""

import anyio
import pytest

import batchconnect
from batchconnect import RunOptions, Stop
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

QUICK = RunOptions(rate=200.0)


@pytest.mark.parametrize(
    ("command", "code"), [('["python3", "store.py"]', 0), ('["no-such-program"]', 4)]
)
def test_orgs_with_a_store_that_is_open_or_shut(
    practice: Practice, place: CommandLine, command: str, code: int
) -> None:
    """Its refusal is in the result, and is what raises."""
    place.write("store.py", "")
    place.write("batchconnect.toml", f'[stores.kv]\nuri = "exec:"\ncommand = {command}\n')

    said = place("orgs", "--json")
    found = batchconnect.orgs_sync()

    assert (said.code, found.exit_code) == (code, code)
    (told,), (store,) = said.json["stores"], found.stores
    assert (store.name, store.refusal) == (told["store"], told["refusal"])
    assert [check.refusal for check in found] == [None]
    if code:
        with pytest.raises(batchconnect.UnfinishedError) as raised:
            found.raise_for_failures()
        assert raised.value.hint == store.refusal
        assert "1 of the stores refused" in str(found)


def stopped(how: str, place: CommandLine) -> tuple[str, int]:
    """A run that was stopped, by its bound or from outside; its id, and its own code."""
    sheet = place.sheet(many(2))
    if how == "max_rows":
        options = RunOptions(rate=200.0, max_rows=1)
        report = batchconnect.onboard_sync(sheet, reports="reports", options=options)
    else:
        stop = Stop()
        stop.ask(how)

        async def run() -> batchconnect.Report:
            return await batchconnect.onboard(sheet, reports="reports", options=QUICK, stop=stop)

        report = anyio.run(run)
    return report.run_id, report.exit_code


def test_a_rerun_with_nothing_to_do_is_well(practice: Practice, place: CommandLine) -> None:
    """However its run ended: here by a key that did not work, and was rotated since."""
    bad = [{**row, "servicePrincipalKey": "canary~wrong-at-test-1.Xy"} for row in many(1)]
    tested = RunOptions(rate=200.0, verify=True)
    run = batchconnect.onboard_sync(place.sheet(bad), reports="reports", options=tested)
    rotated = batchconnect.rotate_sync(place.sheet(many(1)), reports="reports", options=QUICK)

    said = place("rerun", run.run_id, *FAST)
    report = batchconnect.rerun_sync(run.run_id, reports="reports", options=QUICK)

    assert (run.exit_code, rotated.exit_code) == (4, 0)
    assert (said.code, report.exit_code, report.run_id) == (0, 0, run.run_id)
    assert "nothing to do" in said.out


@pytest.mark.parametrize(
    ("how", "own"), [("max_rows", 8), ("interrupted", 130), ("terminated", 143)]
)
def test_a_reconciliation_ends_by_doubts_and_rows(
    practice: Practice, place: CommandLine, how: str, own: int
) -> None:
    """How its run was stopped is no matter of them."""
    run_id, code = stopped(how, place)

    said = place("reconcile", run_id, *FAST)
    report = batchconnect.reconcile_sync(run_id, reports="reports", options=QUICK)

    assert (code, said.code, report.exit_code) == (own, 4, 4)


def test_an_undo_takes_what_the_command_takes_of_a_lease(
    practice: Practice, place: CommandLine
) -> None:
    report = batchconnect.onboard_sync(many(1), reports="reports", options=QUICK)

    said = place("undo", report.run_id, *FAST, "--lease", "10")
    options = RunOptions(rate=200.0, lease=10.0)
    shown = batchconnect.undo_sync(report.run_id, reports="reports", options=options)
    done = batchconnect.undo_sync(report.run_id, yes=1, reports="reports", options=options)

    assert (said.code, shown.exit_code, done.exit_code) == (0, 0, 0)
