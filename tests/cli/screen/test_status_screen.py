"""A run at work, seen from beside: what waits, what is being settled, how fast and until when; no advice."""

from dataclasses import replace
from pathlib import Path

import pytest

from batchconnect.cli.commands import status
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.status_screen import live_lines
from batchconnect.ledger.entry import LaneTold, Sending, Settled
from batchconnect.model.event import LanePaused
from batchconnect.model.outcome import Created
from batchconnect.options import RunOptions
from batchconnect.reports.summary import Summary
from tests.command_line import FAST, CommandLine, many
from tests.reports.page_run import HOST, LOST, OPENED, REFUSED, START_MS, planned, summed_up


def done(number: int) -> Settled:
    return Settled(outcome=Created(connection_id=f"c-{number}"), attempts=1)


def at_work() -> Summary:
    """Ten rows: six created, one refused, one on its way, one lost 30 s ago, one waiting."""
    return summed_up(
        *((1, row, planned(f"Client {row}")) for row in range(2, 12)),
        *((10_000 + row * 1_000, row, done(row)) for row in range(2, 8)),
        (20_000, 8, Settled(outcome=REFUSED, attempts=1)),
        (30_000, 9, Sending(number=1)),
        (30_000, 10, Sending(number=1)),
        (31_000, 10, LOST),
        (40_000, LaneTold(event=LanePaused(org="acme", host=HOST, pause_s=33.0, reason="throttled"))),
        opened=replace(OPENED, settle_s=180.0),
        live=True,
    )  # fmt: skip


def lines(summary: Summary, at_ms: int = 61_000) -> list[str]:
    return list(live_lines(summary, now_ms=START_MS + at_ms, width=80))


def test_each_row_is_somewhere_and_the_time_left_is_said() -> None:
    """Settled, on its way, being settled with its window's end, waiting; pace and pause."""
    told = lines(at_work())

    assert told[:8] == [
        "run 20261123-161530123-k3f9: 10 rows, at work for 61 s",
        "   6 created",
        "   1 failed",
        "   1 on the way    the answer is awaited",
        "   1 being settled the answer was lost; decided within 150 s",
        "   1 waiting       for their turn",
        "pace: 0.1 rows/s, about 150 s left",
        "acme: paused, 12 s left",
    ]
    assert told[8].startswith("! acme: ")


def test_no_remedy_is_named_that_would_be_refused() -> None:
    """The run holds the ledger: neither `reconcile` nor `rerun` could do anything now."""
    text = "\n".join(lines(at_work()))

    assert "FLOW-1308-400" in text
    assert "batchconnect" not in text
    assert "->" not in text


def test_a_run_that_stands_still_has_no_estimate() -> None:
    """An old pace tells nothing; that nothing moves is said."""
    told = lines(at_work(), at_ms=3_600_000)

    assert "pace: no row was settled in the last minute" in told
    assert not any("left" in line for line in told)


def test_a_run_without_open_rows_is_closing() -> None:
    """Its sweep, or its tests, are what is left."""
    summary = summed_up((1, 2, planned()), (5, 2, done(2)), live=True)

    assert lines(summary, 1_000)[-1] == "pace: 1.0 rows/s, closing"


def test_watching_ends_with_the_run(
    batchconnect: CommandLine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a pipe one line for each look; then what the run ended with, and its report."""
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), "--simulate", *FAST)
    looks = [status.Seen(summary=at_work()), status.Seen(summary=at_work())]
    look = status._look
    monkeypatch.setattr(
        status, "_look", lambda options, run_id: looks.pop() if looks else look(options, None)
    )
    slept: list[float] = []
    capsys.readouterr()

    given = Given(options=RunOptions(simulate=True, reports=Path("reports")))
    code = status.run(OutputOptions(), given, run_id=None, watches=True, sleep=slept.append)

    told = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(slept) == 2
    assert all(" 10 rows, at work for " in line and "; 6 created; " in line for line in told[:2])
    assert "1 created" in told[3]
    assert told[-1].startswith("report: ")


def test_a_run_that_has_ended_needs_no_watching(batchconnect: CommandLine) -> None:
    """It is shown as it is, at once."""
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), "--simulate", *FAST)

    assert (
        batchconnect("status", "--simulate", "--watch").out
        == batchconnect("status", "--simulate").out
    )
