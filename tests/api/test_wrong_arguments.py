"""What bad input gets from Python: one `UsageError`, before anything is sent, or our own error in any case."""

import asyncio
import inspect
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

import batchconnect
from batchconnect import BatchConnectError, LedgerError, RunOptions, UsageError
from batchconnect.options import OPTIONS
from tests.acceptance.practice import Practice
from tests.command_line import CommandLine, cells, many

SIMULATED = RunOptions(simulate=True)
ROWS = many(1, org="acme")


class Nonsense:
    """What no option is."""


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_refuses_what_it_cannot_mean_by_its_name(name: str) -> None:
    """All of them, as the kind that they are: one error each, and the value is not repeated."""
    given: dict[str, Any] = {name: Nonsense()}
    with pytest.raises(UsageError, match=rf"^{name} must be ") as caught:
        RunOptions(**given)

    assert "Nonsense" not in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_doubt": "hold it"},
        {"concurrency": 0},
        {"concurrency": 1.5},
        {"max_failures": "5 %%"},
        {"max_failures": 0},
        {"rate": 0},
        {"rate": float("nan")},
        {"settle": -1},
        {"only": "acme"},
        {"fault": "storm"},
        {"reports": ""},
        {"encoding": ""},
        {"concurency": 2},
    ],
    ids=str,
)
def test_values_that_were_tried_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RunOptions(**wrong)


def test_values_that_are_meant_are_converted() -> None:
    """A word is a word of ours, a text is a path, a share is a limit."""
    options = RunOptions(on_doubt="hold", max_failures="5%", ledger="l", only="org=acme")

    assert options.on_doubt is batchconnect.OnDoubt.HOLD
    assert options.max_failures == batchconnect.FailureLimit(share=0.05)
    assert (options.ledger, options.only) == (Path("l"), ("org=acme",))
    assert RunOptions(max_failures=batchconnect.FailureLimit(rows=3)).failure_limit


async def hear(_event: batchconnect.Event) -> None:
    """Nobody awaits it."""


@pytest.mark.parametrize(
    ("argument", "wrong", "says"),
    [
        ("options", {"simulate": True}, "options must be a RunOptions"),
        ("settings", 7, "settings must be a path or a Settings"),
        ("ledger", 7, "ledger must be a path"),
        ("ledger", "", "ledger must be a path"),
        ("reports", b"r", "reports must be a path"),
        ("on_event", hear, "on_event must be a plain function"),
        ("on_event", "print", "on_event must be a plain function"),
        ("stop", asyncio.Event, "stop must be a batchconnect.Stop"),
        ("options", RunOptions(fault="flaky"), "fault without simulate"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_each_argument_refuses_what_it_cannot_be(argument: str, wrong: Any, says: str) -> None:
    """As a `UsageError` with what to write instead; nothing has begun."""
    given: dict[str, Any] = {"options": SIMULATED, argument: wrong}
    with pytest.raises(UsageError, match=f"^{says}"):
        batchconnect.onboard_sync(ROWS, **given)

    assert list(Path().iterdir()) == []


WRONG: dict[str, tuple[Any, str]] = {
    "options": ({"simulate": True}, "options must be a RunOptions"),
    "settings": (7, "settings must be a path or a Settings"),
    "ledger": (7, "ledger must be a path"),
    "reports": (b"r", "reports must be a path"),
    "on_event": ("print", "on_event must be a plain function"),
    "stop": (asyncio.Event, "stop must be a batchconnect.Stop"),
    "out": (7, "out"),
    "plan": (7, "plan must be a path"),
}
"""What no function takes, by the argument's name."""
FIRST: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("onboard", "plan", "rotate", "validate"), (ROWS,)),
    "undo": ("2026",),
}
FUNCTIONS = sorted(
    name.removesuffix("_sync") for name in batchconnect.__all__ if name.endswith("_sync")
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_refuses_each_wrong_argument_by_one_error(name: str) -> None:
    """Whatever it is for, and before anything is sent or written."""
    function = getattr(batchconnect, f"{name}_sync")
    taken = [one for one in inspect.signature(function).parameters if one in WRONG]
    assert {"options", "settings"} <= {*taken}
    for argument in taken:
        wrong, says = WRONG[argument]
        given: dict[str, Any] = {"options": SIMULATED, argument: wrong}
        with pytest.raises(UsageError, match=f"^{says}"):
            function(*FIRST.get(name, ()), **given)

    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [7, None, b"clients.csv", {"name": "Acme"}, cells],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_sheet_is_called_so(wrong: Any) -> None:
    for name in ("onboard", "plan", "rotate", "validate"):
        # A run may do without: what a saved plan was made of is its sheet.
        is_left_out = name == "onboard" and wrong is None
        with pytest.raises(UsageError, match="no sheet" if is_left_out else "a sheet cannot be"):
            getattr(batchconnect, f"{name}_sync")(wrong, options=SIMULATED)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("rerun", ()), ("reconcile", ()), ("verify", ()), ("undo", ("2026",)), ("verify", ("2026",))],
)
def test_what_is_about_a_run_needs_its_ledger(name: str, arguments: tuple[str, ...]) -> None:
    """Nothing names one: none is looked for where a program happens to be; a wrong place is said."""
    call = getattr(batchconnect, f"{name}_sync")
    with pytest.raises(
        UsageError, match=f"^{name} is about a run, and nothing says where"
    ) as caught:
        call(*arguments, options=SIMULATED)
    with pytest.raises((LedgerError, UsageError), match=r"there is no ledger|no run"):
        call(*arguments, reports="nowhere", options=SIMULATED)

    assert "ledger=FILE" in str(caught.value.hint)


def test_an_undo_refuses_options_that_it_would_pass_over(practice: Practice) -> None:
    """One that was meant to hold a deletion back is no option of it."""
    report = batchconnect.onboard_sync(many(2), reports="r", options=RunOptions(rate=200.0))
    for held in ({"max_rows": 1}, {"only": "sandbox=dev"}, {"max_failures": 1}, {"sandbox": "dev"}):
        with pytest.raises(UsageError, match=rf"^{next(iter(held))} is no option of undo"):
            batchconnect.undo_sync(report.run_id, yes=2, reports="r", options=RunOptions(**held))
    yes: list[Any] = [True, -1, "2", 1]
    for wrong in yes:
        with pytest.raises(UsageError, match=r"yes"):
            batchconnect.undo_sync(report.run_id, yes=wrong, reports="r")

    assert practice.ask(lambda simulator: len(simulator.connections())) == 2


def test_an_export_refuses_wishes_that_exclude_each_other(practice: Practice) -> None:
    wrong: list[dict[str, Any]] = [
        {"run": "2026", "every": True, "reports": "r"},
        {"run": "2026", "against": ROWS, "reports": "r"},
        {"usage": True, "against": ROWS},
        {"orgs": [7]},
        {"sandboxes": [""]},
        {"options": RunOptions(org="acme")},
        {"options": RunOptions(only="sandbox=dev")},
        {"sandboxes": "Not A Sandbox!"},
        {"orgs": "nobody"},
    ]
    for one in wrong:
        with pytest.raises(UsageError):
            batchconnect.export_sync(**one)

    assert practice.journal() == []


def test_a_fault_of_ours_is_one_error_of_ours_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind and place are told, its text is not: that may repeat what it was given."""

    def broken(*_arguments: object, **_named: object) -> None:
        raise ExceptionGroup("inner", [KeyError("FAKE~secret")])

    monkeypatch.setattr("batchconnect.api.validation.validate_sheet", broken)
    with pytest.raises(BatchConnectError, match=r"^unexpected error: KeyError at ") as caught:
        batchconnect.validate_sync(ROWS)

    assert caught.value.exit_code == 1
    error: BaseException | None = caught.value
    while error is not None:
        assert "FAKE~secret" not in f"{error!r}"
        error = error.__cause__ or error.__context__


def test_who_cancels_a_call_is_no_error(practice: Practice) -> None:
    """A timeout of the program's own ends it as it ends any task; the next call goes on."""

    async def work() -> bool:
        with anyio.move_on_after(0.2) as scope:
            await batchconnect.onboard(many(9), reports="r", options=RunOptions(rate=0.01))
        return scope.cancelled_caught

    assert anyio.run(work)
    again = batchconnect.onboard_sync(many(9), reports="r", options=RunOptions(rate=200.0))
    assert again.exit_code == 0


def test_only_what_is_named_is_read_or_written(place: CommandLine) -> None:
    """A plan without a place knows no ledger, even where the command line would find one."""
    batchconnect.onboard_sync(
        ROWS, reports="reports", options=RunOptions(simulate=True, rate=200.0)
    )
    before = sorted(path for path in Path().rglob("*") if path.is_file())

    plan = batchconnect.plan_sync(ROWS, options=SIMULATED)

    assert plan.counts == {"create": 1}, "a simulation of its own, which forgets"
    assert sorted(path for path in Path().rglob("*") if path.is_file()) == before
    assert os.environ.get("BATCHCONNECT_LEDGER") is None


@pytest.mark.parametrize("name", ["rerun", "reconcile", "undo", "export"])
@pytest.mark.parametrize("wrong", [ROWS, 7, Path("clients.csv")])
def test_a_run_is_named_by_its_id_and_rows_in_its_place_are_told_so(name: str, wrong: Any) -> None:
    """`rerun(rows)` is soon written, for `onboard(rows)` is how they are given there."""
    with pytest.raises(UsageError, match=r"^run must be the id of a run"):
        getattr(batchconnect, f"{name}_sync")(run=wrong, reports="r", options=SIMULATED)

    assert list(Path().iterdir()) == []
