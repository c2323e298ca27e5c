"""What is said of each event: one line, with the row as the user's spreadsheet shows it."""

from typing import Any

import pytest

from batchconnect.cli.progress.messages import Message, Messages
from batchconnect.model.event import (
    Event,
    LaneAwaited,
    LanesHeld,
    LaneStopped,
    Planned,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RowTested,
    RunAwaited,
    RunStarted,
    SandboxListed,
    Swept,
)
from batchconnect.model.outcome import Created, Works
from batchconnect.model.row_place import Places, numbered

PLACE: dict[str, Any] = {"row": 7, "org": "acme", "sandbox": "dev"}
TWO = Places(("a.csv", "b.csv"))


def said(event: Event, *, verbose: int = 1) -> str:
    found = Messages(verbose).of(event)
    return "" if found is None else found.text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (RowTested(**PLACE, works=Works.YES), "works"),
        (
            RowTested(**PLACE, works=Works.NO, code="source_refused"),
            "does not work (source_refused)",
        ),
        (
            RowTested(**PLACE, works=Works.NOT_TESTED, code="throttled"),
            "not tested (throttled)",
        ),
        (RowInDoubt(**PLACE, code="timeout"), "in doubt (timeout), is being settled"),
        (RowSettled(**PLACE, outcome=Created(connection_id="c-1"), duration_ms=5), "created"),
    ],
)
def test_with_v_each_row_is_told_and_without_it_none(event: Event, text: str) -> None:
    told = said(event)

    assert told.startswith("row 7 acme/dev: ")
    assert text in told
    assert said(event, verbose=0) == ""


def test_a_row_that_begins_is_told_by_its_end() -> None:
    assert said(RowStarted(**PLACE)) == ""


def test_who_is_waited_for_is_named_and_for_how_long() -> None:
    """At most: whether a silent worker is alive is known when its lease is over."""
    assert said(LaneAwaited(org="acme", holder="ops-7", at_most_s=70)) == (
        "waits for the lane of acme: ops-7 holds it, and shows within 70 s whether it is at work"
    )
    assert said(LaneAwaited(org="", holder="", at_most_s=30)) == (
        "waits for the run: it failed, and may be taken in 30 s"
    )
    assert said(RunAwaited(run_id="r-1")) == (
        "waits for run r-1, whose sheet is being read: it may be this one"
    )
    assert said(LanesHeld(mine=2, open=3, total=4, workers=1)) == (
        "lanes: 3 of 4 open, 2 here; this worker alone"
    )


@pytest.mark.parametrize("count", [1, 20, 21])
def test_new_rows_that_a_rerun_leaves_are_named_up_to_twenty(count: int) -> None:
    told = said(Planned(to_create=2, settled=0, to_settle=0, left_out=tuple(range(2, 2 + count))))

    assert told.startswith("2 rows to do, new and left for `batchconnect run`: row 2")
    assert told.count(", ...") == (count > 20)
    assert ("22" in told) is False


def test_rows_of_several_sheets_are_named_with_theirs() -> None:
    messages = Messages(0)
    messages.of(RunStarted(run_id="r", resumed=False, simulated=False, places=TWO))
    told = messages.of(Planned(to_create=1, settled=1, to_settle=0, left_out=(numbered(1, 7),)))

    assert isinstance(told, Message)
    assert told.text == (
        "1 row to do, 1 settled already, new and left for `batchconnect run`: row 7 of b.csv"
    )


def test_a_sweep_that_found_trouble_is_an_error_with_each_kind_of_it() -> None:
    event = Swept(
        expected=5, found=3, duplicated=("a",), missing=("b",), wrong_id=("c", "d"), complete=False
    )
    found = Messages(0).of(event)

    assert found is not None
    assert found.is_error
    assert found.text == (
        "sweep: 5 expected, 3 found, 1 duplicated, 1 missing, 2 answered with the id of another "
        "connection, missing unknown, since not every sandbox could be read"
    )


def test_one_network_is_told_once_for_many_orgs() -> None:
    """Fifty lanes that do not reach the service have one cause."""
    messages = Messages(0)

    def stop(org: str) -> Message | None:
        return messages.of(
            LaneStopped(
                org=org,
                sandbox=None,
                code="unreachable",
                title="The service is not reached",
                detail="x",
            )
        )

    assert stop("acme") is not None
    assert stop("beta") is None


def test_why_a_sandbox_could_not_be_read_is_told_once() -> None:
    """Neither its code nor its words stand in the next line again."""
    messages = Messages(0)
    why = "two readings in two orders show different connections"
    unread = SandboxListed(
        org="acme",
        sandbox="prod",
        connections=0,
        complete=False,
        code="unproven_listing",
        detail=why,
    )
    stopped = LaneStopped(
        org="acme",
        sandbox="prod",
        code="unproven_listing",
        title="Nothing proves that the listing is whole",
        detail=f"unproven_listing: {why}",
    )

    first, second = messages.of(unread), messages.of(stopped)

    assert first is not None
    assert second is not None
    assert why in first.text
    assert second.text == (
        "acme/prod: stopped: Nothing proves that the listing is whole (unproven_listing)."
        " Its other rows are not attempted"
    )


def test_what_is_odd_about_a_listing_is_a_warning() -> None:
    """It is believed, and yet what it does not show would be created again."""
    odd = "3 connections are counted, and 2 listed, in either order"
    listed = SandboxListed(org="acme", sandbox="prod", connections=2, complete=True, detail=odd)

    assert said(listed) == f"warning: acme/prod: {odd}"
