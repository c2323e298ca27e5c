"""
`explore`: which tables the connections of a run see, and with which columns.

It only asks, many at once and at each lane's pace, and never for a preview: that would bring customers'
records. What was answered before a stop is kept; the rest is named with the stop's reason.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.source import MAYBE_CUT, Column, Refusal, Table
from batchconnect.lane.lane import Lane
from batchconnect.model.contact import is_of_contact
from batchconnect.model.foreign_text import HIDDEN
from batchconnect.model.outcome import Status
from batchconnect.model.remedies import NOT_FOUND, hint_for, look_hint_for
from batchconnect.model.secret import is_entra_secret
from batchconnect.model.value import Value
from batchconnect.reports.tables import SeenColumn, SeenTable
from batchconnect.run.history.made_rows import MadeRow
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.reading_each import read_each
from batchconnect.run.stop import Stop

Tables = tuple[Table, ...] | Refusal | NotFound | Unreadable
Columns = tuple[Column, ...] | Refusal | NotFound | Unreadable


class TableOf(Value, kw_only=False):
    """One table of one connection."""

    row: MadeRow
    table: Table

    @property
    def org(self) -> str:
        """The org's settings key."""
        return self.row.org

    @property
    def sandbox(self) -> str:
        """Where the connection lives."""
        return self.row.sandbox


@dataclass(slots=True, kw_only=True)
class Exploration:
    """What the connections of a run see."""

    rows: Sequence[MadeRow]
    tables: dict[int, Tables] = field(default_factory=dict)
    """By row; one that is missing was not asked, or had no answer before the stop."""
    with_columns: bool = False
    columns: dict[tuple[int, str], Columns] = field(default_factory=dict)
    """By row and path; likewise."""
    stopped: str = ""
    """Why it was stopped; "" where it came to its end."""

    def code(self, row: MadeRow) -> str | None:
        """Why a connection's tables are not known; None: they are."""
        return self._code(self.tables.get(row.row))

    def advice(self, row: MadeRow) -> str:
        """What to do about a connection whose tables are not known."""
        code = self.code(row) or ""
        if is_of_contact(code):
            return look_hint_for(code)
        match self.tables.get(row.row):
            case None | Unreadable(refusal=None):
                return "Nothing was changed: give the same command again."
            case _:
                return hint_for(code, Status.FAILED)

    def seen(self, row: MadeRow) -> tuple[Table, ...]:
        """A connection's tables, as far as they are known."""
        tables = self.tables.get(row.row)
        return tables if isinstance(tables, tuple) else ()

    def maybe_cut(self, row: MadeRow) -> bool:
        """Whether there may be more tables than were told."""
        return len(self.seen(row)) in MAYBE_CUT

    @property
    def is_refused(self) -> bool:
        """Whether every connection met a refusal of its whole lane or sandbox."""
        return bool(self.rows) and all(
            isinstance(answer := self.tables.get(row.row), Unreadable)
            and answer.refusal is not None
            for row in self.rows
        )

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for was answered."""
        return all(line.error_code is None for line in self.lines())

    def lines(self) -> Iterator[SeenTable]:
        """Each table, in the order of the rows; a connection without any has one line as well."""
        for row in self.rows:
            seen, maybe_cut = self.seen(row), self.maybe_cut(row)
            if not seen:
                yield SeenTable(
                    row=row.at.row,
                    sheet=row.at.sheet,
                    worksheet=row.at.worksheet,
                    connection_id=row.connection_id,
                    error_code=self.code(row),
                )
            for table in seen:
                columns = self.columns.get((row.row, table.path))
                yield SeenTable(
                    row=row.at.row,
                    sheet=row.at.sheet,
                    worksheet=row.at.worksheet,
                    connection_id=row.connection_id,
                    path=_shown(table.path),
                    name=_shown(table.name),
                    columns=_columns(columns) if isinstance(columns, tuple) else None,
                    maybe_cut=maybe_cut,
                    error_code=self._code(columns) if self.with_columns else None,
                )

    def _code(self, answer: Tables | Columns | None) -> str | None:
        match answer:
            case None:
                return self.stopped
            case tuple():
                return None
            case Refusal(code=code):
                return code
            case NotFound():
                return NOT_FOUND
            case Unreadable(refusal=None, fault=fault):
                return fault.code
            case Unreadable(refusal=refusal):  # the last case
                assert refusal is not None
                return refusal.code


def _columns(columns: tuple[Column, ...]) -> tuple[SeenColumn, ...]:
    return tuple(SeenColumn(name=_shown(one.name), type=_shown(one.type)) for one in columns)


def _shown(text: str) -> str:
    """A text of the source, which is nobody's secret; what has the shape of a key is one all the same."""
    return HIDDEN if is_entra_secret(text) else text


async def explore_rows(
    rows: Sequence[MadeRow],
    *,
    service: ConnectedService,
    at_once: int,
    columns: bool,
    stop: Stop,
) -> Exploration:
    """
    Ask each connection for its tables, then each table for its columns.

    Args:
        rows: Whose connections are asked about.
        service: Whose lanes carry the questions.
        at_once: As of `read_each`.
        columns: Ask for columns, too: one request per table.
        stop: When it is asked for, nothing more is waited for.
    """
    found = Exploration(rows=rows, with_columns=columns)

    async def ask_tables(lane: Lane, row: MadeRow) -> Tables:
        return await lane.tables(row.sandbox, row.connection_id)

    async def ask_columns(lane: Lane, one: TableOf) -> Columns:
        return await lane.columns(one.sandbox, one.row.connection_id, one.table.path)

    def take_tables(row: MadeRow, answer: Tables) -> None:
        found.tables[row.row] = answer

    def take_columns(one: TableOf, answer: Columns) -> None:
        found.columns[one.row.row, one.table.path] = answer

    async def ask_all() -> None:
        await read_each(rows, ask_tables, service=service, at_once=at_once, on_answer=take_tables)
        if columns:
            tables = [TableOf(row, table) for row in rows for table in found.seen(row)]
            await read_each(
                tables, ask_columns, service=service, at_once=at_once, on_answer=take_columns
            )

    found.stopped = await _until_stopped(ask_all, stop)
    return found


async def _until_stopped(work: Callable[[], Awaitable[None]], stop: Stop) -> str:
    """Work, and leave off where a stop is asked for; its reason, if it was."""
    reason = ""

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal reason
        reason = await stop.wait()
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        await work()
        tasks.cancel_scope.cancel()
    return reason
