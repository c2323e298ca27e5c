"""Which run a worker joins, and how: by the run's own options wherever they decide what becomes of a row."""

from collections.abc import Sequence
from pathlib import Path

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD, RunOpened
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.value import Value, replace
from batchconnect.options import RunOptions, options_from
from batchconnect.run.history.history import find_run, run_states, summary_of
from batchconnect.run.opening.header import as_named, sheet_file
from batchconnect.run.team.work import CHOICES


class WorkChoice(Value):
    """The run that is joined."""

    opened: RunOpened
    is_closed: bool
    was_tested: bool = False
    """Of a rerun: whether connections of its parent were tested, as whoever opened it saw."""

    @property
    def parent(self) -> str | None:
        """What names it to a rerun: its own id, by which the rest of its parent's rows is found again."""
        return self.opened.run_id if self.opened.parent_run_id is not None else None

    def sheets(self, named: Sequence[str]) -> Sequence[str]:
        """
        The paths of the sheets on this machine.

        Args:
            named: `--sheet`; none: where the run's own lay.

        Raises:
            SheetError: They were no files, or one is not there; only a person knows where the copy is.
        """
        if named:
            return named
        opened = self.opened
        paths = tuple(map(sheet_file, opened.files))
        if not paths or not all(Path(path).exists() for path in paths):
            raise SheetError(
                f"the sheet of run {opened.run_id} is not on this machine: "
                f"{', '.join(paths or opened.sheets)}",
                hint=f"Name a copy: batchconnect work {opened.run_id} --sheet FILE",
            )
        return tuple(map(as_named, paths))

    def options(self, given: RunOptions) -> RunOptions:
        """What was given, with the run's own where all who work it must have the same."""
        opened = self.opened
        as_of_run = options_from(
            {
                **dict.fromkeys(CHOICES),
                **dict(opened.choices or {}),
                "worksheet": opened.worksheets or opened.worksheet,
                "all_worksheets": opened.all_worksheets or None,
                "map": opened.map or None,
                "encoding": opened.encoding,
                "visible_only": opened.visible_only or None,
                "org": opened.org,
                "sandbox": opened.sandbox,
                "skip_invalid": True,
            }
        )
        ours = {name: value for name, value in given.given().items() if name not in CHOICES}
        return replace(RunOptions(**ours), **as_of_run.given())


def choose_work(ledger: LedgerReader, run_id: str | None) -> WorkChoice | None:
    """
    Find the run that a worker joins.

    Args:
        ledger: A team's.
        run_id: Which; None: the newest that is open.

    Returns:
        None where none is open.

    Raises:
        UsageError: There is no such run, or it does not create.
    """
    found: RunState | None
    if run_id is None:
        found = next((run for run in run_states(ledger) if _is_open(run)), None)
    else:
        found = find_run(ledger, run_id)
    if found is None:
        return None
    if found.opened.command != ONBOARD:
        raise UsageError(
            f"{found.opened.run_id} is of `{found.opened.command}`, and work joins runs that create",
            hint=f"Its own command, given once more, joins it: batchconnect {found.opened.command}",
        )
    parent = found.opened.parent_run_id
    works = summary_of(ledger, find_run(ledger, parent)).works if parent is not None else {}
    return WorkChoice(
        opened=found.opened, is_closed=found.is_closed, was_tested=any(works.values())
    )


def _is_open(run: RunState) -> bool:
    return run.opened.command == ONBOARD and not run.is_closed
