"""
A sheet in each of the five formats, with each odd cell in each of our columns, sent by the real command.

Each row is refused with the cell that is odd, or what arrives at the service is that cell to the byte: there
is no third way. What the readers make of a cell is told in tests/sheet/workbook.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from batchconnect.model.identity import split_marker
from batchconnect.model.row import letters
from tests.acceptance.place import COLUMNS, Place, cells
from tests.acceptance.practice import Practice
from tests.sheet.workbook.test_five_formats import BLANK, MAKERS, MARKED_TEXTS, ODD, TEXTS, Raw

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

OPTIONS = ("--skip-invalid", "--rate", "400", "--settle", "1", "--no-sweep")
KEY = "servicePrincipalKey"
DEFAULT = ("--sandbox", "fallback")
"""Speaks for a blank cell, and for no other."""


def odd_cells(form: str) -> list[tuple[object, str | None]]:
    """What stands in the file, and the text that it is; None: there is none, so it has to be refused."""
    texts: list[tuple[object, str | None]] = [(text, text) for text in TEXTS]
    if form != "csv":
        texts += [(text, text) for text in MARKED_TEXTS if "\ufffe" not in text]
    odd = [(value, text) for its, value, text in ODD if its == form]
    # In a sheet as large as these the number of the empty shared text is another one's.
    blank = [
        (value, "")
        for its, value in BLANK
        if its == form and f"<v>{Raw.EMPTY}</v>" not in str(value)
    ]
    return [*texts, *odd, *blank]


def rows_of(form: str, column: str, first: int) -> tuple[list[dict[str, Any]], list[str | None]]:
    """Rows of which nothing is odd but the cell in one column; and of each the text that it is."""
    rows: list[dict[str, Any]] = []
    texts: list[str | None] = []
    alike: Counter[str | None] = Counter()
    for number, (value, text) in enumerate(odd_cells(form), first):
        alike[text] += 1
        # Two rows of one name in one sandbox would be refused for that.
        rows.append(cells(number, sandbox=f"dev{alike[text]}") | {column: value})
        texts.append(text)
    return rows, texts


def arrived(practice: Practice) -> Mapping[str, Mapping[str, str]]:
    """What stands in the service, by its id, under the names of our columns."""

    def ask(simulator: Any) -> dict[str, dict[str, str]]:
        return {
            one.id: {
                **one.params,
                "name": one.name,
                "description": split_marker(one.description)[0],
                "servicePrincipalKey": simulator.received_key(one.id),
                "sandbox": one.sandbox,
            }
            for one in simulator.connections()
        }

    return practice.ask(ask)


def is_right(
    result: Mapping[str, Any],
    stands: Mapping[str, Mapping[str, str]],
    *,
    cell: tuple[str, int],
    text: str | None,
) -> bool:
    """Whether a row was refused for its one odd cell, or the service was sent that cell's text."""
    column, row = cell
    if result["status"] == "rejected":
        address = f"{letters(COLUMNS.index(column))}{row}"
        return bool(result["error_column"] == column and f"{address}: " in result["error"])
    if text is None:
        return False
    if column == "sandbox":  # which may not exist there: that is the service's to say
        return bool(result["sandbox"] == (text if text.strip() else "fallback"))
    if result["status"] != "created":
        return False
    return text == "" if column == "org" else stands[result["connection_id"]][column] == text


@pytest.mark.parametrize("form", MAKERS)
def test_each_odd_cell_in_each_column_is_refused_with_its_cell_or_arrives_to_the_byte(
    place: Place, practice: Practice, form: str
) -> None:
    """A sheet for each column, all in one run; that of odd keys in one of its own, for none may stand in another row."""
    told: list[tuple[str, int, str | None]] = []
    for columns in ([one for one in COLUMNS if one != KEY], [KEY]):
        first = len(told)
        for column in columns:
            rows, texts = rows_of(form, column, len(told) + 1)
            path = place.folder / f"{column}.{form}"
            path.write_bytes(
                MAKERS[form]([COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])
            )
            path.chmod(0o600)
            place.inputs.add(path)
            told += [(column, number, text) for number, text in enumerate(texts, 2)]

        done = place.run("run", *(f"{column}.{form}" for column in columns), *OPTIONS, *DEFAULT)

        assert done.code in {4, 7}, done
        lines = (place.latest / "results.jsonl").read_bytes().splitlines()
        results, stands = [orjson.loads(line) for line in lines], arrived(practice)
        assert [result["row"] for result in results] == [number for _, number, _ in told[first:]]
        wrong = [
            (column, number, text, result["status"], result["error"])
            for result, (column, number, text) in zip(results, told[first:], strict=True)
            if not is_right(result, stands, cell=(column, number), text=text)
        ]
        assert wrong == []
        assert {"created", "rejected"} <= {result["status"] for result in results}
