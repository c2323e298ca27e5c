"""
What each lane did in a run, from what it told and from its rows.

A lane tells its counts when it ends; a process that was killed never does. Then the pauses and paces
told on the way, and the rows, stand in: the report of a crashed run has the same lanes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from batchconnect.ledger.entry import LaneTold, Line, RunOpened, RunResumed
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged
from batchconnect.model.value import Value


class LaneSummary(Value):
    """One line of `summary.json`'s `lanes`."""

    org: str
    host: str
    sent: int
    """Requests."""
    created: int
    throttled: int
    paused_s: float
    rate_max: float | None
    """Requests per second; None where the lane was cut off before it told any pace."""
    rate_last: float | None


@dataclass(slots=True, kw_only=True)
class LaneCounts:
    """Numbers of rows, added up row by row."""

    sent: int = 0
    created: int = 0
    throttled: int = 0
    retried: int = 0
    in_doubt: int = 0


@dataclass(slots=True)
class _Told:
    """What one lane told, over all processes of the run."""

    host: str = ""
    sent: int = 0
    created: int = 0
    throttled: int = 0
    paused_s: float = 0.0
    paused_uncounted_s: float = 0.0
    """Pauses of the process under way; dropped when that process counts them itself."""
    rates: list[float] = field(default_factory=list)

    def count(self, event: LaneCounted) -> None:
        self.sent += event.sent
        self.created += event.created
        self.throttled += event.throttled
        self.paused_s += event.paused_s
        self.paused_uncounted_s = 0.0
        self.rates += [event.rate_max, event.rate_last]

    def close(self) -> None:
        """The process ended, or was killed, here."""
        self.paused_s += self.paused_uncounted_s
        self.paused_uncounted_s = 0.0


def lanes_of(
    run_lines: Iterable[Line], tallies: dict[str, LaneCounts], host: str
) -> tuple[LaneSummary, ...]:
    """
    Put the lanes together.

    Args:
        run_lines: The run's own lines, oldest first.
        tallies: What the rows of each org add up to.
        host: The run's platform host, for a lane that told nothing.

    Returns:
        The lanes that told something or sent something, by org.
    """
    told = _told(run_lines)
    for org, count_statuses in tallies.items():
        if count_statuses.sent:
            told.setdefault(org, _Told(host=host))
    return tuple(
        _lane(org, one, tallies.get(org, LaneCounts()), host) for org, one in sorted(told.items())
    )


def _told(run_lines: Iterable[Line]) -> dict[str, _Told]:
    told: dict[str, _Told] = {}
    for line in run_lines:
        match line.entry:
            case RunOpened() | RunResumed():
                for lane in told.values():
                    lane.close()
            case LaneTold(event=event):
                lane = told.setdefault(event.org, _Told())
                match event:
                    case LanePaused():
                        lane.paused_uncounted_s += event.pause_s
                    case PaceChanged():
                        lane.rates.append(event.rate)
                    case LaneCounted():
                        lane.count(event)
                    case LaneStopped():  # the last case
                        continue
                lane.host = event.host
            case _:
                pass
    for lane in told.values():
        lane.close()
    return told


def _lane(org: str, told: _Told, rows: LaneCounts, host: str) -> LaneSummary:
    # A lane that counted to its end knows more than its rows do (listings, tokens); one that was
    # cut off knows less: the larger number is right in both cases.
    return LaneSummary(
        org=org,
        host=told.host or host,
        sent=max(told.sent, rows.sent),
        created=max(told.created, rows.created),
        throttled=max(told.throttled, rows.throttled),
        paused_s=round(told.paused_s, 3),
        rate_max=round(max(told.rates), 3) if told.rates else None,
        rate_last=round(told.rates[-1], 3) if told.rates else None,
    )
