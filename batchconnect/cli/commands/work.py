"""Join a run on a team ledger: take lanes, work them, hand them back."""

import os
from collections.abc import Sequence
from functools import partial

from batchconnect.cli.commands.run import run as run_sheet
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import options_of, settings_of
from batchconnect.model.errors import UsageError
from batchconnect.model.value import replace
from batchconnect.run.opening.opened_ledger import is_shared, ledger_of
from batchconnect.run.task import onboarding
from batchconnect.run.team.work_choice import choose_work


def run(
    output: OutputOptions,
    given: Given,
    *,
    run_id: str | None = None,
    sheets: Sequence[str] = (),
) -> int:
    """Work on a run until it is closed; by default on the newest that is open."""
    console = Console(output)
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    if not is_shared(options):
        raise UsageError(
            "a worker joins a run on a team ledger, and this ledger is a file",
            hint="Name it with --ledger postgresql://..., or BATCHCONNECT_LEDGER.",
        )
    with ledger_of(options) as ledger:
        chosen = choose_work(ledger, run_id)
    if chosen is None or chosen.is_closed:
        what = "no run is open" if chosen is None else f"run {chosen.opened.run_id} is closed"
        console.result({"joined": None}, [f"{what}: nothing to work on"])
        return 0
    console.say(f"joins run {chosen.opened.run_id}")
    return run_sheet(
        output,
        replace(given, options=chosen.options(given.options)),
        sheets=chosen.sheets(sheets),
        task_of=partial(onboarding, parent=chosen.parent, was_tested=chosen.was_tested),
        joins=chosen.opened.run_id,
        command="work",
    )
