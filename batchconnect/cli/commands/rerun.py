"""Only what a run left unfinished, under a run of its own."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.run import run as run_sheet
from batchconnect.cli.commands.start import ledger_of, options_of, settings_of
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, VERIFY
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.options import RunOptions, merge
from batchconnect.reports.json import summary_document
from batchconnect.run.header import sheet_file
from batchconnect.run.history import find_run, summary_of
from batchconnect.run.past import parent_run
from batchconnect.run.rerun import ParentRun
from batchconnect.run.sheet_name import check_name
from batchconnect.run.task import onboarding
from batchconnect.sheet.source import open_source

_NO_RERUN: Final = {
    ROTATE: "Give `batchconnect rotate SHEET` again: it goes on; or with --failing, for those that do not work.",
    UNDO: "Give `batchconnect undo RUN --yes N` again: it goes on.",
}


def run(
    output: OutputOptions,
    given: Given,
    *,
    run_id: str | None = None,
    sheet: str | None = None,
) -> int:
    """Take up the unfinished rows of a run; by default of the last one."""
    console = Console(output)
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    with ledger_of(options) as ledger:
        parent = find_run(ledger, run_id, command=ONBOARD)
        summary = summary_of(ledger, parent)
        chain = parent_run(ledger, parent)
    opened = parent.opened
    if opened.command not in {ONBOARD, VERIFY}:
        raise UsageError(
            f"{opened.run_id} is no run that creates connections, but `{opened.command}`",
            hint=_NO_RERUN.get(opened.command, ""),
        )
    path = sheet or (opened.sheet_path and sheet_file(opened.sheet_path))
    if path is None:
        raise UsageError(
            f"the sheet of run {opened.run_id} was no file ({', '.join(opened.sheets)})",
            hint="Name it: batchconnect rerun --sheet FILE. Secrets are never stored.",
        )
    if sheet is None and not Path(path).exists():
        raise SheetError(
            f"the sheet of run {opened.run_id} is not there any more: {path}",
            hint=f"Name it: batchconnect rerun {opened.run_id} --sheet FILE",
        )
    if not chain.unfinished and parent.is_closed:
        if sheet is not None and sheet != "-":
            # A name that was mistyped is said, even where its rows would not be asked for.
            check_name(sheet)
            open_source(Path(sheet)).close()
        text = f"run {opened.run_id}: {_all_done(chain)}, nothing to do"
        console.result(summary_document(summary), [text])
        return 0
    console.say(f"rerun of {opened.run_id}: {chain.unfinished} of {summary.total} rows unfinished")
    # What the parent was told about its sheet holds for the rerun, unless it is said anew.
    as_before = RunOptions(
        worksheet=opened.worksheet or None,
        encoding=opened.encoding or None,
        visible_only=opened.visible_only or None,
        org=opened.org or None,
        sandbox=opened.sandbox or None,
    )
    alike = replace(given, options=merge(given.options, as_before))
    return run_sheet(output, alike, sheet=path, task_of=partial(onboarding, parent=opened.run_id))


def _all_done(chain: ParentRun) -> str:
    if not chain.deleted:
        return "every row has its connection"
    return f"an undo deleted {chain.deleted} of its connections since, which `batchconnect run` makes again"
