"""The state of a run in plain words, as a bar or one line shows it."""

from collections.abc import Iterator
from typing import Final

from batchconnect.cli.progress.view import WAITS_FOR_SETTLE, ConnectionTests, Here, Pause, View
from batchconnect.model.outcome import Status

_PAUSES: Final = {
    "retry_after": "asked by the service",
    "throttled": "too many requests",
    "not_sent": "service not reached",
    "doubts": "answers got lost",
}
"""Why a lane is paused; with the pause in front it fits 34 columns."""
_MOST_NAMED: Final = 3
_SECONDS_UP_TO: Final = 600
_ESTIMATE_IN_SECONDS_UP_TO: Final = 120
_HOUR_S: Final = 3600


def state_line(view: View) -> str:
    """The run as of now in one line, for where there is no bar."""
    head = [] if view.total is None else [f"{view.done} of {rows(view.total)}"]
    if view.here is not None and head:
        head[0] = f"run: {head[0]}"
    if view.finished_s is None:
        head += pace_words(view)
    elif view.total is not None:
        head[0] += f" in {duration(view.finished_s)}"
    elif view.tests is not None:
        head = [f"{tests_word(view.tests)} in {duration(view.finished_s)}"]
    parts = [", ".join(head)] if head else []
    if view.here is not None:
        parts.append(here_word(view.here, has_ended=view.finished_s is not None))
    if view.counts:
        parts.append(", ".join(text for _, text in count_words(view)))
    parts += _news(view) if view.finished_s is None else ()
    return "; ".join(parts)


def here_word(here: Here, *, has_ended: bool = False) -> str:
    """What is this worker's own of it: `here 120, 4.9/s`."""
    is_moving = here.rate is not None and not has_ended
    return f"here {here.done}" + (f", {rate_word(here.rate or 0)}" if is_moving else "")


def count_words(view: View) -> Iterator[tuple[Status, str]]:
    """How many rows of each status there are; of what is in doubt, also when that ends."""
    for status, count in view.counts.items():
        text = f"{count} {status_word(status)}"
        is_settled = status is Status.IN_DOUBT and not view.is_draining
        if is_settled and view.settle_left_s is not None and view.finished_s is None:
            text += f" (settled within {duration(max(1, view.settle_left_s))})"
        yield status, text


def pace_words(view: View) -> Iterator[str]:
    """Rate and time left, as far as they are known."""
    if view.is_draining:
        yield "stopping"
        return
    if view.tests is not None and view.tests.are_under_way:
        yield tests_word(view.tests)
        return
    if view.tests is not None or (view.total and view.done == view.total):
        yield "closing"
        return
    if view.total is None:
        yield from look_words(view)
    elif view.rate is not None:
        yield rate_word(view.rate)
    elif not view.done and view.reading is not None:
        yield from look_words(view)
    elif not view.done and view.sandboxes:
        yield f"{view.sandboxes} {'sandbox' if view.sandboxes == 1 else 'sandboxes'} read"
    if view.left_s is not None:
        left = duration(view.left_s, seconds_up_to=_ESTIMATE_IN_SECONDS_UP_TO)
        yield f"{left} left"


def _news(view: View) -> Iterator[str]:
    if view.is_draining:
        return
    paused = [(lane.org, lane.pause) for lane in view.lanes if lane.pause and not lane.stopped]
    yield from (f"{org}: {pause_word(pause)}" for org, pause in paused[:_MOST_NAMED])
    if len(paused) > _MOST_NAMED:
        yield f"{len(paused) - _MOST_NAMED} more paused"


def look_words(view: View) -> Iterator[str]:
    """What is being read, as `reading acme/prod: page 3, 250 connections`, or looked at."""
    if view.reading is not None:
        one = view.reading
        found = f"{one.connections} connection{'' if one.connections == 1 else 's'}"
        yield f"reading {one.org}/{one.sandbox}: page {one.page}, {found}"
    if view.looked is not None:
        looked, of = view.looked
        yield f"{looked} of {of} connection{'' if of == 1 else 's'} looked at"


def tests_word(tests: ConnectionTests) -> str:
    """How far the tests are: `tests: 120 of 200, 3 no`."""
    failing = f", {tests.failing} no" if tests.failing else ""
    return f"tests: {tests.tested} of {tests.connections}{failing}"


def pause_word(pause: Pause) -> str:
    """A pause with its countdown and reason, as `paused 12 s, asked by the service`."""
    left = duration(pause.left_s)
    if pause.reason == WAITS_FOR_SETTLE:
        return f"waits {left} before it sends"
    return f"paused {left}, {_PAUSES.get(pause.reason, pause.reason)}"


def status_word(status: Status) -> str:
    """A status as it is said: `in doubt`."""
    return status.value.replace("_", " ")


def rate_word(rate: float) -> str:
    """Rows per second."""
    return f"{rate:.1f}/s" if rate < 100 else f"{rate:.0f}/s"  # noqa: PLR2004 - three digits say enough


def rows(count: int) -> str:
    """A number of rows."""
    return f"{count} row" if count == 1 else f"{count} rows"


def duration(seconds: float, *, seconds_up_to: float = _SECONDS_UP_TO) -> str:
    """A duration or a countdown: `42 s`, `12 min`, `3 h 5 min`."""
    if seconds < seconds_up_to:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds), _HOUR_S)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min"
