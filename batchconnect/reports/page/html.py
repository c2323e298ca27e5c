"""
The run as a page for people, `report.html`: one file that asks nobody for anything.

Everything but the table of rows is written here, so that the page reads without its script and prints. The
script has a hash in the page's policy and finds the rows in an inert block: no data is ever executed.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchconnect.ledger.entry import LaneTold
from batchconnect.model.escape import escape_control
from batchconnect.model.event import LaneStopped
from batchconnect.model.outcome import DONE, Status, Works
from batchconnect.reports.advice import with_place
from batchconnect.reports.fan_out import batches
from batchconnect.reports.incident import Incident, what_to_send
from batchconnect.reports.page import words
from batchconnect.reports.page.chart import latency_bars, request_bars, strip
from batchconnect.reports.page.latency import Latencies
from batchconnect.reports.page.rows import MOST_ROWS, RowBlock, codes_of
from batchconnect.reports.page.timeline import Timekeeper
from batchconnect.reports.result import Result, is_unfinished
from batchconnect.reports.summary import Summary

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_INCIDENTS: Final = 6
"""Causes that are shown at once; the others unfold, so that the rows are not far."""
_MOST_SANDBOXES: Final = 6
_MOST_ORGS: Final = 50
_MOST_MARKERS: Final = 50
_CHUNK: Final = 1 << 16
_SENT: Final = DONE | {Status.FAILED}


@dataclass(slots=True)
class _Org:
    """How the rows of one org ended."""

    name: str
    counts: Counter[Status] = field(default_factory=Counter)
    works: Counter[Works] = field(default_factory=Counter)
    open: int = 0
    """Rows that somebody has to look at."""

    @property
    def rows(self) -> int:
        return self.counts.total()


def render(summary: Summary) -> Iterator[bytes]:
    """`report.html`; each chunk holds whole lines."""
    seen = _Seen(summary)
    for batch in batches(summary.rows()):
        for result in batch:
            seen.add(result)
        yield b""
    yield from _chunks(_pieces(summary, seen))


def _pieces(summary: Summary, seen: "_Seen") -> Iterator[str]:
    page = _environment()
    style, script = (_source(page, name) for name in ("report.css", "report.js"))
    timeline, latency = seen.times.timeline(), seen.latencies.found()
    yield from page.get_template("report.html.jinja").generate(
        run=summary,
        opened=summary.opened,
        charts={
            "orgs": seen.orgs(),
            "sandboxes": sorted(seen.sandboxes - {""}),
            "timeline": timeline,
            "requests": request_bars(timeline) if timeline else None,
            "strips": [strip(track, timeline) for track in timeline.tracks] if timeline else [],
            "latency": latency,
            "durations": latency_bars(latency) if latency else None,
        },
        words=words,
        statuses=list(Status),
        answers=[works for works in Works if summary.works.get(works)],
        incidents=[(one, _is_found(one, seen.codes)) for one in summary.incidents],
        place=summary.place_flags,
        most_incidents=_MOST_INCIDENTS,
        most_sandboxes=_MOST_SANDBOXES,
        most_orgs=_MOST_ORGS,
        most_markers=_MOST_MARKERS,
        most_rows=MOST_ROWS,
        is_whole=summary.total <= MOST_ROWS,
        open_rows=sum(org.open for org in seen.orgs()),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        rows=seen.block.lines(),
    )


class _Seen:
    """What the rows add up to."""

    def __init__(self, summary: Summary) -> None:
        self.times = Timekeeper(summary)
        self.latencies = Latencies()
        self.block = RowBlock(
            total=summary.total,
            carried=summary.carried,
            started_at_ms=summary.started_at_ms,
            place=summary.place_flags,
            are_several=summary.opened.places.are_several,
            is_live=summary.live,
        )
        self.sandboxes: set[str] = set()
        self.codes = {
            line.entry.event.code
            for line in summary.lines
            if isinstance(line.entry, LaneTold) and isinstance(line.entry.event, LaneStopped)
        }
        """By which rows can be found."""
        self._orgs: dict[str, _Org] = {}

    def add(self, result: Result) -> None:
        """Take the next row."""
        codes = codes_of(result)
        self.block.add(result, codes)
        self.codes.update(codes)
        org = self._orgs.get(result.org)
        if org is None:
            org = self._orgs[result.org] = _Org(result.org)
        org.counts[result.status] += 1
        if result.status is not Status.REJECTED:
            self.sandboxes.add(result.sandbox)
        if result.works is not None:
            org.works[result.works] += 1
        org.open += is_unfinished(result)
        self.times.add(result)
        if result.status in _SENT and result.attempts and result.duration_ms is not None:
            self.latencies.add(result.duration_ms, settled=result.reconciled)

    def orgs(self) -> list[_Org]:
        """Those with the most unfinished rows first."""
        return sorted(self._orgs.values(), key=lambda org: (-org.open, -org.rows, org.name))


@cache
def _environment() -> "Environment":
    # Its templates are compiled once, however many pages are drawn: one for each org, where that is asked.
    # Whoever draws no page, as `status` and `plan`, does not wait 45 ms for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    from batchconnect.reports.page.compiled import Compiled  # noqa: PLC0415 - as above

    page = Environment(
        loader=PackageLoader("batchconnect.reports", "page"),
        bytecode_cache=Compiled(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page.filters |= {
        "escape_control": escape_control,
        "what_to_send": what_to_send,
        "number": words.number,
        "counted": words.counted,
        "span": words.span,
        "rate": words.rate,
        "stamp": words.stamp,
        "iso": words.iso,
        "with_place": with_place,
    }
    return page


def _source(page: "Environment", name: str) -> str:
    """A style or script of ours as it is: the browser hashes what stands between the tags."""
    assert page.loader is not None
    return page.loader.get_source(page, name)[0]


def _hash(text: str) -> str:
    """What a Content-Security-Policy knows an inline text by."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256-{digest}"


def _is_found(incident: Incident, codes: Iterable[str]) -> bool:
    """Whether a search for the incident's code finds its rows; what only the sweep knows is not found."""
    return incident.code in codes


def _chunks(pieces: Iterator[str]) -> Iterator[bytes]:
    """Pieces of any length become chunks of whole lines."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            whole, end, rest = "".join(held).rpartition("\n")
            yield f"{whole}{end}".encode()
            held, size = [rest], len(rest)
    yield "".join(held).encode()
