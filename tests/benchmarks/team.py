"""A team's ledger beside a file: durable entries, a whole run, and a look at many settled rows."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

import anyio

from batchconnect.ledger.codec import encode
from batchconnect.ledger.entry import Line, RowPlanned, RunOpened, Sending, Settled
from batchconnect.ledger.group_commit import GroupCommit
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.kind import word_of
from batchconnect.ledger.postgres.connections import Session
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Created
from batchconnect.model.secret import Secret
from batchconnect.run.intake.known_rows import known_of
from tests.benchmarks import servers
from tests.benchmarks.place import Cost, measured, tool
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.speed import environ
from tests.benchmarks.table import Measure, ratio_of
from tests.postgres_cluster import PASSWORD, Cluster, cluster

_LANE: Final = LaneKey("platform.adobe.io", "5C1328435BF324E90A49402A@AdobeOrg", "client")
_LINK_MS: Final = 3.5
_ASKED_AT_ONCE: Final = 500
_DRIVER_MIB: Final = 25
"""psycopg with its libpq and OpenSSL, and their threads; no row of a run is among it."""
_numbers = count(1)
_Ledger = SqliteLedger | PostgresLedger


def team_ledger(folder: Path, *, quick: bool, full: bool) -> Iterator[Measure]:
    """All of it, in one cluster. Only where PostgreSQL is there."""
    with cluster(fsync="on") as made:
        for waiters, target in ((50, 0.6), (200, None), (1, None)):
            yield _entries(folder, made, waiters, target, pairs=5 if quick else 15)
        rows, pairs = (1_000, 3) if quick else (5_000, 7)
        for link_ms in (0.0, _LINK_MS):
            yield from _whole_run(folder, made, rows, pairs, link_ms)
        settled = 20_000 if quick else 1_000_000 if full else 100_000
        yield _planning(folder, made, settled)


@contextmanager
def _link(made: Cluster, round_trip_ms: float) -> Iterator[int]:
    """The server's port, so far away."""
    if not round_trip_ms:
        yield made.port
        return
    with servers.slow_link(made.port, round_trip_ms) as port:
        yield port


def _address(made: Cluster, port: int) -> LedgerAddress:
    name = made.ledger().url.reveal().split("?")[0].rpartition("/")[2]
    return LedgerAddress(Secret(f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/{name}"))


def _opened() -> Line:
    run_id = f"run {next(_numbers)}"
    return Line(entry=RunOpened(run_id=run_id, sheets=("s.csv",), sheet_sha256="ab"), at_ms=1)


# Durable entries ------------------------------------------------------------------------------------


def _entries(
    folder: Path, made: Cluster, waiters: int, target: float | None, *, pairs: int
) -> Measure:
    rates: dict[str, list[float]] = {"file": [], "team": []}
    with (
        SqliteLedger(folder / f"entries-{waiters}") as file,
        PostgresLedger(_address(made, made.port)) as team,
    ):
        runs = {"file": file.append([_opened()]), "team": team.append([_opened()])}
        for pair in range(pairs + 1):
            for name, ledger in (("file", file), ("team", team)):
                rate = anyio.run(_rate, ledger, runs[name], waiters)
                if pair:  # the first one warms up
                    rates[name].append(rate)
    ratio = ratio_of(rates["team"], rates["file"])
    return Measure(
        what=f"durable entries per second, {waiters} waiters: a team's ledger against SQLite WAL FULL",
        target=f"at least {target} x" if target else "",
        got=f"{ratio:.2f} x ({median(rates['team']):,.0f} and {median(rates['file']):,.0f} a second, "
        f"median of {pairs} pairs)",
        met=None if target is None else ratio >= target,
        figures={"rates": rates},
    )


async def _rate(ledger: _Ledger, run: int, waiters: int) -> float:
    """Intents and answers of rows in flight, for a second."""
    done = 0
    async with GroupCommit(ledger) as group:
        writer = group.of_lane(_LANE)
        end = time.monotonic() + 1.0

        async def one() -> None:
            nonlocal done
            while time.monotonic() < end:
                for line in _lines_of_row(run)[1:]:
                    await writer.append([line])
                    done += 1

        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(waiters):
                tasks.start_soon(one)
        return done / (time.monotonic() - began)


def _lines_of_row(run: int) -> list[Line]:
    number = next(_numbers)
    marker = _marker_of(number)
    created = Created(
        connection_id=_id_of(number),
        etag='"01007d6c-0000-0200-0000-65a0f4f40000"',
        http_status=201,
        request_id="z8MbkLDrfCPNkVLWNqMlDvN3aYJyqXdP",
    )
    entries = (
        RowPlanned(name=f"Client {number}", description=f"Telemetry {marker}", sandbox="prod"),
        Sending(number=1),
        Settled(outcome=created, attempts=1, started_at_ms=1_764_480_000_000),
    )
    return [
        Line(entry=entry, run=run, row=number, marker=marker, at_ms=1_764_480_000_000)
        for entry in entries
    ]


def _marker_of(number: int) -> str:
    return f"bc1-{number * 2654435761 % (1 << 64):026x}"


def _id_of(number: int) -> str:
    return f"{number:08x}-6d0a-4a52-8f6e-{number:012x}"


# A whole run ----------------------------------------------------------------------------------------


def _whole_run(
    folder: Path, made: Cluster, rows: int, pairs: int, link_ms: float
) -> Iterator[Measure]:
    sheet = write_csv(folder / "run.csv", rows, sandboxes=1)
    costs: dict[str, list[Cost]] = {"file": [], "team": []}
    with ExitStack() as stack:
        port = stack.enter_context(_link(made, link_ms))
        for _ in range(pairs):
            for name, found in costs.items():
                # A service of its own for each: it remembers what was created.
                with servers.with_rows("0", "1", "0") as server:
                    ledger = {"BATCHCONNECT_LEDGER": _address(made, port).url.reveal()}
                    shutil.rmtree(folder / "reports", ignore_errors=True)
                    cost = measured(
                        tool("run", sheet, "--rate", "1000", "--concurrency", "50", "--quiet"),
                        folder=folder,
                        environ={**environ(server.url), **(ledger if name == "team" else {})},
                    )
                assert cost.code == 0, cost.err + cost.out
                found.append(cost)
    link = f", {link_ms} ms there and back" if link_ms else ""
    for what, of, most in (
        ("time", _wall, 1.1),
        ("CPU of the client", _cpu, 1.2),
    ):
        team, file = ([of(cost) for cost in costs[name]] for name in ("team", "file"))
        ratio = ratio_of(team, file)
        yield Measure(
            what=f"`run`, {rows:,} rows, one lane, `--rate 1000`, 50 in flight{link}: {what} on a team's "
            "ledger against a file",
            target=f"at most {most} x",
            got=f"{ratio:.2f} x ({median(team):.1f} s and {median(file):.1f} s, median of {pairs} pairs)",
            met=ratio <= most,
            figures={"team": team, "file": file},
        )
    sheet.unlink()
    peaks = {name: median(cost.peak_mib for cost in costs[name]) for name in costs}
    yield Measure(
        what=f"`run`, {rows:,} rows, one lane{link}: peak memory of the client on a team's ledger beside a file",
        target=f"at most {_DRIVER_MIB} MiB more, which is PostgreSQL's driver",
        got=f"{peaks['team']:.0f} MiB and {peaks['file']:.0f} MiB",
        met=peaks["team"] - peaks["file"] <= _DRIVER_MIB,
        figures=dict(peaks),
    )


def _wall(cost: Cost) -> float:
    return cost.wall_s


def _cpu(cost: Cost) -> float:
    return cost.cpu_s


# A look at many settled rows ------------------------------------------------------------------------


def _planning(folder: Path, made: Cluster, rows: int) -> Measure:
    seconds: dict[str, float] = {}
    with _link(made, _LINK_MS) as port:
        address = _address(made, made.port)
        far = LedgerAddress(Secret(address.url.reveal().replace(f":{made.port}/", f":{port}/")))
        with SqliteLedger(folder / "planning") as file, PostgresLedger(address) as team:
            runs = [ledger.append([_opened()]) for ledger in (file, team)]
        _fill_file(folder / "planning", _Settled(runs[0], rows))
        with made.session(address.url.reveal().rpartition("/")[2]) as session:
            _fill_team(session, _Settled(runs[1], rows))
            session.execute(b"VACUUM ANALYZE batchconnect.entry")
        with SqliteLedger(folder / "planning") as file, PostgresLedger(far) as team:
            for name, ledger in (("file", file), ("team", team)):
                seconds[name] = _seconds(partial(_look_at_all, ledger, rows))
    ratio = seconds["team"] / seconds["file"]
    return Measure(
        what=f"what {rows:,} settled rows are known to be, as a plan and a run that goes on ask it, "
        f"{_LINK_MS} ms there and back",
        target="at most 2 x a file",
        got=f"{ratio:.2f} x ({seconds['team']:.1f} s and {seconds['file']:.1f} s)",
        met=ratio <= 2.0,
        figures=dict(seconds),
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """Rows that were sent and created, made of one that our own code wrote: a million by it would take an hour."""

    run: int
    rows: int

    def __iter__(self) -> Iterator[tuple[int, int, str, str, int, str]]:
        """Line by line, lane by lane: its number from 0, row, marker, kind, time, text."""
        sample = _lines_of_row(self.run)
        told = [(word_of(line.entry), encode(line.entry).decode()) for line in sample]
        its_row, its_marker, at_ms = sample[0].row or 0, sample[0].marker or "", sample[0].at_ms
        words = (_id_of(its_row), its_marker, f'Client {its_row}"')
        number = 0
        for row in range(2, 2 + self.rows):
            marker = _marker_of(row)
            now = (_id_of(row), marker, f'Client {row}"')
            for kind, text in told:
                for before, after in zip(words, now, strict=True):
                    text = text.replace(before, after)  # noqa: PLW2901 - word by word
                yield number, row, marker, kind, at_ms, text
                number += 1


def _fill_file(path: Path, settled: _Settled) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO entry (run, row, marker, kind, at_ms, body) VALUES (?, ?, ?, ?, ?, CAST(? AS BLOB))",
            ((settled.run, *columns) for _number, *columns in settled),
        )


def _fill_team(session: Session, settled: _Settled) -> None:
    """By COPY, in the lane of its run, whose first line is its own."""
    with session.transaction(), session.cursor() as cursor:
        found = cursor.execute(
            "SELECT lane, epoch, seq FROM batchconnect.entry WHERE run = %s", [settled.run]
        ).fetchone()
        assert found is not None
        lane, epoch, seq = (int(str(value)) for value in found)
        with cursor.copy(
            "COPY batchconnect.entry (lane, n, seq, epoch, run, row, marker, kind, at_ms, body) FROM STDIN"
        ) as copy:
            for number, *columns in settled:
                copy.write_row((lane, 2 + number, seq + 1 + number, epoch, settled.run, *columns))
        cursor.execute("SELECT setval('batchconnect.entry_seq', max(seq)) FROM batchconnect.entry")


def _look_at_all(ledger: _Ledger, rows: int) -> None:
    ((number, _, _),) = ledger.runs()
    known = known_of(ledger, number)
    assert len(known.rows) == rows
    markers = [line.marker or "" for line in ledger.row_lines(number) if line.marker][::3]
    found = 0
    for start in range(0, len(markers), _ASKED_AT_ONCE):
        found += len(ledger.states_of(markers[start : start + _ASKED_AT_ONCE]))
    assert found == rows


def _seconds(what: Callable[[], None]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
