"""Each cause is told once, with how many rows it met and what to do."""

from dataclasses import replace
from typing import Any

import pytest

from batchconnect.ledger.entry import (
    Deleted,
    Doubted,
    Entry,
    LaneTold,
    Left,
    Line,
    Moment,
    RowPlanned,
    RunEnded,
    RunOpened,
    Settled,
    SweepDone,
    Tested,
    Updated,
)
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.event import LaneStopped, Swept
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Failed,
    InDoubt,
    Kept,
    NotAttempted,
    Outcome,
    Problem,
    Rejected,
    Severity,
    Status,
    Unchanged,
    Works,
)
from batchconnect.reports.page import html
from batchconnect.reports.summary import Summary, summarize
from batchconnect.reports.terminal_summary import closing_lines
from tests.reports.page_run import planned, summed_up

START_MS = 1_764_000_000_000
OPENED = RunOpened(
    run_id="20251124-160000000-k3f9",
    sheets=("clients.csv",),
    sheet_sha256="5e1f",
    platform_host="platform.adobe.io",
)


def told(
    *entries: Entry | tuple[int, Entry], opened: RunOpened = OPENED, **options: Any
) -> Summary:
    """Write entries to a ledger, one a second, those of a row with its number, and sum them up."""
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=START_MS)])
        for number, told in enumerate(entries, 1):
            row, entry = told if isinstance(told, tuple) else (None, told)
            marker = None if row is None else f"bc1-{row:026}"
            at_ms = START_MS + number * 1000
            ledger.append([Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)])
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    return summarize(of_run, lambda: fold_rows(of_rows), **options)


LANE = NotAttempted(code="lane_stopped", detail="Profile is not valid")
BOX = NotAttempted(code="sandbox_stopped", detail="Sandbox not found")


def rows(*rows: tuple[str, str, Outcome]) -> list[tuple[int, Entry]]:
    """Rows from number 2 on: (org, sandbox, outcome)."""
    found: list[tuple[int, Entry]] = []
    for number, (org, sandbox, outcome) in enumerate(rows, 2):
        found.append((number, RowPlanned(name=f"n{number}", org=org, sandbox=sandbox)))
        if isinstance(outcome, InDoubt):
            moment = Moment(boot_id="b", clock_s=0.0)
            found.append((number, Doubted(outcome=outcome, moment=moment)))
        else:
            found.append((number, Settled(outcome=outcome)))
    return found


def stopped(code: str, *, sandbox: str | None = None, title: str = "Stop") -> LaneTold:
    return LaneTold(
        event=LaneStopped(org="acme", sandbox=sandbox, code=code, title=title, detail="")
    )


def refused(code: str, http_status: int = 400) -> Failed:
    return Failed(code=code, detail="No.", http_status=http_status)


def problem(code: str, what: str = "Wrong.") -> Problem:
    return Problem(code=code, what=what, remedy=f"Mend {code}.")


def keys(summary: Summary) -> list[tuple[str, str | None, str | None, int, int]]:
    return [(one.code, one.org, one.sandbox, one.rows, one.first_row) for one in summary.incidents]


def test_a_stopped_lane_is_one_incident() -> None:
    """The row that met the refusal and the rows that never had their turn belong together."""
    met = ("acme", "prod", refused("403025", 403))
    kept = ("acme", "prod", LANE), ("acme", "dev", LANE)

    summary = told(*rows(met, *kept, ("beta", "prod", LANE)), stopped("403025"))

    assert keys(summary) == [
        ("403025", "acme", None, 3, 2),
        ("lane_stopped", "beta", None, 1, 5),
    ]
    lane = summary.incidents[0]
    assert lane.title == "The credential has no right for this organization"
    assert "org_id" in lane.hint
    assert {row.hint for row in summary.rows() if row.org == "acme"} == {lane.hint}


def test_a_stopped_sandbox_is_an_incident_of_its_own() -> None:
    """The lane's other sandboxes go on."""
    met = ("acme", "nope", refused("FLOW-2100-404", 404))

    summary = told(*rows(met, ("acme", "nope", BOX)), stopped("FLOW-2100-404", sandbox="nope"))

    assert keys(summary) == [("FLOW-2100-404", "acme", "nope", 2, 2)]


def test_a_lane_stopped_twice_tells_its_last_reason() -> None:
    """Resumed and stopped again by something else: that is what keeps the rows now."""
    summary = told(*rows(("acme", "prod", LANE)), stopped("invalid_client"), stopped("403027"))

    assert keys(summary) == [("403027", "acme", None, 1, 2)]


def test_a_code_that_nobody_knows_has_the_services_title() -> None:
    """And no advice about cells, since every row of the lane would be refused alike."""
    summary = told(*rows(("acme", "prod", LANE)), stopped("FLOW-9999-403", title="Odd"))

    assert summary.incidents[0].title == "Odd"
    assert "cells" not in summary.incidents[0].hint


def test_a_doubt_that_stops_its_lane_is_in_its_incident() -> None:
    """A redirect leaves its row in doubt and stops the lane."""
    redirected = InDoubt(code="http-307", http_status=307)

    summary = told(*rows(("acme", "p", redirected), ("acme", "p", LANE)), stopped("http-307"))

    assert keys(summary) == [("http-307", "acme", None, 2, 2)]
    first = next(summary.rows())
    assert "may exist" in first.hint


def test_a_cause_of_rows_is_told_once_for_all_orgs() -> None:
    """Refused credentials of the rows are the same trouble in every org; sign-in is the org's own."""
    outcomes: list[tuple[str, str, Outcome]] = [
        ("acme", "prod", refused("FLOW-1308-400")),
        ("beta", "prod", refused("FLOW-1308-400")),
        ("acme", "prod", refused("FLOW-1001-401", 401)),
        ("beta", "prod", refused("FLOW-1001-401", 401)),
        ("acme", "prod", Conflict(code="name_taken", detail="x")),
        ("acme", "dev", Conflict(code="name_taken", detail="x")),
    ]

    assert keys(told(*rows(*outcomes))) == [
        ("FLOW-1308-400", None, None, 2, 2),
        ("name_taken", "acme", None, 2, 6),
        ("FLOW-1001-401", "acme", None, 1, 4),
        ("FLOW-1001-401", "beta", None, 1, 5),
    ]


def test_reasons_of_the_source_are_told_apart() -> None:
    """Each with its own headline and advice, though the service gives them all one code."""
    reasons = ("AADSTS7000215", "kusto_no_database", "AADSTS7000215", "AADSTS1234567")
    outcomes: list[tuple[str, str, Outcome]] = [("acme", "p", refused(one)) for one in reasons]

    incidents = told(*rows(*outcomes)).incidents

    assert [(one.code, one.rows, one.title) for one in incidents] == [
        ("AADSTS7000215", 2, "The key is wrong"),
        ("kusto_no_database", 1, "There is no such database"),
        ("AADSTS1234567", 1, "Microsoft Entra refused the principal"),
    ]
    assert len({one.hint for one in incidents}) == len(incidents)


def test_tests_are_grouped_by_the_reason_of_the_source() -> None:
    """Apart from rows that were refused for the same reason: those have no connection, these have one."""
    created = Created(connection_id="c")
    expired = Tested(connection_id="c", works=Works.NO, code="AADSTS7000222", detail="x" * 300)
    walled = Tested(connection_id="c", works=Works.NO, code="kusto_firewall")
    unasked = Tested(connection_id="c", works=Works.NOT_TESTED, code="timeout")
    fine = Tested(connection_id="c", works=Works.YES)

    summary = told(
        *rows(*[("acme", "p", created)] * 5, ("acme", "p", refused("AADSTS7000222"))),
        *((2, expired), (3, walled), (4, expired), (5, unasked), (6, fine)),
    )

    assert [(one.code, one.works, one.rows, one.first_row) for one in summary.incidents] == [
        ("AADSTS7000222", Works.NO, 2, 2),
        ("kusto_firewall", Works.NO, 1, 3),
        ("timeout", Works.NOT_TESTED, 1, 5),
        ("AADSTS7000222", None, 1, 7),
    ]
    titles = [one.title for one in summary.incidents]
    assert titles[0] == titles[3] == "The key has expired"
    assert titles[2].startswith("Not tested: ")
    assert "verify" in summary.incidents[2].hint
    assert "servicePrincipalKey" in summary.incidents[0].hint


def test_what_was_kept_is_told_by_its_reason() -> None:
    """What was deleted, updated or not needed is no trouble."""
    ends: list[Entry] = [
        Deleted(outcome=o.Deleted(connection_id="c")),
        Updated(outcome=o.Updated(connection_id="c")),
        Left(outcome=Unchanged(code="not_failing", detail="", connection_id="c")),
        *[Left(outcome=Kept(code="in_use", detail="", connection_id="c"))] * 2,
        Left(outcome=Kept(code="changed_since", detail="", connection_id="c")),
    ]
    planned = RowPlanned(name="n", org="acme", sandbox="p")

    summary = told(*((row, one) for row, end in enumerate(ends, 2) for one in (planned, end)))

    assert keys(summary) == [
        ("in_use", "acme", None, 2, 5),
        ("changed_since", "acme", None, 1, 7),
    ]
    assert {one.status for one in summary.incidents} == {Status.KEPT}


def test_problems_of_the_sheet_are_told_by_code() -> None:
    """A row counts once for each of its causes; warnings are no incident."""
    warning = Problem(code="long", severity=Severity.WARNING, what="w", remedy="r")
    both = Rejected(problems=(problem("blank", "A blank."), problem("blank"), problem("no_https")))
    one = Rejected(problems=(warning, problem("no_https")))

    summary = told(*rows(("acme", "p", both), ("beta", "p", one)))

    assert keys(summary) == [("no_https", None, None, 2, 2), ("blank", "acme", None, 1, 2)]
    assert summary.incidents[1].title == "A blank."
    assert summary.incidents[1].hint == "Mend blank."
    assert summary.incidents[1].status is Status.REJECTED


def test_rows_that_are_wrong_in_other_words_are_told_with_an_example() -> None:
    """A mask and a placeholder are one cause; what the first one is, the others are not."""
    like = Problem(code="placeholder", column="servicePrincipalKey", what="a mask", remedy="r")
    other = replace(like, what="a variable")

    alike = told(*rows(*[("a", "p", Rejected(problems=(like,)))] * 2))
    mixed = told(*rows(*[("a", "p", Rejected(problems=(one,))) for one in (like, other)]))

    assert [one.title for one in alike.incidents] == ["servicePrincipalKey: a mask"]
    assert [one.title for one in mixed.incidents] == ["servicePrincipalKey: for example, a mask"]


def test_consequences_come_last() -> None:
    """A hundred rows that wait for one wrong cell are not the news."""
    wrong = Rejected(problems=(problem("blank"),))
    waits = NotAttempted(code="rejected_rows")

    summary = told(*rows(*[("a", "p", waits)] * 3, ("a", "p", wrong)))

    assert [one.code for one in summary.incidents] == ["blank", "rejected_rows"]


def test_a_lane_without_progress_and_a_listing_are_their_own_place() -> None:
    """Throttling is the org's; a listing is its sandbox's."""
    still, unlisted = NotAttempted(code="no_progress"), NotAttempted(code="listing_failed")

    summary = told(*rows(("a", "p", still), ("a", "p", unlisted), ("a", "q", unlisted)))

    assert keys(summary) == [
        ("no_progress", "a", None, 1, 2),
        ("listing_failed", "a", "p", 1, 3),
        ("listing_failed", "a", "q", 1, 4),
    ]


def test_the_sweeps_findings_are_incidents() -> None:
    """A row may be created and yet found twice, or not at all."""
    created = Created(connection_id="c")
    twice, gone, told_already = (f"bc1-{number:026}" for number in (2, 3, 4))
    swept = Swept(expected=3, found=2, duplicated=(twice, told_already), missing=(gone,))
    duplicated = Conflict(code="duplicated", detail="x", connection_ids=("c1", "c2"))

    summary = told(
        *rows(("a", "p", created), ("a", "p", created), ("a", "p", duplicated)),
        SweepDone(event=swept),
    )

    assert keys(summary) == [("duplicated", "a", None, 2, 2), ("missing", "a", None, 1, 3)]
    *_, last = summary.rows()
    assert last.error == "x (c1, c2)"


def test_advice_is_handed_in() -> None:
    """Whoever calls may have other words for a code."""
    summary = told(
        *rows(("a", "p", refused("x"))),
        hint=lambda code, status: f"{code} {status}",
        title=lambda code: f"<{code}>",
    )

    assert (summary.incidents[0].title, summary.incidents[0].hint) == ("<x>", "x failed")


@pytest.mark.parametrize("code", ["FLOW-1400-500", "FLOW-9999-400", "http-503", "FLOW-1308-400"])
def test_a_code_is_said_once(code: str) -> None:
    """On the screen and on the page, whether we have a title for it or not."""
    summary = summed_up(
        (1, 2, planned()),
        (2, 2, Settled(outcome=Failed(code=code, detail="It says so."))),
        (3, RunEnded(exit_code=4)),
    )
    [incident] = summary.incidents
    page = b"".join(html.render(summary)).decode()
    headline = page.split('class="incident ', 1)[1].split("</p>", 1)[0]

    assert code not in incident.title
    assert "\n".join(closing_lines(summary)).count(code) == 1
    assert headline.count(code) == 2 - 1 + ("data-search" in headline)
