"""The page as bytes: a function of the ledger, whole lines, one policy, and nothing that is executed."""

import base64
import hashlib
import json
import re
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchconnect.ledger.entry import (
    ONBOARD,
    ROTATE,
    UNDO,
    VERIFY,
    Deleted,
    Entry,
    KeyLooked,
    LaneTold,
    Left,
    ProvenAbsent,
    RunEnded,
    RunOpened,
    RunResumed,
    Sending,
    Settled,
    SweepDone,
    Tested,
    Updated,
)
from batchconnect.model import outcome as o
from batchconnect.model.event import LanePaused, LaneStopped, PaceChanged, Swept
from batchconnect.model.key_end import DAY_MS
from batchconnect.model.outcome import Created, Failed, Kept, NotAttempted, Rejected, Status, Works
from batchconnect.model.redactor import Redactor
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.secret import Secret
from batchconnect.reports.page import html, rows
from batchconnect.reports.page.html import render
from batchconnect.reports.page.latency import Latencies
from batchconnect.reports.page.timeline import MOST_BUCKETS, MOST_LANES, Timekeeper, Timeline, Try
from batchconnect.reports.page.words import ending, headline, next_step, span
from batchconnect.reports.summary import Summary
from tests.reports.page_run import (
    EXPIRED,
    HOST,
    LOST,
    OPENED,
    PROBLEM,
    REFUSED,
    START_MS,
    bad_day,
    changed_day,
    counted,
    planned,
    summed_up,
    verified_day,
)

PAGE = Path(html.__file__).parent
CREATED = Created(connection_id="c-1", http_status=201)
SETTLED = Settled(outcome=CREATED, attempts=1)
WORKS = Tested(connection_id="c-1", works=Works.YES)
FAILS = Tested(connection_id="c-1", works=Works.NO, code="AADSTS7000222", detail="It is expired.")
UNTESTED = Tested(connection_id="c-1", works=Works.NOT_TESTED, code="timeout")
UPDATED = Updated(outcome=o.Updated(connection_id="c-1", etag='"2"', etag_before='"1"'))
UNCHANGED = Left(outcome=o.Unchanged(code="not_failing", detail="", connection_id="c-1"))
DELETED = Deleted(outcome=o.Deleted(connection_id="c-1"))
KEPT = Left(outcome=Kept(code="in_use", detail="A dataflow uses it.", connection_id="c-1"))


def text_of(summary: Summary) -> str:
    return b"".join(render(summary)).decode()


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def timeline_of(summary: Summary) -> Timeline:
    keeper = Timekeeper(summary)
    for result in summary.rows():
        keeper.add(result)
    timeline = keeper.timeline()
    assert timeline is not None
    return timeline


def test_the_same_ledger_gives_the_same_bytes() -> None:
    """No clock, no chance, no order of a set."""
    assert text_of(bad_day(60)) == text_of(bad_day(60))


def test_chunks_hold_whole_lines() -> None:
    """So that the last line of defence sees each text whole."""
    chunks = list(filter(None, render(bad_day(3_000))))

    assert len(chunks) > 5
    assert all(chunk.endswith(b"\n") for chunk in chunks)


def test_the_policy_admits_one_style_and_one_script_by_their_hashes() -> None:
    """Nothing inline beside them: no handler, no style attribute, no other address."""
    page = text_of(bad_day(60))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None

    for name, tag in (("report.css", "style"), ("report.js", "script")):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert found is not None
        assert found[1] == (PAGE / name).read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page.partition("<body>")[2])
    assert not re.search(r"(src|href)=\"(?!#|data:,)", page)


def test_three_texts_are_not_escaped_and_all_else_is() -> None:
    """Two files of the package, and JSON without a single `<`."""
    safe = [
        line.strip()
        for path in sorted(PAGE.glob("*.jinja"))
        for line in path.read_text("utf-8").splitlines()
        if "|safe" in line or "autoescape" in line
    ]

    assert safe == [
        "<style>{{ style|safe }}</style>",
        "{% for lines in rows %}{{ lines|safe }}{% endfor %}",
        "<script>{{ script|safe }}</script>",
    ]


def test_a_hostile_row_ends_no_script() -> None:
    """Its text is in the block, and reads back as it was typed."""
    hostile = "</script><!--<script>&\u2028"
    row = planned(hostile, hostile, carried=(hostile,))
    failed = Settled(outcome=Failed(code=hostile, detail=hostile))
    opened = replace(OPENED, run_id=hostile, note=hostile, sheets=(hostile,), carried=(hostile,))

    page = text_of(summed_up((1, 2, row), (2, 2, failed), opened=opened))

    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    data = data_of(page)
    assert data["rows"][0][data["fields"].index("name")] == "</script><!--<script>&\\u2028"
    assert "</script><!--<script>&\\u2028" in data["texts"]
    assert "\u2028" not in page


def test_a_live_secret_is_cut_out_of_every_line() -> None:
    """In the block, in a cause, in the note."""
    key = "pa\"ss<w&ör'd+1"
    failed = Settled(outcome=Failed(code="c", detail=f"echo {key}"))
    summary = summed_up(
        (1, 2, planned(f"n {key}")), (2, 2, failed), opened=replace(OPENED, note=f"note {key}")
    )

    redactor = Redactor()
    with redactor.holding(Secret(key)):
        cut = "".join(redactor.text(chunk.decode()) for chunk in render(summary))

    assert "n ***" in cut
    assert "note ***" in cut
    assert "echo ***" in cut
    assert "ss" + "<w" not in cut


def test_rows_are_all_there_exact_and_typed() -> None:
    """Every field under its name; a text that many share is written once."""
    page = text_of(bad_day(60))
    data = data_of(page)
    rows = [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]

    assert [row["row"] for row in rows] == list(range(2, 62))
    refused = rows[15]
    assert data["texts"][refused["error"]] == REFUSED.detail
    assert data["texts"][refused["codes"]] == REFUSED.code
    assert (refused["http"], refused["request"], refused["attempts"]) == (400, "r-1", 1)
    assert [data["texts"][cell] for cell in refused["carried"]] == ["Anna"]
    assert (refused["started"], refused["duration"]) == (1850, 300)
    assert data["started"] == bad_day(60).started_at_ms
    assert len(set(data["texts"])) == len(data["texts"])


def test_a_large_run_shows_what_is_unfinished_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts and causes are of all rows; the table is of those that somebody has to look at."""
    for module in (html, rows):
        monkeypatch.setattr(module, "MOST_ROWS", 80)

    whole, part = text_of(bad_day(80)), text_of(bad_day(300))

    assert len(data_of(whole)["rows"]) == 80
    assert '<h2 id="h-rows">Rows</h2>' in whole
    assert "300 rows, more than the 80" in part
    assert "the 75 unfinished rows" in " ".join(part.split())
    texts = data_of(part)
    place = texts["fields"].index("status")
    shown = {texts["texts"][row[place]] for row in texts["rows"]}
    assert len(texts["rows"]) == 75
    assert shown.isdisjoint({Status.CREATED, Status.EXISTING})
    assert "225 of 300 rows have their connection" in part


def test_of_too_many_unfinished_rows_the_first_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has its limit, whatever went wrong."""
    for module in (html, rows):
        monkeypatch.setattr(module, "MOST_ROWS", 20)

    page = text_of(bad_day(300))

    assert len(data_of(page)["rows"]) == 20
    assert "the first 20 of 75 unfinished rows" in " ".join(page.split())


def test_a_row_takes_about_the_room_that_it_takes_on_the_page() -> None:
    """Fifty thousand of them are kept at once."""
    results = list(bad_day(300).rows())
    block = rows.RowBlock(total=len(results), carried=(), started_at_ms=0)
    tracemalloc.start()
    try:
        for result in results:
            block.add(result, rows.codes_of(result))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    written = sum(map(len, block.lines()))
    assert kept < 4 * written


def test_many_orgs_and_lanes_are_counted_out() -> None:
    """What is not drawn is in a table, and said."""
    page = text_of(bad_day(300, orgs=60))

    assert page.count('<svg class="strip"') == MOST_LANES
    assert "36 more are in the table below" in page
    assert "The 50 with the most unfinished rows, of 60" in page


def test_a_run_without_rows_has_a_page() -> None:
    """Nothing was sent: no chart, no org, a headline."""
    page = text_of(summed_up((1, RunEnded(exit_code=0))))

    assert "The sheet has no rows" in page
    assert 'class="chart' not in page
    assert "No sweep was made: this run created nothing" in page
    assert data_of(page)["rows"] == []


@pytest.mark.parametrize(
    ("swept", "words"),
    [
        (Swept(expected=1, found=1, duplicated=(), missing=()), "each is there once."),
        (Swept(expected=2, found=1, duplicated=("bc1-d",), missing=("bc1-m",)), "bc1-d"),
        (Swept(expected=2, found=1, duplicated=(), missing=(), complete=False), "unknown"),
        (
            Swept(expected=99, found=0, duplicated=(), missing=tuple(f"bc1-{n}" for n in range(60))),
            "and 10 more",
        ),
    ],
)  # fmt: skip
def test_the_sweep_is_told(swept: Swept, words: str) -> None:
    """Expected, found, duplicated, missing, and the markers to look for."""
    page = text_of(
        summed_up((1, 2, planned()), (9, SweepDone(event=swept)), (9, RunEnded(exit_code=6)))
    )

    assert words in page
    assert ("each is there once" in page) == (swept.found == swept.expected)
    assert "3 min</strong> (the settle window)" in page


def test_the_first_word_is_how_it_ended() -> None:
    """Headline, ending and next step of each way to end."""
    row, done = planned(), Settled(outcome=CREATED, attempts=1)
    rejected = Settled(outcome=Rejected(problems=(PROBLEM,)))

    def words(*told: Any, **options: Any) -> tuple[str, str, Any]:
        summary = summed_up(*told, **options)
        assert headline(summary) in text_of(summary)
        step = next_step(summary)
        return headline(summary), ending(summary), step and (step[1] or step[0])

    run = OPENED.run_id
    both = (1, 2, row), (2, 2, done), (1, 3, row)
    assert words((1, 2, row), (2, 2, done), (3, RunEnded(exit_code=0))) == (
        "The row has its connection",
        "every row has its connection (exit code 0)",
        None,
    )
    assert (
        words(*both, (2, 3, done), (3, RunEnded(exit_code=0)))[0]
        == "All 2 rows have their connection"
    )
    assert words(*both, (2, 3, Settled(outcome=REFUSED)), (3, RunEnded(exit_code=4))) == (
        "1 of 2 rows has its connection",
        "finished, some rows have no connection (exit code 4)",
        f"batchconnect rerun {run}",
    )
    assert (
        words(*both, (2, 3, LOST), (3, RunEnded(exit_code=6)))[2] == f"batchconnect reconcile {run}"
    )
    assert words(*both, (2, 3, rejected), (3, RunEnded(exit_code=3))) == (
        "Nothing was sent: 1 of 2 rows is rejected",
        "rows of the sheet are rejected, nothing was sent (exit code 3)",
        "Correct the cells named below, then give the same command again.",
    )
    assert words(*both, (3, RunEnded(exit_code=8)))[2] == "The same command takes the next rows."
    cut_off = words(*both, (3, RunEnded(exit_code=130, closed=False)))
    assert cut_off[1:] == (
        "interrupted (exit code 130)",
        "The run was cut off. The same command goes on under the same run id.",
    )
    assert words(*both, live=True) == (
        "1 of 2 rows has its connection so far",
        "still at work",
        f"batchconnect report {run}",
    )
    assert words((3, RunEnded(exit_code=99)))[1] == "exit code 99"


@pytest.mark.parametrize(
    ("command", "told", "code", "head", "how"),
    [
        (
            ONBOARD,
            [[SETTLED, WORKS], [SETTLED, FAILS]],
            4,
            "All 2 rows have their connection, 1 of 2 connections works",
            "finished, some connections do not work",
        ),
        (
            ONBOARD,
            [[SETTLED, WORKS], [Settled(outcome=REFUSED)]],
            4,
            "1 of 2 rows has its connection, the connection works",
            "finished, some rows have no connection",
        ),
        (
            ONBOARD,
            [[SETTLED, UNTESTED]],
            6,
            "The row has its connection, 0 of 1 connection works",
            "finished, some connections could not be tested",
        ),
        (
            VERIFY,
            [[SETTLED, WORKS], [SETTLED, WORKS]],
            0,
            "All 2 connections work",
            "every connection works",
        ),
        (
            VERIFY,
            [[SETTLED, FAILS], [SETTLED, WORKS]],
            4,
            "1 of 2 connections works",
            "finished, some connections do not work",
        ),
        (
            ROTATE,
            [[UPDATED, WORKS], [UNCHANGED]],
            0,
            "1 of 2 connections has the sheet's key now, 1 needed none",
            "every row's key is where it belongs",
        ),
        (
            ROTATE,
            [[UPDATED], [UPDATED], [Left(outcome=REFUSED)]],
            4,
            "2 of 3 connections have the sheet's key now",
            "finished, some keys were not sent",
        ),
        (
            ROTATE,
            [[UPDATED, FAILS]],
            4,
            "The connection has the sheet's key now",
            "finished, some connections do not work",
        ),
        (
            UNDO,
            [[DELETED], [DELETED]],
            0,
            "All 2 connections are deleted",
            "every connection is deleted",
        ),
        (
            UNDO,
            [[DELETED], [KEPT]],
            4,
            "1 of 2 connections is deleted",
            "finished, some connections are kept",
        ),
    ],
)
def test_the_first_word_of_each_command_is_its_own(
    command: str, told: list[list[Entry]], code: int, head: str, how: str
) -> None:
    """What it was asked to do, how much of it is done, and what the exit code means of it."""
    summary = summed_up(
        *((1, row, entry) for row, of in enumerate(told, 2) for entry in (planned(), *of)),
        (3, RunEnded(exit_code=code)),
        opened=replace(OPENED, command=command),
    )

    assert headline(summary) == head
    assert ending(summary) == f"{how} (exit code {code})"
    assert head.replace("'", "&#39;") in text_of(summary)


def test_a_command_shows_the_statuses_that_it_is_about_and_those_that_occur() -> None:
    """A run has no word of deletes; an undo begins with them. A status without a row is one small word."""

    def tiles(summary: Summary) -> tuple[list[str], list[str]]:
        page = text_of(summary)
        return re.findall(r'class="tile s-(\w+)"', page), re.findall(r"<span>0 (.*?)</span>", page)

    of_a_run = [status.value for status in Status][:7]
    assert tiles(bad_day()) == (of_a_run, [])
    assert tiles(changed_day()) == (
        ["deleted", "kept", "updated", "unchanged"],
        ["in doubt", "not attempted"],
    )
    assert tiles(verified_day(command=VERIFY)) == (["created"], [])


def test_what_works_stands_beside_what_was_created() -> None:
    """Tiles at the top, columns of the orgs, fields of the rows; a page without tests has none of it."""
    page = text_of(verified_day())
    data = data_of(page)
    works = data["fields"].index("works")

    found = re.findall(
        r'class="tile w-(\w+)">\s*<b>(\d+)</b>\s*<a .*?data-works="(\w+)">(.*?)</a>', page
    )
    assert found == [
        ("yes", "169", "yes", "work"),
        ("no", "30", "no", "do not work"),
        ("not_tested", "1", "not_tested", "not tested"),
    ]
    assert '<th scope="col" class="n">Does not work</th>' in page
    assert Counter(data["texts"][row[works]] for row in data["rows"]) == {
        "yes": 169, "no": 30, "not_tested": 1,
    }  # fmt: skip
    assert "w-" not in re.sub(r"<(style|script).*?</\1>", "", text_of(bad_day()), flags=re.DOTALL)


def test_an_incident_of_a_test_says_that_its_rows_have_their_connection() -> None:
    """By what does not work, not by a status that no row has; it leads to its rows alone."""
    page = text_of(verified_day())

    assert 'class="incident w-no"' in page
    assert '<span class="status w-no">does not work</span>' in page
    assert f'data-search="{EXPIRED}" data-org="" data-works="no">Show them' in page
    assert "Not tested: " in page
    assert 'class="incident s-' not in page


def test_a_row_that_does_not_work_is_unfinished_on_a_large_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though it is created: it is what a person has to look at."""
    monkeypatch.setattr(rows, "MOST_ROWS", 100)
    monkeypatch.setattr(html, "MOST_ROWS", 100)
    page = text_of(verified_day())

    assert "the 30 unfinished rows" in page
    assert len(data_of(page)["rows"]) == 30


@pytest.mark.parametrize("command", [VERIFY, ROTATE, UNDO])
def test_only_a_run_that_creates_tells_of_sweep_and_window(command: str) -> None:
    """Nothing else makes a connection that could be there twice; a test is no request that is drawn."""
    page = text_of(verified_day(command=command))

    assert "h-sweep" not in page
    assert ("created or tried to create" in page, "h-time" in page) == (False, command != VERIFY)


def test_a_simulated_rerun_says_what_it_is() -> None:
    """The banner, the run it goes on from, the files beside it; its parent's rows are in no chart."""
    opened = replace(OPENED, simulated=True, parent_run_id="20261122-1")
    inherited = Settled(outcome=CREATED, attempts=1, inherited=True, finished_at_ms=5)
    summary = summed_up(
        (1, 2, planned()), (2, 2, inherited), (3, RunEnded(exit_code=0)), opened=opened
    )

    page = text_of(replace(summary, files={"results.csv": "/r/results.csv", "report.html": "/r"}))

    assert "<strong>Simulated.</strong>" in page
    assert "20261122-1" in page
    assert "<code>results.csv</code> </dd>" in page
    assert 'class="chart' not in page


def test_the_time_between_a_crash_and_its_resume_is_left_out() -> None:
    """Resumed on the next day: two stretches of work, one seam, no night."""
    day_ms = 86_400_000
    summary = summed_up(
        (1, 2, planned()),
        (1_000, 2, Sending(number=1)),
        (4_000, LaneTold(event=PaceChanged(org="acme", host=HOST, rate=3.0, reason="growth"))),
        (4_000, LaneTold(event=LanePaused(org="acme", host=HOST, pause_s=900.0, reason="throttled"))),
        (day_ms, RunResumed()),
        (day_ms + 2_000, 2, Settled(outcome=CREATED, attempts=2)),
        (day_ms + 3_000, LaneTold(event=counted("acme"))),
        (day_ms + 3_000, RunEnded(exit_code=0)),
    )  # fmt: skip

    timeline = timeline_of(summary)

    assert timeline.time.total_ms == 7_000
    assert [bucket.total() for bucket in timeline.tries] == [0, 0, 0, 0, 0, 0, 2, 0]
    assert timeline.tracks[0].pauses == ((4_000, 4_000),)
    page = text_of(summary)
    assert "went on 2026-11-24 16:15:30 UTC" in page
    assert "The run had 2 processes" in page


def test_tries_are_counted_by_what_became_of_them() -> None:
    """Answered, refused, lost, repeated; patience that ended was throttled all along."""
    told: list[Any] = [
        (9, 2, Settled(outcome=CREATED, attempts=3, throttled=2)),
        (9, 3, Settled(outcome=REFUSED, attempts=1)),
        (9, 4, LOST),
        (9, 5, Settled(outcome=replace(CREATED, reconciled=True), attempts=1)),
        (9, 6, Settled(outcome=NotAttempted(code="no_progress"), attempts=4, throttled=4)),
    ]
    summary = summed_up(*((1, row, planned()) for row in range(2, 7)), *told)

    assert timeline_of(summary).tries == (
        {Try.ANSWERED: 1, Try.REFUSED: 1, Try.LOST: 2, Try.REPEATED: 6},
    )


def test_a_long_run_is_cut_into_round_buckets() -> None:
    """As fine as fits into the picture."""
    for hours in (0.05, 0.5, 2, 30, 1_000):
        end_ms = int(hours * 3_600_000)
        done = Settled(outcome=CREATED, attempts=1)
        summary = summed_up((1, 2, planned()), (end_ms, 2, done))
        timeline = timeline_of(summary)

        assert len(timeline.tries) <= MOST_BUCKETS
        assert timeline.tries[-1].total() == 1
        assert timeline.bucket_s in {1, 10, 30} or timeline.bucket_s % 60 == 0
        assert f"Requests per second over {span(end_ms)}" in text_of(summary)


def test_what_a_lane_told_is_drawn() -> None:
    """Pauses that touch are one; a pace that never changed is told at the end; a stop has its cause."""

    def paused(org: str, pause_s: float) -> LaneTold:
        return LaneTold(event=LanePaused(org=org, host=HOST, pause_s=pause_s, reason="throttled"))

    stop = LaneStopped(org="beta", sandbox="dev", code="403", title="No right", detail="")
    summary = summed_up(
        (1, 2, planned()),
        (1_000, paused("acme", 2.0)),
        (2_000, paused("acme", 2.0)),
        (6_000, paused("acme", 1.0)),
        (9_000, LaneTold(event=stop)),
        (9_000, LaneTold(event=counted("acme", rate=5.0))),
        (9_000, 2, Settled(outcome=CREATED, attempts=1)),
    )

    acme, beta = timeline_of(summary).tracks

    assert acme.pauses == ((1_000, 4_000), (6_000, 7_000))
    assert acme.paces == ((0, 2.5),)
    assert beta.stops == ((9_000, "sandbox dev: No right (403)"),)
    page = text_of(summary)
    assert "stopped: sandbox dev: No right (403)" in page
    assert '<td class="n">unknown</td>' in page


def test_percentiles_are_durations_that_occurred() -> None:
    """The nearest rank; bins have no gap; rows settled by asking are apart."""
    latencies = Latencies()
    for duration_ms in range(1, 101):
        latencies.add(duration_ms, settled=False)
    latencies.add(60_000, settled=True)
    latency = latencies.found()

    assert latency is not None
    assert (latency.rows, latency.p50_ms, latency.p95_ms, latency.max_ms) == (101, 51, 96, 60_000)
    assert sum(one.answered for one in latency.bins) == 100
    assert latency.bins[-1].settled == 1
    assert all(
        one.high_ms == pytest.approx(two.low_ms)
        for one, two in zip(latency.bins, latency.bins[1:], strict=False)
    )
    assert Latencies().found() is None


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (80, "80 ms"),
        (1_200, "1.2 s"),
        (3_000, "3 s"),
        (59_600, "1 min"),
        (753_000, "12 min 33 s"),
        (3_600_000, "1 h"),
        (11_100_000, "3 h 5 min"),
    ],
)
def test_a_length_of_time_is_said_short(ms: int, text: str) -> None:
    """Two units at most."""
    assert span(ms) == text


def test_a_resend_after_proven_absence_is_one_row() -> None:
    """Lost, proven absent, sent again, created: one request was lost, the row is created."""
    summary = summed_up(
        (1, 2, planned()),
        (100, 2, Sending(number=1)),
        (200, 2, LOST),
        (5_000, 2, ProvenAbsent()),
        (5_100, 2, Sending(number=2)),
        (6_000, 2, Settled(outcome=CREATED, attempts=1)),
        (6_000, RunEnded(exit_code=0)),
    )

    page = text_of(summary)

    assert "The row has its connection" in page
    assert "No sweep was made: the run ended before it." in page


def test_a_lane_that_only_listed_has_an_empty_picture() -> None:
    """All rows stood there already: requests were made, none of them for a row."""
    page = text_of(summed_up((1, 2, planned()), (9, LaneTold(event=counted("acme", sent=3)))))

    assert "Lane acme: 3 requests" in page
    assert 'aria-label="Requests per second over 9 ms: none' in page


def test_advice_shows_commands_as_such() -> None:
    """What stands between backticks is a command."""
    refused = (1, 2, planned()), (2, 2, Settled(outcome=REFUSED)), (3, RunEnded(exit_code=4))

    assert "Run <code>batchconnect rerun</code> when it is fixed" in text_of(summed_up(*refused))


def test_a_run_still_at_work_has_no_end() -> None:
    """No cause so far, no sweep yet."""
    page = text_of(summed_up((1, 2, planned()), live=True))

    assert "Nothing so far." in page
    assert "still at work</dd>" in page
    assert "A sweep at the end compares every marker" in page


def test_unknown_facts_are_called_so() -> None:
    """A ledger from Python may have no operator and no host."""
    opened = RunOpened(run_id="r", sheets=("rows",), sheet_sha256="0")

    page = text_of(summed_up((1, 2, planned(org="")), opened=opened))

    assert "<dt>by</dt>" not in page
    assert "<dt>target</dt><dd>unknown, sandbox <bdi>prod</bdi></dd>" in page
    assert "By organization" not in page


def test_when_what_where_and_who_stand_at_the_top() -> None:
    """Before the first number: a page that was mailed on says which run it is of."""
    head = text_of(bad_day()).partition("<main>")[0]

    assert '<time datetime="2026-11-23T16:15:30Z"' in head
    assert "<dd><bdi>inputs/clients.xlsx</bdi>, tab <bdi>Kunden</bdi></dd>" in head
    assert "<dd>platform.adobe.io, 5 orgs, sandbox <bdi>prod</bdi></dd>" in head
    assert "<dd>maria on ops-7</dd>" in head
    assert "<dd>CHG-20817</dd>" in head


def test_rows_stand_before_charts() -> None:
    """What a person has to look at first is neither a curve nor a table of lanes."""
    page = text_of(bad_day())
    places = [page.index(f'id="{name}"') for name in ("h-incidents", "h-rows", "h-orgs", "h-time")]

    assert places == sorted(places)


def test_many_causes_unfold_behind_the_first() -> None:
    """So that the rows are not twenty screens away."""
    codes = [f"code-{number}" for number in range(9)]
    page = text_of(
        summed_up(
            *((1, row, planned(f"Client {row}")) for row, _ in enumerate(codes, 2)),
            *((2, row, Settled(outcome=Failed(code=code, detail="No."))) for row, code in enumerate(codes, 2)),
            (3, RunEnded(exit_code=4)),
        )
    )  # fmt: skip

    shown, folded = page.split('<details class="more-causes">')
    assert "<summary>3 more causes</summary>" in folded
    assert (shown.count('class="incident '), folded.count('class="incident ')) == (6, 3)


def test_commands_on_the_page_find_the_run_where_it_lies() -> None:
    """The next step, and those that an advice names: with the options that its run was given."""
    told = (1, 2, planned()), (2, 2, Settled(outcome=REFUSED)), (3, RunEnded(exit_code=4))
    summary = summed_up(*told, opened=replace(OPENED, simulated=True))
    page = text_of(replace(summary, place=("--reports", "my reports")))

    run = f"batchconnect rerun {OPENED.run_id} --reports &#39;my reports&#39; --simulate"
    assert f"<code>{run}</code>" in page
    assert "Run <code>batchconnect rerun --reports &#39;my reports&#39; --simulate</code>" in page
    assert (
        "`batchconnect rerun --reports 'my reports' --simulate`"
        in data_of(page)["texts"][data_of(page)["rows"][0][data_of(page)["fields"].index("hint")]]
    )


def test_a_rerun_says_what_it_made_itself() -> None:
    """And how much of what it shows stood before it."""
    inherited = Settled(outcome=CREATED, attempts=1, inherited=True, finished_at_ms=5)
    summary = summed_up(
        *((1, row, planned(f"Client {row}")) for row in (2, 3, 4)),
        *((2, row, inherited) for row in (2, 3)),
        (3, 4, Settled(outcome=CREATED, attempts=1)),
        (4, RunEnded(exit_code=0)),
        opened=replace(OPENED, parent_run_id="20261122-1"),
    )

    assert "made 1 connection itself; 2 rows stand as run 20261122-1 left them" in text_of(summary)
    assert "<small>1 by this run, 2 before it</small>" in text_of(summary)


def test_the_story_of_a_row_is_told_where_it_did_not_go_straight() -> None:
    """Lost, proven absent, sent again: with their times. A row that was sent and answered has no steps."""
    page = text_of(
        summed_up(
            *((1, row, planned(f"Client {row}")) for row in (2, 3)),
            (100, 2, Sending(number=1)),
            (200, 2, LOST),
            (5_000, 2, ProvenAbsent()),
            (5_100, 2, Sending(number=2)),
            (6_000, 2, SETTLED),
            (100, 3, Sending(number=1)),
            (200, 3, SETTLED),
            (6_000, RunEnded(exit_code=0)),
        )
    )
    data = data_of(page)
    of_first, of_second = (row[data["fields"].index("steps")] for row in data["rows"])

    assert [(at_ms, data["texts"][what]) for at_ms, what in of_first] == [
        (200, "the answer was lost (timeout)"),
        (5_000, "surely not applied: two complete listings do not have it"),
        (5_100, "sent again"),
    ]
    assert of_second == []


def sent_with(row: int, expires_at_ms: int | None) -> list[Any]:
    """A row that was created with a key from a store."""
    key = KeyOrigin(reference=f"kv:k{row}", version="1", expires_at_ms=expires_at_ms)
    return [
        (0, row, planned()),
        (1, row, Sending(number=1, key=key)),
        (2, row, Settled(outcome=CREATED)),
    ]


@pytest.mark.parametrize(
    ("days", "words"), [((9, 29), "2 keys expire"), ((9, 31), "1 key expires")]
)
def test_keys_that_end_within_thirty_days_are_told_with_the_command_that_names_them(
    days: tuple[int, ...], words: str
) -> None:
    """Where the next steps stand; whoever reads the page alone would not see them in the table."""
    of_rows = [sent_with(row, START_MS + n * DAY_MS) for row, n in enumerate(days, start=2)]

    page = b"".join(
        render(summed_up(*(one for told in of_rows for one in told), (9, RunEnded(exit_code=0))))
    ).decode()

    assert f"{words} within 30 days, by the word of their stores." in page
    assert f"<code>batchconnect expiring {OPENED.run_id}</code>" in page
    assert page.index(words) < page.index("What stands in the way")


def test_of_keys_that_end_later_or_never_the_page_says_nothing() -> None:
    told = [*sent_with(2, None), *sent_with(3, START_MS + 31 * DAY_MS)]

    page = b"".join(render(summed_up(*told, (9, RunEnded(exit_code=0))))).decode()

    assert "within 30 days" not in page
    assert "batchconnect expiring" not in page


def test_a_verification_whose_keys_are_missing_does_not_say_that_connections_fail() -> None:
    """The connections work, and their keys are not to be had: each is told as what it is."""
    works = Tested(connection_id="c-1", works=Works.YES)
    looked = KeyLooked(problems=(PROBLEM,))
    summary = summed_up(
        (0, 2, planned()), (1, 2, Settled(outcome=CREATED)), (2, 2, works), (3, 2, looked),
        (9, RunEnded(exit_code=4)), opened=replace(OPENED, command=VERIFY),
    )  # fmt: skip

    assert (
        ending(summary) == "finished, some keys are not to be had from their stores (exit code 4)"
    )
    assert headline(summary) == "The connection works"
    assert [one.code for one in summary.incidents] == [PROBLEM.code]
