"""
Rows that a spreadsheet filled in, not a person: ids that count up from row to row, one key for many principals.

Whoever drags a cell down gets `…47`, `…48`, `…49`: each a well-formed id of nobody. No row shows that by
itself, so the rows are looked at one after the other. Nothing but the row before and what is found is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import eq, or_

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Rejected, Severity
from batchconnect.model.row import Header
from batchconnect.model.row_place import place_of
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, replace
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.finding import located

LEAST_ROWS = 3
"""Fewer rows may be alike by chance."""
MOST_FOUND = 1000
"""Findings that are kept of one sheet; who has more has read enough."""

_TENANT, _PRINCIPAL, _KEY = (
    Column.TENANT,
    Column.SERVICE_PRINCIPAL_ID,
    Column.SERVICE_PRINCIPAL_KEY,
)
_DIGITS = "0123456789"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_MOST_DIGITS = 15
HEAD = 24
"""Characters at which two ids of one series are alike in any case: only their ends count up."""
_LONG = 16
"""Characters of a key that is no practice key, as `key-1` is one."""

Seen = tuple[int, str, str, str]
"""Number, tenant, principal and key of a row. A tuple: there may be a million."""


class Warned(Value):
    """What is odd about rows taken together; they are sent all the same."""

    problem: Problem


@dataclass(slots=True)
class _Run:
    """Rows that follow each other and go on alike."""

    first: int
    last: int
    rows: int
    step: int


class Series:
    """
    Sees the valid rows of a sheet in their order.

    Args:
        header: For the addresses of cells.
        strict: Warnings are errors.
    """

    def __init__(self, header: Header, *, strict: bool = False) -> None:
        self._last: Seen = (0, "", "", "")
        """The row before."""
        self._header = header
        self._strict = strict
        self._open: dict[Column | None, _Run] = {}
        self._found: list[tuple[Column | None, _Run]] = []

    def begin_sheet(self) -> None:
        """The next row is the first one of another sheet: it goes on nothing."""
        self._last = (0, "", "", "")

    def add(self, connection: BaseConnection) -> None:
        """Look at one row."""
        if place_of(connection.row) != place_of(self._last[0]):
            self.begin_sheet()
        key = connection.service_principal_key
        # References may count up, as `env:KEY_1` and `env:KEY_2` do: they end with a sign that is no digit.
        text = key.reveal() if isinstance(key, Secret) else f"{key.text}\0"
        seen = (
            connection.row,
            connection.target.tenant,
            connection.target.service_principal_id,
            text,
        )
        if may_go_on(self._last, seen):
            self._look(seen)
        self._last = seen

    def add_all(
        self,
        rows: Sequence[int],
        tenants: Sequence[str],
        principals: Sequence[str],
        keys: Sequence[str],
    ) -> None:
        """Look at rows of one sheet that follow each other, at least one; as `add` at each."""

        def seen(at: int) -> Seen:
            return rows[at], tenants[at], principals[at], keys[at]

        heads = [principal[:HEAD] for principal in principals]
        if may_go_on(self._last, seen(0)):
            self._look(seen(0))
        goes_on = map(or_, map(eq, heads, heads[1:]), map(eq, keys, keys[1:]))
        for before in compress(count(), goes_on):
            self._last = seen(before)
            self._look(seen(before + 1))
        self._last = seen(-1)

    def _look(self, seen: Seen) -> None:
        """Compare a row with the row before, after which it may go on."""
        # Each by itself: in a sheet that was filled in, a loop over them took twice the time.
        before, tenant_before, principal_before, key_before = self._last
        row, tenant, principal, key = seen
        if tenant != tenant_before and (step := _step(tenant_before, tenant)):
            self._goes_on(_TENANT, before, row, step)
        if principal != principal_before and (step := _step(principal_before, principal)):
            self._goes_on(_PRINCIPAL, before, row, step)
        if key == key_before:
            if principal != principal_before:
                self._goes_on(None, before, row, 1)
        elif len(key) >= _LONG and (step := _step(key_before, key)):
            self._goes_on(_KEY, before, row, step)

    def _goes_on(self, column: Column | None, before: int, row: int, step: int) -> None:
        run = self._open.get(column)
        if run is not None and run.last == before and run.step == step:
            run.last = row
            run.rows += 1
        else:
            run = self._open[column] = _Run(before, row, 2, step)
        if run.rows == LEAST_ROWS and len(self._found) < MOST_FOUND:
            self._found.append((column, run))

    def findings(self) -> Iterator[tuple[int, Warned | Rejected]]:
        """Row number and finding: one for each series, or one for each of its rows where they are refused."""
        self.begin_sheet()
        for column, run in self._found:
            rows = self._header.told_span(run.first, run.last)
            problem = _shared(run, rows) if column is None else _counted(column, run, rows)
            place = Column(problem.column or _KEY)
            if not self._strict:
                cells = self._header.span(place, run.first, run.last)
                yield run.first, Warned(problem=replace(problem, cell=cells))
                continue
            for row in range(run.first, run.last + 1):
                yield row, Rejected(problems=located((problem,), self._header, row, strict=True))


def may_go_on(before: Seen, seen: Seen) -> bool:
    """Whether a row may go on what the row before began: a quick look that passes hardly any row."""
    return before[2][:HEAD] == seen[2][:HEAD] or before[3] == seen[3]


def _step(old: str, new: str) -> int:
    """By how much the number at the end of a text grew; 0 where the texts differ otherwise."""
    last, now = _VALUES.get(old[-1:]), _VALUES.get(new[-1:])
    if last is None or now is None:
        return 0
    if old[:-1] == new[:-1]:  # nine times of ten no other digit differs
        return now - last
    before, behind = old.rstrip(_DIGITS), new.rstrip(_DIGITS)
    if before != behind:
        return 0
    at = max(len(before), len(old) - _MOST_DIGITS, len(new) - _MOST_DIGITS)
    return int(new[at:]) - int(old[at:]) if old[:at] == new[:at] else 0


def _counted(column: Column, run: _Run, rows: str) -> Problem:
    grows = (
        "one higher"
        if run.step == 1
        else f"{abs(run.step)} {'higher' if run.step > 0 else 'lower'}"
    )
    return Problem(
        code="filled_down",
        severity=Severity.WARNING,
        column=column.value,
        what=f"in {rows} each value is {grows} than the one above, as where a "
        "spreadsheet fills cells down",
        remedy="Take each value from Entra. To copy a cell down as it is, use Ctrl-D, or hold Ctrl while "
        "you drag.",
    )


def _shared(run: _Run, rows: str) -> Problem:
    return Problem(
        code="key_shared",
        severity=Severity.WARNING,
        column=_KEY.value,
        what=f"{rows} have one key for {run.rows} different principals",
        remedy="Each app registration has a key of its own: take each from Entra.",
    )
