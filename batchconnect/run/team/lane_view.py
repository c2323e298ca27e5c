"""Who holds which lane of a team ledger, since when, and what waits: for `lanes` and `status`."""

from collections.abc import Iterable, Mapping

from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.run_lanes import RunLanes, fold_lanes
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import Holding, LaneReader, LaneRow, TeamReader, WorkerRow
from batchconnect.model.value import Value, replace


class LaneView(Value):
    """One lane, as people see it."""

    lane: int | None
    """Its number in the ledger; None: nobody has ever taken it."""
    name: str
    """The org's settings key where a run tells it, else its org id."""
    state: str
    """`held`, `silent` (held, and not heard of for a lease's time), `waits` (it failed, and is left alone for a
    while), `kept_out` (another client of its org has a lane that is held), `free`, `through`."""
    holder: str = ""
    run_id: str = ""
    """Of the run that it was taken for last."""
    since_s: float = 0.0
    """Seconds since it came to this state."""
    silent_s: float = 0.0
    """Seconds since its holder was heard of."""
    waits_s: float = 0.0
    kept_out_by: int | None = None
    """The lane of its org that is held: holder, since when and silence are of that one."""

    @property
    def document(self) -> Mapping[str, object]:
        """For programs."""
        return {
            "lane": self.lane,
            "name": self.name,
            "state": self.state,
            "holder": self.holder or None,
            "run_id": self.run_id or None,
            "since_s": round(self.since_s, 1),
            "silent_s": round(self.silent_s, 1),
            "waits_s": round(self.waits_s, 1),
            "kept_out_by": self.kept_out_by,
        }

    @property
    def line(self) -> str:
        """For people; 80 columns as long as names are short."""
        number = "-" if self.lane is None else str(self.lane)
        told = f"{number:>4}  {self.name:<24.24}  "
        match self.state:
            case "held":
                return f"{told}held {_time(self.since_s)} by {self.holder}"
            case "silent":
                return f"{told}silent for {_time(self.silent_s)}: {self.holder}"
            case "kept_out":
                return f"{told}waits: lane {self.kept_out_by} held {_time(self.since_s)} by {self.holder}"
            case "waits":
                return f"{told}failed; left alone for {_time(self.waits_s)}"
            case _:
                return f"{told}{self.state}"


def workers_of(ledger: TeamReader, run: RunState) -> list[WorkerRow]:
    """Who is at work on a run."""
    return [one for one in ledger.held.workers() if one.run == run.number and one.is_alive]


def views_of_run(ledger: TeamReader, run: RunState) -> list[LaneView]:
    """The lanes of one run, in its order; none where its sheet is still being read."""
    rows = _by_key(ledger.held)
    lanes: RunLanes = fold_lanes(ledger.steps(run.number))
    run_ids = {run.number: run.opened.run_id}
    found = []
    for lane in lanes.lanes or ():
        key = LaneKey(lane.host, lane.org_id, lane.client_id)
        is_through = lane.org in lanes.closed
        view = _view(rows.get(key), lane.org, run_ids, is_through=is_through)
        found.append(view if view.state != "free" else _kept_out(view, key, rows))
    return found


def views(ledger: TeamReader, runs: Iterable[RunState]) -> list[LaneView]:
    """Every lane of a ledger."""
    run_ids = {run.number: run.opened.run_id for run in runs}
    return [_view(row, key.org_id, run_ids) for key, row in _by_key(ledger.held).items()]


def _kept_out(view: LaneView, key: LaneKey, rows: Mapping[LaneKey, LaneRow]) -> LaneView:
    """As the lane is seen where two clients of one org are one right, and the other one's lane is held."""
    for row in rows.values():
        if row.holder and Holding(key=key).is_one_right_with(row.holding):
            return replace(
                view,
                state="kept_out",
                holder=row.holder,
                since_s=row.held_s,
                silent_s=row.silent_s,
                kept_out_by=row.lane,
            )
    return view


def _by_key(held: LaneReader) -> dict[LaneKey, LaneRow]:
    return {row.holding.key: row for row in held.lanes() if row.holding.key is not None}


def _view(
    row: LaneRow | None, name: str, run_ids: Mapping[int, str], *, is_through: bool = False
) -> LaneView:
    if row is None:
        return LaneView(lane=None, name=name, state="through" if is_through else "free")
    is_held = bool(row.holder)
    if is_held:
        state = "silent" if row.silent_s >= row.terms.take_after_s else "held"
    elif row.waits_s:
        state = "waits"
    else:
        state = "free"
    if is_through and not (is_held and row.run in run_ids):
        state = "through"
    return LaneView(
        lane=row.lane,
        name=name,
        state=state,
        holder=row.holder,
        run_id=run_ids.get(row.run or 0, ""),
        since_s=row.held_s,
        silent_s=row.silent_s,
        waits_s=row.waits_s,
    )


def _time(seconds: float) -> str:
    if seconds < 100:  # noqa: PLR2004 - seconds are told as such while they are two digits
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - likewise
