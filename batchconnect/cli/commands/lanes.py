"""Who holds which lane of a team ledger; and, for a person who knows better, taking one away."""

import os

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import options_of, settings_of
from batchconnect.model.errors import UsageError
from batchconnect.model.escape import escape_control
from batchconnect.options import MergedOptions
from batchconnect.run.history.history import run_states
from batchconnect.run.opening.opened_ledger import is_shared, read_team, release_lane
from batchconnect.run.team.lane_view import LaneView, views


def run(output: OutputOptions, given: Given, *, releases: bool, lane: int | None, yes: bool) -> int:
    """Show the lanes, or release one."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    if not is_shared(options):
        raise UsageError(
            "a ledger that is a file has one lock, and no lanes to hold",
            hint="Name a team ledger with --ledger postgresql://..., or BATCHCONNECT_LEDGER.",
        )
    with read_team(options) as ledger:
        found = views(ledger, run_states(ledger))
    if releases:
        return _release(found, lane, options, console, yes=yes)
    console.result(
        {"lanes": [one.document for one in found]},
        [escape_control(one.line) for one in found] or ["no lane yet"],
    )
    return 0


def _release(
    found: list[LaneView],
    lane: int | None,
    options: MergedOptions,
    console: Console,
    *,
    yes: bool,
) -> int:
    one = next((one for one in found if one.lane is not None and one.lane == lane), None)
    if one is None:
        raise UsageError(
            "no lane is named" if lane is None else f"there is no lane {lane}",
            hint="`batchconnect lanes` shows their numbers: batchconnect lanes release LANE --yes",
        )
    if one.state not in {"held", "silent"}:
        console.result({"released": None}, [f"nobody holds lane {lane}: nothing to release"])
        return 0
    if not yes:
        raise UsageError(
            f"lane {lane} is held by {one.holder}, heard of {one.silent_s:.0f} s ago. "
            "If that process lives, it may send for some seconds more than it is waited for, "
            "and a row may be made twice",
            hint="A dead holder loses it by itself. Be sure that the process is gone, then add --yes.",
        )
    release_lane(options, one.lane or 0)
    console.result(
        {"released": one.lane},
        [f"lane {lane} is free; {one.holder} can write nothing to it any more"],
    )
    return 0
