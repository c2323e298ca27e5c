"""
What to do from here: the one decision behind the last line on the screen and the page's "Next".

Each command that changes something goes on in its own way; what is cut off goes on by the same command.
"""

from collections.abc import Callable, Mapping
from typing import Final

from batchconnect.ledger.entry import ROTATE, UNDO, VERIFY, RunOpened
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import DONE, Status, Works
from batchconnect.model.remedies import NOT_FOUND
from batchconnect.model.value import Value, replace
from batchconnect.reports.summary import Summary

_CUT_OFF: Final = "The run was cut off. The same command goes on under the same run id."
_SAME: Final = {
    ExitCode.SHEET: "Correct the cells named below, then give the same command again.",
    ExitCode.AS_ASKED: "The same command takes the next rows.",
}
_SHEET: Final = "correct the sheet"
_CONFLICTS: Final = "settle the conflicts"
_CORRECT_KEYS: Final = "correct the keys"
_GONE: Final = "make what is gone again"
_RECONCILE: Final = "Look for the rows in doubt again; nothing is sent by that:"
_SWEEP: Final = "Look again whether each connection is there once; nothing is sent by that:"
_RERUN: Final = "When the causes below are removed, send only what is unfinished:"
_KEYS: Final = "Correct the keys in the sheet, then send them to the connections that do not work:"
_ASK_AGAIN: Final = "Ask again whether the connections work:"
_AGAIN: Final = (
    "When the causes below are removed, give the same command again; what is done is left."
)
_FORGOTTEN: Final = {"not_selected": "--only", "max_rows": "--max-rows"}
"""By the code of the rows that it left out: the option that no rerun remembers."""
_LOOK_AGAIN: Final = "Show what is left to delete:"


class NextStep(Value):
    """One thing to do."""

    why: str
    """A sentence; it ends with a colon where a command follows."""
    command: tuple[str, ...] = ()
    """Its words; none: the command that was given, once more."""
    first: str = ""
    """What a person does before it, in few words, where the command alone would meet the same trouble."""
    reads_sheet: bool = False
    """Whether the command is over the run's sheet, and not over a run."""
    forgets: tuple[str, ...] = ()
    """Options of the run without which the command would do more than was left: it does not remember them."""


def next_step(summary: Summary) -> NextStep | None:
    """What a person does after a run; None: nothing, or the run is still at work."""
    if summary.live or (summary.closed and summary.exit_code == ExitCode.OK):
        return None
    if not summary.closed:
        return NextStep(why=_CUT_OFF)
    # Refused, nothing was sent, so it starts anew; stopped by --max-rows, it takes the next rows.
    if summary.exit_code in _SAME:
        first = _SHEET if summary.exit_code == ExitCode.SHEET else ""
        return NextStep(why=_SAME[ExitCode(summary.exit_code)], first=first)
    return _limited(_AFTER.get(summary.opened.command, _after_run)(summary), forgotten(summary))


def sheet_command(opened: RunOpened, command: str, *flags: str) -> tuple[str, ...]:
    """The words of a command over the run's sheet, read as the run read it, as far as options told that."""
    sheets = opened.files or opened.sheets[:1]
    options = [
        *(("--worksheet", name) for name in opened.worksheets or (opened.worksheet,)),
        *(("--map", said) for said in opened.map),
        ("--encoding", opened.encoding),
        ("--org", opened.org),
        ("--sandbox", opened.sandbox),
    ]
    given = (word for flag, value in options if value for word in (flag, value))
    every = [
        *(["--all-worksheets"] if opened.all_worksheets else []),
        *(["--visible-only"] if opened.visible_only else []),
    ]
    return ("batchconnect", command, *sheets, *flags, *every, *given)


def forgotten(summary: Summary) -> tuple[str, ...]:
    """Options that left rows out, which the next command would take up, unless it is given them again."""
    return tuple(flag for code, flag in _FORGOTTEN.items() if summary.left_out.get(code))


def _limited(step: NextStep | None, forgets: tuple[str, ...]) -> NextStep | None:
    if step is None or not forgets or not (step.reads_sheet or step.command[1:2] == ("rerun",)):
        return step
    again = (
        f"with the {' and '.join(forgets)} of this run again, or what was left out is taken, too"
    )
    return replace(step, why=f"{step.why.removesuffix(':')}, {again}:", forgets=forgets)


def _after_run(summary: Summary) -> NextStep:
    run = summary.opened.run_id
    is_swept = summary.sweep is None or summary.sweep.is_clean
    if summary.counts[Status.IN_DOUBT] or not is_swept:
        why = _RECONCILE if summary.counts[Status.IN_DOUBT] else _SWEEP
        return NextStep(why=why, command=("batchconnect", "reconcile", run))
    if not _is_done(summary):
        command = _rerun(summary.opened, run)
        return NextStep(why=_RERUN, command=command, first=_to_mend(summary))
    if _fails(summary):
        return _mend_keys(_rerun(summary.opened, run))
    if summary.works.get(Works.NOT_TESTED):
        return NextStep(why=_ASK_AGAIN, command=("batchconnect", "verify", run))
    return NextStep(why=_RECONCILE, command=("batchconnect", "reconcile", run))


def _after_rotate(summary: Summary) -> NextStep:
    opened = summary.opened
    if not _is_done(summary):
        return NextStep(why=_AGAIN, first=_to_mend(summary))
    if _fails(summary):
        return _rotate_failing(opened)
    return NextStep(why=_ASK_AGAIN, command=sheet_command(opened, VERIFY), reads_sheet=True)


def _after_verify(summary: Summary) -> NextStep:
    opened = summary.opened
    if not _fails(summary):
        is_gone = any(incident.code == NOT_FOUND for incident in summary.incidents)
        return NextStep(why=_AGAIN, first=_GONE if is_gone else "")
    if opened.parent_run_id:
        return _mend_keys(_rerun(opened, opened.parent_run_id))
    return _rotate_failing(opened)


def _after_undo(summary: Summary) -> NextStep | None:
    """Of what is only kept, a person decides."""
    opened, counts = summary.opened, summary.counts
    if counts[Status.DELETED] + counts[Status.KEPT] == summary.total or not opened.parent_run_id:
        return None
    return NextStep(why=_LOOK_AGAIN, command=("batchconnect", UNDO, opened.parent_run_id))


def _rerun(opened: RunOpened, run_id: str) -> tuple[str, ...]:
    # Rows that came by stdin stand in no file that could be read again.
    again = ("--sheet", "-") if opened.sheets == ("-",) else ()
    return ("batchconnect", "rerun", run_id, *again)


def _rotate_failing(opened: RunOpened) -> NextStep:
    return replace(_mend_keys(sheet_command(opened, ROTATE, "--failing")), reads_sheet=True)


def _mend_keys(command: tuple[str, ...]) -> NextStep:
    return NextStep(why=_KEYS, command=command, first=_CORRECT_KEYS)


def _to_mend(summary: Summary) -> str:
    """What the same command would only meet again."""
    if summary.counts[Status.REJECTED]:
        return _SHEET
    return _CONFLICTS if summary.counts[Status.CONFLICT] else ""


def _is_done(summary: Summary) -> bool:
    """Whether each row is done that was to be."""
    left_out = sum(summary.left_out.values())
    return sum(summary.counts[status] for status in DONE) + left_out == summary.total


def _fails(summary: Summary) -> bool:
    return summary.works.get(Works.NO, 0) > 0


_AFTER: Final[Mapping[str, Callable[[Summary], NextStep | None]]] = {
    ROTATE: _after_rotate,
    VERIFY: _after_verify,
    UNDO: _after_undo,
}
"""By `RunOpened.command`."""
