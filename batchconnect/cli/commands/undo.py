"""Show what would be deleted of what a run created, and what would be left; delete it, where that is agreed on."""

import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

import anyio

from batchconnect.cli.ending import Ending
from batchconnect.cli.observer import RunObserver, attend
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import (
    flags_of,
    kept_flags,
    options_of,
    place_flags,
    service_flags,
    settings_of,
    warn_of_places,
)
from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.model.remedies import title_for, undo_hint_for
from batchconnect.options import MergedOptions
from batchconnect.reports.terminal_summary import hint_lines, next_command
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.places import try_places
from batchconnect.run.undo.choice import run_that_creates
from batchconnect.run.undo.undo import preview_undo, undo
from batchconnect.run.undo.undo_plan import UndoPlan, UndoRow
from batchconnect.settings import Settings

_MOST_ROWS: Final = 10
"""Rows of one reason that the screen names; `--json` has all."""


def run(output: OutputOptions, given: Given, *, run_id: str, yes: int | None) -> int:
    """Preview an undo, or carry it out."""
    console = Console(output)
    with Ending(given, console, command="undo") as ending:
        return _undo(output, given, console, ending, run_id=run_id, yes=yes)


def _undo(
    output: OutputOptions,
    given: Given,
    console: Console,
    ending: Ending,
    *,
    run_id: str,
    yes: int | None,
) -> int:
    settings = settings_of(given, os.environ)
    options = options_of(settings, given)
    ending.reach(settings, options)
    warn_of_places(options, settings, console)
    with ledger_of(options) as ledger:
        run_that_creates(ledger, run_id)  # before anybody is asked, or a ledger is made
    if yes is None:
        return _preview(console, settings, options, given, run_id)
    console.warn(try_places(options))
    observer = RunObserver(
        options=options,
        output=output,
        log_json=given.log_json,
        console=console,
        place=place_flags(given),
    )
    work = partial(
        undo,
        run_id,
        yes,
        settings=settings,
        options=options,
        listener=observer.listener,
        report=observer.report,
    )
    done = attend(observer, work, drain_s=given.drain)
    if isinstance(done, UndoPlan):
        return _show(console, done, given)
    ending.summary = done
    same = _same(observer.redactor)
    again = next_command(
        done, same=same, options=place_flags(given), kept=partial(kept_flags, given)
    )
    observer.tell_end(done, again)
    return int(done.exit_code or 0)


def _preview(
    console: Console, settings: Settings, options: MergedOptions, given: Given, run_id: str
) -> int:
    console.say("looking at each connection; nothing is sent")
    with ending_at_once(), looking(console) as hear:
        plan = anyio.run(
            partial(
                preview_undo,
                run_id,
                settings=settings,
                options=options,
                on_event=hear,
                hold=console.redactor.hold,
            ),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    return _show(console, plan, given)


def _same(redactor: Redactor) -> str:
    """The command that was given, without a secret in it."""
    return redactor.text(shlex.join(["batchconnect", *sys.argv[1:]]))


# The preview ------------------------------------------------------------------------------------------


def _show(console: Console, plan: UndoPlan, given: Given) -> int:
    following = _next(plan, given, console.redactor)
    console.result(_document(plan, following), _lines(plan, following))
    return plan.exit_code


def _next(plan: UndoPlan, given: Given, redactor: Redactor) -> str | None:
    number = plan.to_delete if plan.agreed is None else plan.agreed
    if plan.cut_off:
        return _same(redactor)
    if not plan.has_work or plan.is_refused:
        return None
    words = ["batchconnect", "undo", plan.run.opened.run_id, "--yes", str(number)]
    kept = [*service_flags(given), *flags_of(given.options, ("note",))]
    return redactor.text(shlex.join([*words, *place_flags(given), *kept]))


def _document(plan: UndoPlan, following: str | None) -> dict[str, object]:
    return {
        "run_id": plan.run.opened.run_id,
        "simulated": plan.run.opened.simulated,
        "delete": plan.to_delete,
        "keep": len(plan.rows) - plan.to_delete,
        "keep_by_code": plan.kept,
        "settle": plan.to_settle,
        "deleted_before": plan.deleted_before,
        "not_created": plan.not_created,
        "goes_on_with": plan.begun.opened.run_id
        if plan.begun and plan.agreed is not None
        else None,
        "agreed": plan.agreed,
        "rows": [_told(row, plan) for row in plan.rows],
        "next": following,
    }


def _told(row: UndoRow, plan: UndoPlan) -> dict[str, object]:
    kept = row.kept
    return {
        **plan.run.opened.places.keys(row.number),
        "settle": row.is_begun and kept is not None,
        "name": row.planned.name,
        "org": row.planned.org,
        "sandbox": row.planned.sandbox,
        "connection_id": row.made.connection_id if row.made else None,
        "action": "delete" if kept is None else "keep",
        "code": kept.code if kept else None,
        "reason": kept.detail if kept else None,
        "hint": _hint(kept.code, plan) if kept else None,
    }


def _lines(plan: UndoPlan, following: str | None) -> Iterator[str]:
    opened = plan.run.opened
    mode = " (simulated)" if opened.simulated else ""
    yield f"undo of run {escape_control(opened.run_id)}{mode}: nothing was sent"
    if plan.cut_off:
        yield "  it was not looked at to the end"
    else:
        yield from _counts(plan)
        yield from _places(plan)
        yield from _reasons(plan)
    if following is not None:
        yield f"next:   {escape_control(following)}"


def _counts(plan: UndoPlan) -> Iterator[str]:
    if not plan.rows and not plan.deleted_before:
        yield "  the run created nothing, so there is nothing to undo"
        return
    kept = len(plan.rows) - plan.to_delete
    counted = [
        (plan.to_delete, "to delete"),
        (kept, "to keep"),
        (plan.deleted_before, "deleted by an undo before"),
        (plan.not_created, "not created by this run, and none of its matter"),
    ]
    figures = max(len(str(count)) for count, _ in counted)
    for count, what in counted:
        if count or what == "to delete":
            yield f"  {count:>{figures}} {what}"
    if plan.to_settle:
        yield f"  a delete of {plan.to_settle} to keep was sent before, and its end is not known:"
        yield "    --yes looks until it is, and writes it into the ledger; nothing is sent for that"
    if plan.begun is not None and plan.agreed is not None:
        run_id = escape_control(plan.begun.opened.run_id)
        yield f"  its undo {run_id} was begun with {plan.agreed}, and goes on with that number"


def _places(plan: UndoPlan) -> Iterator[str]:
    """Where it would be deleted: whoever undoes the wrong run sees it here."""
    counts: dict[tuple[str, str], int] = {}
    for row in plan.rows:
        if row.kept is None:
            place = (row.planned.org, row.planned.sandbox)
            counts[place] = counts.get(place, 0) + 1
    for (org, sandbox), count in sorted(counts.items()):
        yield escape_control(f"  delete {count} in {org}/{sandbox}")


def _reasons(plan: UndoPlan) -> Iterator[str]:
    for code, count in plan.kept.items():
        yield escape_control(f"! keep {count}: {title_for(code)} ({code})")
        rows = (row for row in plan.rows if row.kept is not None and row.kept.code == code)
        for row in islice(rows, _MOST_ROWS):
            detail = row.kept.detail if row.kept else ""
            yield escape_control(
                f"    {plan.run.opened.places.told(row.number)} {row.planned.name}: {detail}"
            )
        if count > _MOST_ROWS:
            yield f"    and {count - _MOST_ROWS} more: --json has all"
        yield from hint_lines(_hint(code, plan))


def _hint(code: str, plan: UndoPlan) -> str:
    return undo_hint_for(code, Status.KEPT, run_id=plan.run.opened.run_id)
