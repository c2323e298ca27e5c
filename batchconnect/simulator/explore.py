"""`/test` and `/explore`: what a connection sees of its source, or why it sees nothing."""

from typing import Any

from batchconnect.simulator import answers
from batchconnect.simulator.connections import Handled
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection
from batchconnect.simulator.source import Source

RECORDS = [{"Timestamp": "2026-11-01T00:00:00Z", "Tenant": "a customer's record"}]
"""What `preview=true` adds: whoever asks for it has customers' data on his hands."""


def test(connection: Connection, source: Source, now: float) -> Handled:
    """`GET /connections/{id}/test`: yes or no, and no reason."""
    trouble = source.trouble(connection, now)
    source.store.db.execute(
        "update connections set tests = tests + 1 where id = ?", (connection.id,)
    )
    answer = answers.json_answer(200, {"result": trouble is None})
    return Handled(answer=answer, takes_s=source.habits.test_s)


def explore(connection: Connection, request: Request, source: Source, now: float) -> Handled:
    """`GET /connections/{id}/explore`: the tables, or the columns of one."""
    refusal = _refused(connection, request, source.habits)
    if refusal is not None:
        return Handled(answer=refusal)
    trouble = source.trouble(connection, now)
    if trouble is not None:
        text = f"The request could not be processed. Error message: {trouble}"
        answer = answers.flow("1308-400", "Bad Request", text)
    else:
        answer = _seen(connection, request, source.habits)
    return Handled(answer=answer, takes_s=source.habits.explore_s)


def _refused(connection: Connection, request: Request, habits: Habits) -> Answer | None:
    wanted, table = request.first("objectType"), request.first("object")
    if not habits.explores:
        return _bad(
            "1336-400",
            f"Explore connection is not supported for connection spec ID: {connection.spec_id}.",
        )
    if not wanted:
        return _bad("1359-400", "The param objectType is missing in the request.")
    if wanted.lower() not in {"root", "table"}:
        return _bad("1358-400", "The provided param 'objectType' is invalid.")
    if wanted.lower() == "table" and not table:
        return _bad("1337-400", "The object cannot be empty for objectType=table.")
    return None


def _seen(connection: Connection, request: Request, habits: Habits) -> Answer:
    tables = habits.tables_of.get(connection.id, habits.tables)
    path = request.first("object")
    if str(request.first("objectType")).lower() == "root":
        listed = [_table(name) for name in tables]
        shaped = listed if habits.explore_shape == "array" else {"items": listed}
        return answers.json_answer(200, shaped)
    if path not in {path_of(name) for name in tables}:
        return _bad("1330-400", f"No columns were found for table {path}.")
    columns = {"columns": [_column(name, kind) for name, kind in habits.columns]}
    shown: dict[str, Any] = {"format": "flat", "schema": columns}
    if request.first("preview") == "true":
        shown["data"] = RECORDS
    return answers.json_answer(200, shown)


def path_of(table: str) -> str:
    """The path of a table: its name without blanks."""
    return table.replace(" ", "")


def _table(name: str) -> dict[str, Any]:
    path = path_of(name)
    return {"type": "table", "name": name, "path": path, "canPreview": True, "canFetchSchema": True}


def _column(name: str, kind: str) -> dict[str, Any]:
    if kind == "date-time":
        return {"name": name, "type": "string", "xdm": {"type": "string", "format": kind}}
    return {"name": name, "type": kind, "xdm": {"type": kind}}


def _bad(code: str, text: str) -> Answer:
    return answers.flow(code, "Bad Request", text)
