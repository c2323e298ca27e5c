"""
The picture of a run under way on a terminal: the bar, the counts, a line for each lane.

It fits 80 columns, and what is narrower is cut at its edge. No text is taken for markup.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchconnect.cli.progress.view import LaneView, View
from batchconnect.cli.progress.words import (
    count_words,
    duration,
    here_word,
    look_words,
    pace_words,
    pause_word,
    rate_word,
    status_word,
    tests_word,
)
from batchconnect.model.outcome import Status

MOST_LANES: Final = 8
_BAR_WIDTH: Final = 60
_LEAST_BAR_WIDTH: Final = 8
_NEWS_WIDTH: Final = 34
"""Columns kept for what a lane is at, so that the table stands still when a pause comes and goes."""
_SENDING: Final = "sending"

_STYLES: Final = {
    Status.CREATED: "green",
    Status.EXISTING: "cyan",
    Status.FAILED: "red",
    Status.REJECTED: "red",
    Status.CONFLICT: "yellow",
    Status.IN_DOUBT: "yellow",
    Status.NOT_ATTEMPTED: "dim",
    Status.UPDATED: "green",
    Status.UNCHANGED: "cyan",
    Status.DELETED: "green",
    Status.KEPT: "yellow",
}
_WEIGHT: Final = (
    Status.CREATED,
    Status.UPDATED,
    Status.DELETED,
    Status.FAILED,
    Status.IN_DOUBT,
    Status.CONFLICT,
    Status.NOT_ATTEMPTED,
    Status.KEPT,
    Status.EXISTING,
    Status.UNCHANGED,
    Status.REJECTED,
)
"""Which column of the lanes goes last when there is no room."""

Escape = Callable[[str], str]
"""Makes a text harmless: `Stream.shown`."""


def bar(view: View, *, width: int, height: int, shown: Escape, has_lanes: bool = True) -> Group:
    """
    Draw the run as of now.

    Args:
        view: The run.
        width: Columns of the terminal.
        height: Its lines; where the lanes do not fit, they are summed up.
        shown: Makes a text harmless.
        has_lanes: Whether the lanes are drawn at all; False at the end.
    """
    if not view.is_planned:
        return _looks(view, shown) if has_lanes else Group()
    parts: list[RenderableType] = [_top(view, width)]
    if view.counts or view.here is not None:
        parts.append(_counts(view))
    if has_lanes and not view.is_draining:
        parts += _lanes(view, width, height - len(parts) - 1, shown)
    return Group(*parts)


def _looks(view: View, shown: Escape) -> Group:
    """Of what has no rows to count: what is being read, and how many doubts are left until when."""
    words = [shown(word) for word in look_words(view)]
    if not words and not view.counts:
        words = ["reading the sheet ..." if not view.sandboxes else "at work ..."]
    lines: list[RenderableType] = [_line("  ".join(words))] if words else []
    return Group(*lines, *([_counts(view)] if view.counts else []))


def _line(text: str | Text) -> Text:
    line = Text(text) if isinstance(text, str) else text
    line.no_wrap, line.overflow = True, "crop"
    return line


def _top(view: View, width: int) -> RenderableType:
    whose = "" if view.here is None else "run "
    words = [] if view.total is None else [f"{whose}{view.done}/{view.total} rows"]
    if view.finished_s is None:
        words += pace_words(view)
    else:
        if view.total is None and view.tests is not None:
            words.append(tests_word(view.tests))
        words.append(f"in {duration(view.finished_s)}")
    text = _line("  ".join(words))
    bar_width = min(_BAR_WIDTH, width - cell_len(text.plain) - 2)
    if bar_width < _LEAST_BAR_WIDTH:
        return text
    grid = Table.grid(padding=(0, 2, 0, 0))
    done, total = _measured(view)
    grid.add_row(ProgressBar(total=total, completed=done, width=bar_width), text)
    return grid


def _measured(view: View) -> tuple[int, int]:
    """What the bar stands for: the rows, and when they are done the tests."""
    tests = view.tests
    if tests is not None and (view.total is None or tests.are_under_way):
        return tests.tested, tests.connections
    return view.done, view.total or 0


def _counts(view: View) -> Padding:
    line = Text()
    if view.here is not None:
        line.append(here_word(view.here, has_ended=view.finished_s is not None))
        line.append(": " if view.counts else "")
    for place, (status, words) in enumerate(count_words(view)):
        line.append(", " if place else "")
        line.append(words, style=_STYLES[status])
    return Padding(line, (0, 0, 0, 2), expand=False)


# The lanes ----------------------------------------------------------------------------------------


def _lanes(view: View, width: int, height: int, shown: Escape) -> Iterator[Text]:
    lanes = view.lanes
    if len(lanes) == 1:
        news, style = _news(lanes[0])
        if style:
            yield _line(Text(f"  {shown(lanes[0].org)}: {shown(news)}", style=style))
    elif len(lanes) > min(MOST_LANES, height - 1):
        yield _line(_summed_up(lanes))
    elif any(lane.counts or lane.sending or any(_news(lane)) for lane in lanes):
        yield from _table(lanes, width, shown)


def _summed_up(lanes: Sequence[LaneView]) -> str:
    stopped = sum(bool(lane.stopped) for lane in lanes)
    paused = sum(bool(lane.pause) and not lane.stopped for lane in lanes)
    parts = [f"{len(lanes) - stopped - paused} at work"]
    parts += [f"{paused} paused"] if paused else []
    parts += [f"{stopped} stopped"] if stopped else []
    return f"  {len(lanes)} orgs: {', '.join(parts)}"


def _table(lanes: Sequence[LaneView], width: int, shown: Escape) -> Iterator[Text]:
    names = [shown(lane.org) for lane in lanes]
    name_width = min(max(cell_len(name) for name in names), width // 5)
    columns = _columns(lanes, width - 2 - name_width - 2 - _NEWS_WIDTH)
    if columns:
        header = "".join(f"{label:>{column_width}}" for label, column_width, *_ in columns)
        yield _line(Text(" " * (2 + name_width) + header, style="dim"))
    for place, lane in enumerate(lanes):
        line = Text(f"  {_cut(names[place], name_width)}")
        for _label, column_width, style, values in columns:
            line.append(f"{values[place] or '':>{column_width}}", style=style)
        news, style = _news(lane)
        line.append(f"  {shown(news)}", style=style)
        line.rstrip()
        yield _line(line)


def _columns(lanes: Sequence[LaneView], room: int) -> list[tuple[str, int, str, list[int]]]:
    """Label, width, style and values of each column that is not empty and for which there is room."""
    found: dict[Status | None, tuple[str, int, str, list[int]]] = {}
    for status in (*_WEIGHT, None):
        if status is None:
            label, style, values = _SENDING, "dim", [lane.sending for lane in lanes]
        else:
            label, style = status_word(status), _STYLES[status]
            values = [lane.counts.get(status, 0) for lane in lanes]
        column_width = 2 + max(len(label), len(str(max(values))))
        if any(values) and column_width <= room:
            room -= column_width
            found[status] = label, column_width, style, values
    return [found[status] for status in (*Status, None) if status in found]


def _news(lane: LaneView) -> tuple[str, str]:
    """What a lane is at, and the style of it, "" where that is no news."""
    if lane.stopped:
        return f"stopped: {lane.stopped}", "red"
    if lane.pause is not None:
        return pause_word(lane.pause), "yellow"
    if lane.settle_left_s is not None:
        doubts = lane.counts.get(Status.IN_DOUBT, 0)
        return f"{doubts} in doubt, settled within {duration(max(1, lane.settle_left_s))}", "yellow"
    return rate_word(lane.rate) if lane.rate is not None else "", ""


def _cut(name: str, width: int) -> str:
    if cell_len(name) <= width:
        return set_cell_size(name, width)
    return set_cell_size(set_cell_size(name, width - 2).rstrip() + "..", width)
