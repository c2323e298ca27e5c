"""Limits that nobody told us: in virtual time beside other ways, and the whole command against nginx."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.benchmarks import servers
from tests.benchmarks.hidden import CASES, MORE_CASES, Case
from tests.benchmarks.place import found, measured, tool
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.speed import environ
from tests.benchmarks.table import Measure
from tests.benchmarks.virtual import OURS, WAYS, Met, changed, middle

_TARGETS = {
    "8/s burst 8, Retry-After": (0.95, 0.02),
    "8/s burst 8, no header": (0.95, 0.02),
    "8/s burst 8, as 500": (0.95, 0.02),
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
PER_SECOND = 8


def hidden_limits(*, quick: bool) -> Iterator[Measure]:
    """Ours against the targets, and the ten servers of the issue by every way."""
    seeds = 3 if quick else 5
    met = {}
    for case in CASES + MORE_CASES:
        met[case.name] = {OURS: middle(case, OURS, seeds)}
        yield _measure(case, met[case.name][OURS])
    for case in CASES:
        met[case.name] |= {way: middle(case, way, seeds) for way in WAYS if way != OURS}
    yield Measure(
        what="Ten hidden limits, five ways, virtual time (share of the limit used after 10 s / share "
        "refused / seconds until the last row; medians)",
        target="",
        got="see below",
        met=None,
        figures={
            name: {way: asdict(one) for way, one in ways.items()} for name, ways in met.items()
        },
        table=_table(met),
    )
    found_s, refused = zip(*(changed(seed) for seed in range(seeds)), strict=True)
    yield Measure(
        what="8/s, 2/s, 12/s, virtual time: the new limit is found again (median; longest)",
        target="within 40 s, below 5 % refused after that",
        got=f"{median(found_s):.0f} s; {max(found_s):.0f} s; {max(refused):.1%} refused",
        met=median(found_s) <= FOUND_S and max(refused) < REFUSED,
        figures={"found_s": found_s, "refused": refused},
    )


def _measure(case: Case, ours: Met) -> Measure:
    least, most = _TARGETS.get(case.name, (None, None))
    share = f", at most {most:.0%} refused" if most is not None and most < 1 else ""
    return Measure(
        what=f"hidden limit, virtual time: {case.name}",
        target="" if least is None else f"{least:.0%} used after 10 s{share}",
        got=f"{ours.used:.1%} used, {ours.refused:.1%} refused, {ours.seconds:.0f} s",
        met=None if least is None or most is None else ours.used >= least and ours.refused <= most,
        figures=asdict(ours),
    )


def _table(met: dict[str, dict[str, Met]]) -> str:
    lines = [f"| server, rows | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
    for case in CASES:
        ways = [met[case.name][way] for way in WAYS]
        cells = [f"{one.used:.0%} / {one.refused:.1%} / {one.seconds:,.0f} s" for one in ways]
        lines.append(f"| {case.name}; {case.rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
            command = tool("run", sheet, "--quiet")
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
