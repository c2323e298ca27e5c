"""Limits that nobody told us: in virtual time beside other ways, and the whole command against nginx."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from tests.benchmarks import servers
from tests.benchmarks.hidden import (
    AS_500,
    CASES,
    CHANCES,
    CHANGING,
    MORE_CASES,
    NAMED_CHANCES,
    UNNAMED_CASES,
    Case,
    case_of,
)
from tests.benchmarks.place import found, measured, tool
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.speed import environ
from tests.benchmarks.table import Measure
from tests.benchmarks.virtual import (
    OURS,
    PATIENT,
    WAYS,
    Met,
    changed,
    first_minutes,
    found_again,
    met,
    middle,
)

_TARGETS = {
    "8/s burst 8, Retry-After": (0.95, 0.02),
    "8/s burst 8, no header": (0.95, 0.02),
    "8/s burst 8, as 500": (0.95, 0.02),
    "4 in flight": (0.93, 0.02),
    "60/min, Retry-After": (0.75, 0.15),
    "60/min, no header": (0.75, 0.15),
    "8/s, no burst, no header": (0.80, 1.0),
    "no limit, 5 % of 500": (0.70, 1.0),
    "no limit, 14 % of 500": (0.80, 1.0),
    "no limit, 30 % of 500": (0.70, 1.0),
    "8/s burst 8, as 500, 14 % of 500": (0.85, 0.10),
}
"""Least share of the limit used, most share refused; those with a share of 500 are our own."""
FOUND_S, REFUSED = 40.0, 0.05
_REAL = {
    "8/s burst 8, Retry-After": 600,
    "8/s burst 8, no header": 600,
    "8/s burst 8, as 500": 600,
    "60/min, Retry-After": 420,
    "60/min, no header": 420,
    CHANGING.name: CHANGING.rows,
}
"""Cases that are met in real time as well, and by how many rows at most."""
PER_SECOND = 8
_FIRST_USED, _FIRST_REFUSED = 0.85, 0.10
_SLOWER, _MORE_POSTS = 1.3, 1.05


def hidden_limits(*, quick: bool) -> Iterator[Measure]:
    """Ours against the targets, and the ten servers of the issue by every way."""
    seeds = 3 if quick else 5
    found: dict[str, dict[str, Met]] = {}
    for case in CASES + MORE_CASES + UNNAMED_CASES:
        found[case.name] = {OURS: middle(case, OURS, seeds)}
        yield _measure(case, found[case.name][OURS], f"hidden limit, virtual time: {case.name}")
    yield _first_minutes(case_of("60/min, no header"), seeds)
    yield from map(_chance, CHANCES + NAMED_CHANCES)
    for case in CASES:
        found[case.name] |= {
            way: middle(case, way, seeds) for way in WAYS if way not in {OURS, PATIENT}
        }
    yield Measure(
        what="Ten hidden limits, five ways, virtual time (share of the limit used after 10 s / share "
        "refused / seconds until the last row; medians)",
        target="",
        got="see below",
        met=None,
        figures={
            name: {way: asdict(one) for way, one in ways.items()} for name, ways in found.items()
        },
        table=_table(found),
    )
    what = "8/s, 2/s, 12/s, virtual time: the new limit is found again (median; longest)"
    yield _found(what, [changed(seed) for seed in range(seeds)])


def _found(what: str, tries: list[tuple[float, float]]) -> Measure:
    found_s, refused = zip(*tries, strict=True)
    return Measure(
        what=what,
        target="within 40 s, below 5 % refused after that",
        got=f"{median(found_s):.0f} s; {max(found_s):.0f} s; {max(refused):.1%} refused",
        met=median(found_s) <= FOUND_S and max(refused) < REFUSED,
        figures={"found_s": found_s, "refused": refused},
    )


def _measure(case: Case, ours: Met, what: str) -> Measure:
    least, most = _TARGETS.get(case.name, (None, None))
    share = f", at most {most:.0%} refused" if most is not None and most < 1 else ""
    return Measure(
        what=what,
        target="" if least is None else f"{least:.0%} used after 10 s{share}",
        got=f"{ours.used:.1%} used, {ours.refused:.1%} refused, {ours.seconds:.0f} s",
        met=None if least is None or most is None else ours.used >= least and ours.refused <= most,
        figures=asdict(ours),
    )


def _first_minutes(case: Case, seeds: int) -> Measure:
    used, refused = zip(*(first_minutes(case, seed) for seed in range(seeds)), strict=True)
    return Measure(
        what=f"hidden limit, virtual time: {case.name}: the first five minutes, from the first request",
        target=f"{_FIRST_USED:.0%} used, at most {_FIRST_REFUSED:.0%} refused",
        got=f"{median(used):.1%} used, {median(refused):.1%} refused",
        met=median(used) >= _FIRST_USED and median(refused) <= _FIRST_REFUSED,
        figures={"used": used, "refused": refused},
    )


def _chance(case: Case) -> Measure:
    """Refusals at any pace, beside a loop that waits a second after each; chance needs many seeds."""
    ours, loop = (middle(case, way, 21) for way in (OURS, PATIENT))
    times, posts = ours.seconds / loop.seconds, ours.requests / loop.requests
    return Measure(
        what=f"80 rows, {case.name}, virtual time: beside a loop that waits a second after each",
        target=f"{_SLOWER} x its time, {_MORE_POSTS} x its POSTs at most",
        got=f"{times:.2f} x ({ours.seconds:.0f} s, the loop {loop.seconds:.0f} s), {posts:.2f} x",
        met=times <= _SLOWER and posts <= _MORE_POSTS,
        figures={"ours": asdict(ours), "loop": asdict(loop)},
    )


def _table(met: dict[str, dict[str, Met]]) -> str:
    lines = [
        f"| server, rows | {' | '.join(way for way in WAYS if way != PATIENT)} |",
        "|---" * len(WAYS) + "|",
    ]
    for case in CASES:
        ways = [met[case.name][way] for way in WAYS if way != PATIENT]
        cells = [f"{one.used:.0%} / {one.refused:.1%} / {one.seconds:,.0f} s" for one in ways]
        lines.append(f"| {case.name}; {case.rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def real_time(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """
    The whole command against the targets' limits, in real time.

    Side by side, since each hardly does anything: together they take as long as the longest.
    """
    cases = [*(case_of(name) for name in _REAL)]
    if quick:
        cases = [replace(case, rows=240) for case in cases if case != CHANGING]
    with ThreadPoolExecutor(len(cases)) as threads:
        yield from threads.map(lambda case: _in_real_time(folder, case), cases)


def _in_real_time(folder: Path, case: Case) -> Measure:
    place = folder / str(list(_REAL).index(case.name))
    place.mkdir()
    rows = min(case.rows, _REAL[case.name])
    sheet = write_csv(place / "limited.csv", rows)
    with servers.with_limit(case.name) as server:
        # What was refused by a 500 is in doubt, and settled beside the work.
        settle = ("--settle", "5") if case.manner.status == AS_500.status else ()
        command = tool("run", sheet, "--quiet", *settle)
        cost = measured(command, folder=place, environ=environ(server.url), core=None)
        assert cost.code == 0, cost.err + cost.out
        with urlopen(f"{server.url}/met", timeout=10) as answer:
            told = json.loads(answer.read())
    what = f"hidden limit, real time, the whole command: {case.name}; {rows:,} rows"
    if case == CHANGING:
        return _found(what, [found_again(told["served"], told["refused"])])
    ours = met(case, told["served"], told["refused"], seconds=cost.wall_s)
    return _measure(case, ours, what)


def against_nginx(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """The whole command against `limit_req` without burst, in real time."""
    what = f"hidden limit, real time: {PER_SECOND}/s by nginx `limit_req`, no burst, no header"
    if not found("nginx"):
        yield Measure(what=what, target="80 % used after 10 s", got="skipped: no nginx", met=None)
        return
    rows, times = (240, 1) if quick else (600, 3)
    sheet = write_csv(folder / "limited.csv", rows)
    used, refused = [], []
    for number in range(times):
        place = folder / f"limited{number}"
        place.mkdir()
        shutil.rmtree(folder / "reports", ignore_errors=True)
        with servers.limited(place, PER_SECOND) as server:
            # It lists nothing, so there is nothing that a sweep could find.
            command = tool("run", sheet, "--quiet", "--no-sweep")
            cost = measured(command, folder=folder, environ=environ(server.url))
            assert cost.code == 0, cost.err + cost.out
            assert server.log is not None
            seen = [line.split() for line in server.log.read_text().splitlines()]
        posts = [(float(at), status) for at, status, uri in seen if uri == "/made"]
        first, last = posts[0][0] + 10, posts[-1][0]
        served = sum(status == "201" and at >= first for at, status in posts)
        used.append(served / (last - first) / PER_SECOND)
        refused.append(sum(status == "429" for _, status in posts) / len(posts))
    yield Measure(
        what=f"{what}; {rows} rows, the whole command",
        target="80 % used after 10 s",
        got=f"{median(used):.1%} used, {median(refused):.1%} refused",
        met=median(used) >= 0.8,
        figures={"used": used, "refused": refused},
    )
