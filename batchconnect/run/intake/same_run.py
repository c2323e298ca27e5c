"""
Whether a command goes on with a run that is open: the same rows, in the same places, under the same keys.

A file's bytes do not say that: the same file asks for other connections under another `--sandbox`, another
tab or another setting, and a file that was saved once more asks for the same.
"""

import shlex
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD, ROTATE, RowPlanned, RunIdentified, RunOpened
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, planned_rows
from batchconnect.model.column import SHOWN_COLUMNS
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.model.value import replace
from batchconnect.reports.next_step import sheet_command
from batchconnect.run.history.history import run_states
from batchconnect.run.intake.accounting import as_typed
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.fast_scan import ValidRow
from batchconnect.validation.misplaced_key import length_of

_AT_ONCE: Final = 4096
"""Rows that are hashed at one time."""


class RowKey(NamedTuple):
    """What one row of a sheet is known by."""

    number: int
    marker: str | None
    """None: it is rejected."""
    typed: RowPlanned
    """Its cells, as far as they may be shown."""


def row_key(row: Row, judged: BaseConnection | Rejected) -> RowKey:
    """What a row is known by that was judged."""
    if isinstance(judged, BaseConnection):
        return RowKey(row.number, judged.marker, as_typed(row))
    return RowKey(row.number, None, as_typed(row, judged.problems))


class Identity:
    """
    The digest of a run, made row by row.

    No secret enters it, hashed or not: a refused cell of a column that may hold one is blank in it.

    Args:
        opened: Of the run: its host, its mode, and the tab.
    """

    def __init__(self, opened: RunOpened) -> None:
        self._digest = sha256()
        # Of what only creates, nothing is added: runs were identified so before there was anything else.
        does = () if opened.command == ONBOARD else (opened.command,)
        if opened.command == ROTATE:
            # Keys are what it is about, and no key enters an identity: the file stands for them.
            does = (*does, opened.sheet_sha256)
        self._parts = [
            *(opened.platform_host, str(opened.simulated), *does),
            *map(tab_of, opened.sheets),
        ]
        self._rows = self._keyless = 0

    def add(self, row: Row, judged: BaseConnection | Rejected) -> None:
        """The next row of the sheet."""
        if isinstance(judged, BaseConnection):
            self.add_valid(row.number, judged.marker)
            return
        self._keyless += 1
        self.add_valid(row.number, _typed(row, judged))

    def add_scanned(self, row: ValidRow, *, is_settled: bool) -> str | None:  # noqa: ARG002 - as of `SeenRows`
        """
        The next row of the sheet, that the fast scan took.

        Returns:
            Its marker; None: it was not made, since the row is settled.
        """
        made = row.marker
        self.add_valid(row.number, made)
        return made

    def add_valid(self, number: int, marker: str) -> None:
        """The next row of the sheet, by its key."""
        self._rows += 1
        self._parts.append(f"{number}\0{marker}")
        if len(self._parts) >= _AT_ONCE:
            self._hash()

    def made(self) -> RunIdentified:
        """The digest of all that was added."""
        self._hash()
        return RunIdentified(
            identity=self._digest.copy().hexdigest(), rows=self._rows, keyless=self._keyless
        )

    def _hash(self) -> None:
        texts = [part.encode(errors="surrogatepass") for part in self._parts]
        self._digest.update(b"".join([len(text).to_bytes(4, "big") + text for text in texts]))
        self._parts.clear()


def _typed(row: Row, judged: Rejected) -> str:
    """What a row without a key is known by."""
    typed = as_typed(row, judged.problems)
    return "\0".join(getattr(typed, one.field) for one in SHOWN_COLUMNS)


class RowsPrint:
    """
    What this process knows the rows of a sheet by when it reads them again, at a tenth of what their keys cost.

    It holds all that the keys are made of. Python's own hash of it is another one in the next process, so it is
    written down nowhere; and of 64 bits, so that it tells a file that was changed, and nothing by which two rows
    are held apart.
    """

    def __init__(self) -> None:
        self.value = 0

    def add(self, row: Row, judged: BaseConnection | Rejected) -> None:
        """The next row of the sheet."""
        if isinstance(judged, BaseConnection):
            self.add_wanted(row.number, judged)
        else:
            self.value = hash((self.value, row.number, _typed(row, judged)))

    def add_wanted(self, number: int, row: BaseConnection | ValidRow) -> None:
        """The next row of the sheet, by what its key is made of."""
        parts = (row.org.org_id, row.sandbox, row.name, row.target)
        self.value = hash((self.value, number, *parts))


class SeenRows:
    """
    As `Identity`, of rows that this process has identified before: they have to be the same still.

    Args:
        identified: What they were identified as.
        seen: Their `RowsPrint` then.
    """

    def __init__(self, identified: RunIdentified, seen: int) -> None:
        self._identified = identified
        self._seen = seen
        self._now = RowsPrint()

    def add(self, row: Row, judged: BaseConnection | Rejected) -> None:
        """The next row of the sheet."""
        self._now.add(row, judged)

    def add_scanned(self, row: ValidRow, *, is_settled: bool) -> str | None:
        """As of `Identity`: of a settled row nobody asks for its marker."""
        self._now.add_wanted(row.number, row)
        return None if is_settled else row.marker

    def made(self) -> RunIdentified:
        """What they were identified as, or what no rows are."""
        is_same = self._now.value == self._seen
        return self._identified if is_same else replace(self._identified, identity="")


def tab_of(name: str) -> str:
    """The tab that a sheet's name ends with; "" where it names none."""
    return "" if Path(name).is_file() else name.rpartition("#")[2] if "#" in name else ""


def open_runs(ledger: LedgerReader, command: str) -> Iterator[RunState]:
    """Runs of a command that were not closed, newest first; those with a parent go on by themselves."""
    for state in run_states(ledger):
        is_of = state.opened.command == command and state.opened.parent_run_id is None
        if is_of and not state.is_closed:
            yield state


def open_reruns(ledger: LedgerReader, run_id: str) -> Iterator[RunState]:
    """The reruns of a run that were not closed, newest first."""
    for state in run_states(ledger):
        is_of = state.opened.command == ONBOARD and state.opened.parent_run_id == run_id
        if is_of and not state.is_closed:
            yield state


_READ_ALIKE: Final = attrgetter(
    *("sheet_sha256", "sheets", "carried", "org", "sandbox", "visible_only", "map", "encoding"),
    *("worksheet", "worksheets", "all_worksheets", "platform_host", "simulated"),
)
"""What makes one file two, before a row of it is known."""


def goes_on(
    state: RunState,
    opened: RunOpened,
    now: RunIdentified,
    keys: Iterable[RowKey],
    ledger: LedgerReader,
) -> bool:
    """
    Whether the rows of today are those of an open run.

    A row that was rejected has no key. It may have one now, for the settings know its org; then its cells
    as they are typed decide. So do those of a run that was never identified: it has accounted for the first rows
    alone, or for none, so that it has to be over the same file, read alike.

    Args:
        state: The open run.
        opened: What today's run would begin with.
        now: The identity of today's rows.
        keys: Today's rows; looked at only where the identity does not decide.
        ledger: Where the run's own rows are.
    """
    then = state.identified
    if then is not None and (then.identity == now.identity or not then.keyless):
        return then.identity == now.identity
    if then is not None and then.rows != now.rows:
        return False
    if then is None and _READ_ALIKE(state.opened) != _READ_ALIKE(opened):
        return False
    rows = planned_rows(ledger.row_lines(state.number))
    for before, key in zip_longest(rows, keys):
        if before is None:
            # An intake that was cut short has accounted for the first rows alone.
            return then is None
        if key is None or not _is_same(before, key):
            return False
    return True


def _is_same(before: RowState, key: RowKey) -> bool:
    if before.number != key.number:
        return False
    if before.marker is not None or before.planned is None:
        return before.marker == key.marker
    return is_typed_alike(before.planned, key.typed)


def is_typed_alike(before: RowPlanned, now: RowPlanned) -> bool:
    """Whether two rows that have no key show the same cells; one that was not shown may be any of its length."""
    cells = [(getattr(before, one.field), getattr(now, one.field)) for one in SHOWN_COLUMNS]
    return all(then in {"", cell, length_of(cell)} for then, cell in cells)


def command_of(opened: RunOpened) -> str:
    """The command that goes on with an open run, in its mode, as far as it was told by options."""
    mode = ["--simulate"] if opened.simulated else []
    if opened.parent_run_id is not None:
        is_rerun = opened.command == ONBOARD
        over = ("rerun", opened.run_id) if is_rerun else (opened.command, opened.parent_run_id)
        return shlex.join(["batchconnect", *over, *mode])
    return shlex.join([*sheet_command(opened, opened.command), *mode])
