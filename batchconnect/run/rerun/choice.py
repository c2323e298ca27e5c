"""Which run a rerun takes up, which of its rows are left, and where its sheet is: told before anything is opened."""

from pathlib import Path
from typing import Final

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, VERIFY, RunOpened
from batchconnect.model.errors import ExitCode, SheetError, UsageError
from batchconnect.model.value import Value, replace
from batchconnect.options import RunOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.history.history import find_run, summary_of
from batchconnect.run.opening.header import as_named, sheet_file
from batchconnect.run.rerun.past import parent_run

_NO_RERUN: Final = {
    ROTATE: "Give `batchconnect rotate SHEET` again: it goes on; or with --failing, for those that do not work.",
    UNDO: "Give `batchconnect undo RUN --yes N` again: it goes on.",
}


class RerunChoice(Value):
    """The run that is taken up; its rows can no longer be asked for."""

    summary: Summary
    unfinished: int
    """Rows that have no connection yet, or one that does not work."""
    deleted: int
    """Rows whose connection an undo deleted since."""
    is_closed: bool
    """False: the run was cut off, and may know less of its rows than there is to know."""

    @property
    def opened(self) -> RunOpened:
        """The first line of the run."""
        return self.summary.opened

    @property
    def has_work(self) -> bool:
        """Whether a rerun would do anything."""
        return bool(self.unfinished) or not self.is_closed

    @property
    def was_tested(self) -> bool:
        """Whether connections of the run were tested: a rerun tests what it makes, then."""
        return any(self.summary.works.values())

    @property
    def as_before(self) -> RunOptions:
        """What the run was told about its sheet: it holds for the rerun, unless it is said anew."""
        opened = self.opened
        return RunOptions(
            worksheet=opened.worksheets or opened.worksheet or None,
            all_worksheets=opened.all_worksheets or None,
            map=opened.map or None,
            encoding=opened.encoding or None,
            visible_only=opened.visible_only or None,
            org=opened.org or None,
            sandbox=opened.sandbox or None,
        )

    @property
    def as_it_is(self) -> Summary:
        """The run, where there is nothing to do: that is well, however it ended itself."""
        return replace(self.summary, exit_code=ExitCode.OK)

    @property
    def why_nothing(self) -> str:
        """Why there is nothing to do, where that is so."""
        if not self.deleted:
            return f"run {self.opened.run_id}: every row has its connection, nothing to do"
        return (
            f"run {self.opened.run_id}: an undo deleted {self.deleted} of its connections since, which"
            " `batchconnect run` makes again, nothing to do"
        )

    def sheets(self) -> tuple[str, ...]:
        """
        The paths of the run's own sheets.

        Raises:
            UsageError: They were no files.
            SheetError: One is not there any more.
        """
        opened = self.opened
        paths = tuple(map(sheet_file, opened.files))
        if not paths:
            raise UsageError(
                f"the sheet of run {opened.run_id} was no file ({', '.join(opened.sheets)})",
                hint="Name it: batchconnect rerun --sheet FILE. Secrets are never stored.",
            )
        for path in paths:
            if not Path(path).exists():
                raise SheetError(
                    f"the sheet of run {opened.run_id} is not there any more: {path}",
                    hint=f"Name it: batchconnect rerun {opened.run_id} --sheet FILE",
                )
        return tuple(map(as_named, paths))


def choose_rerun(ledger: LedgerReader, run_id: str | None) -> RerunChoice:
    """
    Find the run that is taken up.

    Args:
        ledger: Where it is looked for.
        run_id: Which; None: the last one that creates.

    Raises:
        UsageError: There is none, or it is of a command that has no rerun.
    """
    parent = find_run(ledger, run_id, command=ONBOARD)
    opened = parent.opened
    if opened.command not in {ONBOARD, VERIFY}:
        raise UsageError(
            f"{opened.run_id} is no run that creates connections, but `{opened.command}`",
            hint=_NO_RERUN.get(opened.command, ""),
        )
    chain = parent_run(ledger, parent)
    return RerunChoice(
        summary=summary_of(ledger, parent),
        unfinished=chain.unfinished,
        deleted=chain.deleted,
        is_closed=parent.is_closed,
    )
