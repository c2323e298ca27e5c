"""A made-up run for the tests of the page: many rows over many orgs, with every status among them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from batchconnect.ledger.entry import (
    ONBOARD,
    UNDO,
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
    Sending,
    Settled,
    SweepDone,
    Tested,
    Updated,
)
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.run_state import fold_run
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged, Swept
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    MatchedBy,
    Problem,
    Rejected,
    Works,
)
from batchconnect.reports.summary import Summary, summarize

START_MS = 1_795_450_530_123
HOST = "platform.adobe.io"
OPENED = RunOpened(
    run_id="20261123-161530123-k3f9",
    sheets=("inputs/clients.xlsx",),
    worksheet="Kunden",
    sheet_sha256="5e1f",
    carried=("account manager",),
    note="CHG-20817",
    operator="maria",
    machine="ops-7",
    tool_version="0.1.0",
    platform_host=HOST,
    blank_rows=1,
)
PROBLEM = Problem(
    code="secret_is_id",
    column="servicePrincipalKey",
    cell="G7",
    what="The key looks like a secret's id.",
    remedy="Paste the secret's Value.",
)
REFUSED = Failed(
    code="FLOW-1308-400", detail="The credentials are refused.", http_status=400, request_id="r-1"
)
LOST = Doubted(
    outcome=InDoubt(code="timeout", detail="No answer."), moment=Moment(boot_id="b", clock_s=1.0)
)

Told = tuple[int, Entry] | tuple[int, int, Entry]
"""Milliseconds since the start, the row where it is about one, and the entry."""


def summed_up(*told: Told, opened: RunOpened = OPENED, **options: Any) -> Summary:
    """Write entries to a ledger and sum them up."""
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=START_MS)])
        ledger.append(list(_with_own_ids([_line(run, *one) for one in told])))
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    # A run at work has no reason yet for rows that wait for their turn.
    rows = fold_rows if options.get("live") else fold_run(of_run).rows
    return summarize(
        of_run,
        lambda: rows(of_rows),
        ledger="/home/maria/reports/ledger.sqlite3",
        **options,
    )


def _with_own_ids(lines: Iterable[Line]) -> Iterator[Line]:
    """A ledger takes no id twice, and in these tests one outcome may stand for many rows."""
    rows: dict[str, int | None] = {}
    for line in lines:
        entry: Entry = line.entry
        if isinstance(entry, Settled) and isinstance(entry.outcome, Created):
            made = entry.outcome.connection_id
            if not entry.inherited and rows.setdefault(made, line.row) != line.row:
                own = replace(entry.outcome, connection_id=f"{made}-of-{line.row}")
                entry = replace(entry, outcome=own)
        yield line._replace(entry=entry)


def _line(run: int, at_ms: int, row: int | Entry, entry: Entry | None = None) -> Line:
    if not isinstance(row, int):
        return Line(entry=row, run=run, at_ms=START_MS + at_ms)
    assert entry is not None
    marker = f"bc1-{row:026}"
    return Line(entry=entry, run=run, row=row, marker=marker, at_ms=START_MS + at_ms)


def planned(name: str = "Acme", org: str = "acme", **cells: Any) -> RowPlanned:
    """A row as the ledger keeps it."""
    given = {
        "sandbox": "prod",
        "endpoint": f"https://{org}.westeurope.kusto.windows.net",
        "database": "telemetry",
        "tenant": f"{org}.onmicrosoft.com",
        "service_principal_id": "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
        "carried": ("Anna",),
        **cells,
    }
    return RowPlanned(name=name, org=org, **given)


def counted(org: str, *, sent: int = 1, rate: float = 4.0) -> LaneCounted:
    """What a lane tells when it ends."""
    return LaneCounted(
        org=org,
        host=HOST,
        sent=sent,
        created=sent,
        throttled=1,
        retried=1,
        paused_s=2.0,
        rate_max=rate,
        rate_last=rate / 2,
    )


def bad_day(rows: int = 300, orgs: int = 5) -> Summary:
    """A run with every status, pauses, a stopped lane, and doubts that were settled."""
    return summed_up(*_story(rows, orgs))


def _story(rows: int, orgs: int) -> Iterator[Told]:
    names = [f"org-{number:02}" for number in range(orgs)]
    stopped = names[-1]
    for row in range(2, rows + 2):
        org = names[row % orgs]
        yield 1, row, planned(f"Client {row:05}", org)
        for at_ms, entry in _one_row(row, org == stopped and row > orgs * 4):
            yield at_ms, row, entry
    end_ms = rows * 50 + 30_000
    for org in names:
        yield 2_000, LaneTold(event=PaceChanged(org=org, host=HOST, rate=3.0, reason="growth"))
        yield (
            3_000,
            LaneTold(event=LanePaused(org=org, host=HOST, pause_s=2.0, reason="throttled")),
        )
        yield 3_000, LaneTold(event=PaceChanged(org=org, host=HOST, rate=2.1, reason="congestion"))
    stop = LaneStopped(org=stopped, sandbox=None, code="401013", title="Token refused", detail="")
    yield 4_000, LaneTold(event=stop)
    for org in names:
        yield end_ms, LaneTold(event=counted(org, sent=rows // orgs))
    yield end_ms, SweepDone(event=Swept(expected=rows, found=rows, duplicated=(), missing=()))
    yield end_ms, RunEnded(exit_code=6)


def _one_row(row: int, is_stopped: bool) -> Iterator[tuple[int, Entry]]:
    """What became of a row, by its number."""
    if is_stopped:
        return
    at_ms = 1_000 + row * 50
    created = Created(connection_id=f"c0ffee00-0000-4000-8000-{row:012}", http_status=201)
    kind = row % 50
    if kind == 7:
        yield 1, Settled(outcome=Rejected(problems=(PROBLEM,)))
        return
    if kind == 11:
        existing = Existing(connection_id=f"e-{row}", matched_by=MatchedBy.MARKER)
        yield 900, Settled(outcome=existing)
        return
    if kind == 13:
        conflict = Conflict(code="name_taken", detail="It is taken.", connection_ids=("c-1",))
        yield 900, Settled(outcome=conflict)
        return
    yield at_ms, Sending(number=1)
    if kind == 17:
        yield at_ms + 300, Settled(outcome=REFUSED, attempts=1)
    elif kind == 19:
        yield at_ms + 9_000, LOST
    elif kind == 23:
        yield at_ms + 9_000, LOST
        found = Created(connection_id=f"f-{row}", reconciled=True)
        yield at_ms + 20_000, Settled(outcome=found)
    else:
        attempts = 3 if kind == 29 else 1
        wait_ms = 200 + row * 37 % 700
        yield (
            at_ms + wait_ms,
            Settled(outcome=created, attempts=attempts, throttled=attempts - 1),
        )


EXPIRED = "AADSTS7000222"
UNKNOWN_KEY = "AADSTS7000215"


def verified_day(rows: int = 200, *, command: str = ONBOARD) -> Summary:
    """A run whose connections were tested: 15 in 100 do not work, for two reasons, and one could not be asked."""
    return summed_up(*_verified_story(rows), opened=replace(OPENED, command=command))


def _verified_story(rows: int) -> Iterator[Told]:
    for row in range(2, rows + 2):
        yield 1, row, planned(f"Client {row:05}", f"org-{row % 3:02}")
        at_ms = 1_000 + row * 50
        connection = f"c0ffee00-0000-4000-8000-{row:012}"
        yield at_ms, row, Sending(number=1)
        created = Created(connection_id=connection, http_status=201)
        yield at_ms + 200, row, Settled(outcome=created, attempts=1)
        works, code = Works.YES, ""
        if row % 20 in {3, 4, 5}:
            works, code = Works.NO, EXPIRED if row % 20 == 3 else UNKNOWN_KEY
        elif row == rows:
            works, code = Works.NOT_TESTED, "timeout"
        told = Tested(connection_id=connection, works=works, code=code, detail=code)
        yield at_ms + 900, row, told
    for org in range(3):
        yield rows * 60, LaneTold(event=counted(f"org-{org:02}", sent=2 * rows // 3))
    swept = Swept(expected=rows, found=rows, duplicated=(), missing=())
    yield rows * 60, SweepDone(event=swept)
    yield rows * 60, RunEnded(exit_code=4)


def changed_day() -> Summary:
    """Rows of every status that a command may leave which changes connections."""
    connection = "c0ffee00-0000-4000-8000-000000000001"
    ends: tuple[Entry, ...] = (
        Updated(outcome=o.Updated(connection_id=connection, etag='"2"', etag_before='"1"')),
        Left(
            outcome=o.Unchanged(
                code="not_failing", detail="Its last test said yes.", connection_id=connection
            )
        ),
        Deleted(outcome=o.Deleted(connection_id=connection)),
        Left(outcome=o.Kept(code="in_use", detail="A dataflow uses it.", connection_id=connection)),
    )
    return summed_up(
        *((1, row, planned(f"Client {row}")) for row in range(2, 6)),
        *((2, row, end) for row, end in enumerate(ends, 2)),
        (3, RunEnded(exit_code=4)),
        opened=replace(OPENED, command=UNDO, parent_run_id="20261122-101500000-a1b2"),
    )
