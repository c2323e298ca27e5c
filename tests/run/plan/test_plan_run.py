"""What a run would do, asked of the service and of the ledger; nothing is sent, nothing written."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from batchconnect.flow_service.listing import ListingFault
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.opening.service import connected
from batchconnect.run.plan.plan_run import plan_run
from batchconnect.run.plan.row_plan import Action
from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan, told_reason
from batchconnect.settings import load_settings
from batchconnect.sheet.memory import MemorySheet
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, cells, many


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(batchconnect: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        batchconnect.setenv(**practice.environment())
        yield practice


def looked(rows: Iterable[Mapping[str, Any]], **chosen: Any) -> SheetPlan:
    """A plan of rows, with the settings of the environment."""
    options = with_defaults(RunOptions(**chosen))
    settings = load_settings(path=None, environ=os.environ)

    async def work() -> SheetPlan:
        async with connected(
            settings, options, on_event=lambda _event: None, hold=lambda _secret: None
        ) as service:
            return await plan_run(
                MemorySheet(list(rows)),
                service=service,
                options=options,
                environ=os.environ,
            )

    return anyio.run(work)


def test_each_sandbox_is_looked_at_once(batchconnect: CommandLine, practice: Practice) -> None:
    """And told in the order of its name."""
    found = looked([*many(2, sandbox="prod"), *many(3, sandbox="dev")])

    assert [(one.sandbox, one.rows, one.create) for one in found.sandboxes] == [
        ("dev", 3, 3),
        ("prod", 2, 2),
    ]
    assert (
        found.rows,
        found.not_selected,
        found.stands_in_the_way,
        found.is_refused,
    ) == (5, 0, False, False)
    assert practice.creates() == []
    assert list(Path().iterdir()) == []


def test_rows_that_exclude_each_other_are_both_rejected(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """They count once as rows, and none of them is planned."""
    found = looked([cells(1), cells(1), cells(2)])

    assert found.rows == 3
    assert len(found.rejected) == 2
    assert [one.create for one in found.sandboxes] == [1]


def test_warnings_of_a_rejected_row_are_not_its_problems(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Only what keeps it from being sent is told."""
    found = looked([cells(1, database="", endpoint="https://adx.example.com")])

    (problems,) = found.rejected.values()
    assert {"error"} == {str(problem.severity) for problem in problems}
    assert found.sandboxes == []
    assert not found.is_refused, "nothing was asked, so nothing was refused"


def test_what_the_ledger_has_in_doubt_is_settled_first(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """It is neither created nor existing."""
    practice.by_name(Client_002=Decision(apply_after_s=None, reply=Reset()))
    sheet = batchconnect.sheet(many(2))
    run = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")

    found = looked(many(2))

    assert run.code == 6
    (one,) = found.sandboxes
    assert (one.create, one.settle_first, one.counts[Action.EXISTING]) == (0, 1, 1)


def test_a_sandbox_that_cannot_be_read_says_why(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """And stands in the way."""
    practice.ask(lambda simulator: simulator.deny(ACME, "403027"))

    found = looked(many(1))

    assert found.stands_in_the_way
    assert found.is_refused
    assert "403027" in str(found.sandboxes[0].refusal)


def test_the_time_is_that_of_the_set_rate(batchconnect: CommandLine, practice: Practice) -> None:
    """Without one, that of a lane's first rate: it only grows from there."""
    one = SandboxPlan(
        org="acme", sandbox="dev", rows=9, counts=Counter({Action.CREATE: 9}), rate=3.0
    )

    assert one.at_most_s == 3.0
    assert (
        SandboxPlan(org="acme", sandbox="dev", rows=4, counts=Counter({Action.CREATE: 4})).at_most_s
        == 2.0
    )


def test_a_reason_without_words_is_its_code_alone() -> None:
    """Not a code and a colon with nothing behind it."""
    assert told_reason(ListingFault(code="http-404", detail="")) == "http-404"
    assert told_reason(ListingFault(code="http-404", detail="no")) == "http-404: no"
