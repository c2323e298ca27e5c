"""
The ledger's lines of one run, folded into what every report shows.

Pure and streaming: the numbers are taken in one pass over the rows, and the rows themselves are read
again for the files, so a million of them never stand in memory. The same lines give the same report,
whichever process writes it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from batchconnect.ledger.entry import UNDO, FaultFound, Line, RunEnded, RunOpened, RunResumed
from batchconnect.ledger.interface import BEFORE_ALL
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import swept_of
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import FaultMet, LaneStopped, Swept
from batchconnect.model.key_end import SOON_DAYS, ends_within
from batchconnect.model.outcome import (
    DONE,
    LEFT_OUT,
    Created,
    NotAttempted,
    Outcome,
    Status,
    Works,
    status_of,
)
from batchconnect.model.remedies import hint_for, title_for, undo_hint_for
from batchconnect.model.row_place import Places
from batchconnect.model.value import Value, field, replace
from batchconnect.reports.incident import Incident, Incidents, Title
from batchconnect.reports.lanes import LaneCounts, LaneSummary, lanes_of
from batchconnect.reports.result import (
    Advice,
    Change,
    Result,
    attempts_of,
    is_plainly_done,
    result_of,
    shown_of,
)
from batchconnect.reports.since import Before, Since
from batchconnect.reports.stop import Stops

Rows = Callable[[], Iterator[RowState]]
"""One pass over a run's rows in the sheet's order; may be asked for several times."""

RowsBehind = Callable[[int], Iterator[RowState]]
"""Of those, the ones behind a row's number."""

_KEPT = 20_000
"""Rows, about 25 MB. What a run has beyond them is read from the ledger once more for its files."""


class Requests(Value):
    """Creates that were sent for the rows of this run; what a parent run sent is in its own report."""

    sent: int
    """Tries, those that were throttled too."""
    created: int
    throttled: int
    retried: int
    """Tries beyond each row's first."""
    in_doubt: int
    """Doubts that were opened, settled ones too."""


class Summary(Value):
    """One run, ready to be rendered."""

    opened: RunOpened
    ledger: str
    """Absolute path."""
    started_at_ms: int
    finished_at_ms: int | None
    """None: the run is still at work."""
    duration_s: float
    """From its start to its last line, over all its processes."""
    total: int
    """Rows."""
    counts: Mapping[Status, int]
    """Every status, those without a row too."""
    exit_code: int | None
    """None: the run is still at work."""
    closed: bool
    """False: crashed or interrupted, so that the same command goes on under the same run id."""
    requests: Requests
    lanes: tuple[LaneSummary, ...]
    incidents: tuple[Incident, ...]
    sweep: Swept | None
    rows: Callable[[], Iterator[Result]]
    """One pass over the rows, exact, in input order; may be asked for several times."""
    lines: tuple[Line, ...] = ()
    """The run's own lines, oldest first: when a process began, when a lane told what. For charts."""
    works: Mapping[Works, int] = field(default_factory=dict)
    """What the tests of its connections said; empty where none was tested."""
    stopped_working: int = 0
    """Connections that do not work, and did when they were tested before."""
    keys_ending: int = 0
    keys_missing: int = 0
    """Rows whose key its store did not give when it was only asked."""
    """Different keys that were sent and end within 30 days of it, by their stores' word."""
    works_again: int = 0
    """Connections that work, and did not when they were tested before."""
    carried_over: Mapping[Status, int] = field(default_factory=dict)
    """Rows that the parent run settled, and that this one only accounts for."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that were not to be done, by their code: `not_selected` of `--only`, `max_rows` of `--max-rows`.

    Of a `verify RUN` those of that run.
    """
    since: Since | None = None
    """What changed since the run before over the same sheet; None: there was none, or nobody compared."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Paths of the written reports by name; filled in by `write_reports`."""
    place: tuple[str, ...] = ()
    """Options by which the next command finds this run, as `--reports DIR`, where the default does not."""
    kept: tuple[str, ...] = ()
    """Options that a rerun has to be given again, where who shows the run knows them."""

    @property
    def carried(self) -> tuple[str, ...]:
        """Headers of the unknown columns that the reports carry."""
        return self.opened.carried

    @property
    def live(self) -> bool:
        """Whether the run is still at work."""
        return self.exit_code is None

    @property
    def place_flags(self) -> tuple[str, ...]:
        """What stands behind each command that a report names."""
        is_told = not self.opened.simulated or "--simulate" in self.place
        return self.place if is_told else (*self.place, "--simulate")


def summarize(
    run_lines: Sequence[Line],
    rows: Rows,
    *,
    rows_behind: RowsBehind | None = None,
    ledger: str = "",
    live: bool = False,
    hint: Advice | None = None,
    title: Title = title_for,
    before: Before | None = None,
) -> Summary:
    """
    Fold a run.

    Args:
        run_lines: Its own lines, oldest first, as `Ledger.run_lines` gives them.
        rows: Its rows, as `fold_rows(Ledger.row_lines(run))` gives them; filter them for a part.
        rows_behind: The same from a row on, where they need not be read from the first one.
        ledger: The ledger's absolute path.
        live: Whether a process holds the ledger's lock for this run. Rows under way are then not
            called interrupted, and there is no exit code yet.
        hint: What to do about a code; None: as the run's command has it.
        title: A code's headline.
        before: The run before over the same sheet, with which it is compared.

    Raises:
        ValueError: There is no `RunOpened` line.
    """
    first, opened = _opening(run_lines)
    hint = hint or _advice(opened)
    stops = Stops(run_lines)
    ended = _ending(run_lines)
    live = live and ended is None
    sweep = swept_of(run_lines)
    incidents = Incidents(
        hint=hint,
        title=title,
        swept=sweep,
        faults=_faults(run_lines),
        places=opened.places,
    )
    counting = _Counting(incidents, live=live)
    results = _Results(
        rows_behind or partial(_read_on, rows),
        stops=stops,
        live=live,
        hint=hint,
        before=before,
        places=opened.places,
    )
    for state in rows():
        counting.add(state, *results.add(state))
    counting.add_alike()
    last_ms = max(counting.last_ms, *(line.at_ms for line in run_lines), first.at_ms)
    if ended is not None:
        # A doubt may have been settled since the end was written.
        last_ms = max(ended[0].at_ms, counting.last_ms)
        exit_code: int | None = ended[1].exit_code
    else:
        exit_code = None if live else _exit_code(counting, sweep)

    return Summary(
        opened=opened,
        ledger=ledger,
        started_at_ms=first.at_ms,
        finished_at_ms=None if live else last_ms,
        duration_s=round(max(0, last_ms - first.at_ms) / 1000, 3),
        total=counting.counts.total(),
        counts={status: counting.counts[status] for status in Status},
        works=dict(counting.works),
        stopped_working=counting.changed[Works.NO],
        keys_ending=len(counting.ending),
        keys_missing=counting.keys_missing,
        works_again=counting.changed[Works.YES],
        exit_code=exit_code,
        closed=ended is not None and ended[1].closed,
        requests=counting.requests(),
        lanes=lanes_of(run_lines, counting.tallies, opened.platform_host),
        incidents=counting.incidents.found(),
        sweep=sweep,
        rows=results.all,
        lines=tuple(run_lines),
        carried_over=dict(counting.carried_over),
        left_out=dict(counting.left_out),
        since=results.since(),
    )


def _read_on(rows: Rows, number: int) -> Iterator[RowState]:
    return (state for state in rows() if state.number > number)


class _Results:
    """The rows as every format shows them: the first are kept, the others made again from the ledger."""

    def __init__(
        self,
        rows_behind: RowsBehind,
        *,
        stops: Stops,
        live: bool,
        hint: Advice,
        before: Before | None,
        places: Places,
    ) -> None:
        self._before = before
        self._changes: Counter[Change] = Counter()
        self._rows_behind = rows_behind
        self._stops = stops
        self._live = live
        self._hint = hint
        self._places = places
        self._kept: list[Result] = []
        self._last_kept = BEFORE_ALL
        """Its number."""
        self._is_whole = True
        """Whether all rows are kept."""

    def add(self, state: RowState) -> tuple[Outcome, LaneStopped | None]:
        """Take the next row of the first pass; returns the outcome that is shown of it, and what stopped it."""
        outcome, stop = self._shown(state)
        is_kept = self._is_whole = len(self._kept) < _KEPT
        if not is_kept and self._before is None:
            return outcome, stop
        result = self._result(state, outcome, stop)
        if result.since is not None:
            self._changes[result.since] += 1
        if is_kept:
            self._kept.append(result)
            self._last_kept = state.number
        return outcome, stop

    def since(self) -> Since | None:
        """What the first pass found to be other than in the run before."""
        if self._before is None:
            return None
        return Since(
            run_id=self._before.run_id,
            started_at_ms=self._before.started_at_ms,
            new=self._changes[Change.NEW],
            still_failing=self._changes[Change.STILL],
            fixed=self._changes[Change.FIXED],
        )

    def all(self) -> Iterator[Result]:
        """One pass over the rows."""
        if self._is_whole:
            yield from self._kept
            return
        # Those that are kept go as they are taken, so that they are not there beside what the files keep;
        # who asks once more has all of them read again.
        kept, last_kept = self._kept, self._last_kept
        self._kept, self._last_kept = [], BEFORE_ALL
        kept.reverse()
        while kept:
            yield kept.pop()
        for state in self._rows_behind(last_kept):
            yield self._result(state, *self._shown(state))

    def _result(self, state: RowState, outcome: Outcome, stop: LaneStopped | None) -> Result:
        result = result_of(state, outcome, stop=stop, hint=self._hint, places=self._places)
        change = self._before.change_of(result) if self._before is not None else None
        return result if change is None else replace(result, since=change)

    def _shown(self, state: RowState) -> tuple[Outcome, LaneStopped | None]:
        outcome = shown_of(state, live=self._live)
        return outcome, self._stops.of(*_where(state), outcome)


class _Counting:
    """One pass over the rows."""

    def __init__(self, incidents: Incidents, *, live: bool) -> None:
        self._live = live
        self.counts: Counter[Status] = Counter()
        self.works: Counter[Works] = Counter()
        self.changed: Counter[Works] = Counter()
        """What tests say now that said the contrary before."""
        self.tallies: defaultdict[str, LaneCounts] = defaultdict(LaneCounts)
        self.carried_over: Counter[Status] = Counter()
        self.left_out: Counter[str] = Counter()
        self.incidents = incidents
        self.ending: set[object] = set()
        """Which keys end soon."""
        self.keys_missing = 0
        self.last_ms = 0
        self._alike: Counter[tuple[str, Status, bool, int, int, int]] = Counter()
        """Rows that are plainly done, by all that is counted of them: most are like others."""

    def add(self, state: RowState, outcome: Outcome, stop: LaneStopped | None) -> None:
        if (
            stop is None
            and is_plainly_done(state, outcome)
            and not state.fault
            and not self.incidents.knows(state.marker)
        ):
            self._add_plain(state, status_of(outcome))
        else:
            self._add_any(state, outcome, stop)

    def _add_plain(self, state: RowState, status: Status) -> None:
        assert state.planned is not None
        org, counts = state.planned.org, (state.attempts, state.throttled, state.doubts)
        self._alike[org, status, state.inherited, *counts] += 1
        if not state.inherited:
            self.last_ms = max(self.last_ms, state.started_at_ms or 0, state.finished_at_ms or 0)

    def add_alike(self) -> None:
        """Count those that were plainly done, when all have been added."""
        for (org, status, is_inherited, attempts, throttled, doubts), rows in self._alike.items():
            self.counts[status] += rows
            if is_inherited:
                self.carried_over[status] += rows
                continue
            tally = self.tallies[org]
            tally.sent += attempts * rows
            tally.retried += max(0, attempts - 1) * rows
            tally.created += rows if status is Status.CREATED else 0
            tally.throttled += throttled * rows
            tally.in_doubt += doubts * rows
        self._alike.clear()

    def _add_any(self, state: RowState, outcome: Outcome, stop: LaneStopped | None) -> None:
        org, sandbox = _where(state)
        refusal = state.key_refusal
        self.incidents.add(
            state.number,
            outcome,
            org=org,
            sandbox=sandbox,
            stop=stop,
            marker=state.marker,
            fault=state.fault,
            tested=state.tested,
            key_refusal=refusal,
        )
        self.keys_missing += refusal is not None
        if state.tested is not None:
            self.works[state.tested.works] += 1
            # What was taken over from another run was told there.
            is_own = state.tested.at_ms is None
            contrary = {Works.YES: Works.NO, Works.NO: Works.YES}.get(state.tested.works)
            is_changed = is_own and contrary is not None and state.tested.before is contrary
            self.changed[state.tested.works] += is_changed
        self.counts[status_of(outcome)] += 1
        if isinstance(outcome, NotAttempted) and outcome.code in LEFT_OUT:
            self.left_out[outcome.code] += 1
        key = state.key_told
        if key is not None and ends_within(key, days=SOON_DAYS, now_ms=state.finished_at_ms or 0):
            self.ending.add(key.secret)
        # What was copied from the parent run happened there, in time and on the wire.
        if state.inherited:
            self.carried_over[status_of(outcome)] += 1
        else:
            self._tally(state, outcome, self.tallies[org])
            self.last_ms = max(self.last_ms, state.started_at_ms or 0, state.finished_at_ms or 0)

    def requests(self) -> Requests:
        of_all = self.tallies.values()
        return Requests(
            sent=sum(one.sent for one in of_all),
            created=sum(one.created for one in of_all),
            throttled=sum(one.throttled for one in of_all),
            retried=sum(one.retried for one in of_all),
            in_doubt=sum(one.in_doubt for one in of_all),
        )

    def _tally(self, state: RowState, outcome: Outcome, count_statuses: LaneCounts) -> None:
        attempts = attempts_of(state)
        count_statuses.sent += attempts
        count_statuses.retried += max(0, attempts - 1)
        count_statuses.created += isinstance(outcome, Created)
        count_statuses.throttled += state.throttled
        # An intent without an answer is a doubt that nobody has written down yet.
        count_statuses.in_doubt += state.doubts + (state.is_unanswered and not self._live)


def _where(state: RowState) -> tuple[str, str]:
    return (state.planned.org, state.planned.sandbox) if state.planned else ("", "")


def _advice(opened: RunOpened) -> Advice:
    if opened.command != UNDO:
        return hint_for
    return partial(undo_hint_for, run_id=opened.parent_run_id or "RUN")


def _opening(run_lines: Sequence[Line]) -> tuple[Line, RunOpened]:
    for line in run_lines:
        if isinstance(line.entry, RunOpened):
            return line, line.entry
    raise ValueError("a run begins with RunOpened")


def _ending(run_lines: Sequence[Line]) -> tuple[Line, RunEnded] | None:
    """How the last process ended; None: it did not say, or another one goes on."""
    for line in reversed(run_lines):
        match line.entry:
            case RunEnded() as ended:
                return line, ended
            case RunResumed():
                return None
            case _:
                pass
    return None


def _faults(run_lines: Sequence[Line]) -> Iterator[tuple[FaultMet, str]]:
    """Each error of our own with the version that was at work."""
    version = ""
    for line in run_lines:
        match line.entry:
            case RunOpened(tool_version=named) | RunResumed(tool_version=named):
                version = named
            case FaultFound(event=event):
                yield event, version
            case _:
                pass


def _exit_code(counting: _Counting, sweep: Swept | None) -> ExitCode:
    """For a run that was cut off: what its rows amount to, in the order of the exit codes."""
    counts, works = counting.counts, counting.works
    if counts[Status.IN_DOUBT] or works.get(Works.NOT_TESTED) or (sweep and not sweep.is_clean):
        return ExitCode.IN_DOUBT
    done = sum(counts[status] for status in DONE)
    is_fine = done == sum(counts.values()) and not (works.get(Works.NO) or counting.keys_missing)
    return ExitCode.OK if is_fine else ExitCode.UNFINISHED
