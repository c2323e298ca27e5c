"""One pass over a run's rows feeds every file, and no file keeps rows for another."""

import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from batchconnect import reports
from batchconnect.ledger.entry import RowPlanned
from batchconnect.ledger.row_state import RowState
from batchconnect.model.outcome import Created
from batchconnect.reports import FORMATS, ReportError, write_reports
from batchconnect.reports.fan_out import ROWS_PER_STEP, ReadRows, Steps, batches, fan_out
from batchconnect.reports.redaction import ROWS_PER_LOOK
from batchconnect.reports.result import Result, result_of
from batchconnect.reports.summary import Summary
from tests.reports.page_run import summed_up

ROWS = 5 * ROWS_PER_STEP


class Name(str):
    """A text that tells when nobody holds it any more."""

    __slots__ = ("__weakref__",)


def result(number: int, name: str = "n") -> Result:
    outcome = Created(connection_id=f"c-{number}")
    state = RowState(number=number, marker=None, planned=RowPlanned(name=name), outcome=outcome)
    return result_of(state, outcome, stop=None, hint=lambda code, status: "")


def watched(alive: set[int], most: list[int]) -> Iterator[Result]:
    """Rows, and how many of them are held at most."""
    for number in range(1, ROWS + 1):
        name = Name("n")
        weakref.finalize(name, alive.discard, number)
        alive.add(number)
        most[0] = max(most[0], len(alive))
        made = result(number, name)
        del name
        yield made
        del made


def run_of(rows: Iterator[Result]) -> Summary:
    return replace(summed_up(), rows=lambda: rows, total=ROWS)


def reading(seen: list[int], rows: ReadRows) -> Steps:
    for batch in batches(rows()):
        seen += [row.row for row in batch]
        yield


def test_each_file_sees_every_row_of_one_pass() -> None:
    """However many files there are."""
    seen: tuple[list[int], list[int]] = ([], [])
    given = iter([result(number) for number in range(ROWS + 1)])

    fan_out(given, [partial(reading, one) for one in seen])

    assert seen == (list(range(ROWS + 1)), list(range(ROWS + 1)))


@pytest.mark.parametrize("fail", [False, True])
def test_a_few_steps_of_rows_are_held_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: bool
) -> None:
    """A million rows cost no more memory than a thousand, even if a file could not be written."""
    alive: set[int] = set()
    most = [0]
    if fail:
        monkeypatch.setattr(reports, "FORMATS", {**FORMATS, "results.csv": full})

    with pytest.raises(ReportError) if fail else nullcontext():
        write_reports(run_of(watched(alive, most)), tmp_path / "run", redact=str)

    assert 0 < most[0] < 4 * ROWS_PER_STEP
    assert len((tmp_path / "run" / "results.jsonl").read_bytes().splitlines()) == ROWS


def full(summary: Summary) -> Iterator[bytes]:
    next(summary.rows(), None)
    yield b"half"
    raise OSError(28, "No space left on device")


def test_the_page_names_what_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was written, though all files are begun at the same time."""
    monkeypatch.setattr(reports, "FORMATS", {**FORMATS, "results.csv": full})

    with pytest.raises(ReportError):
        write_reports(summed_up(), tmp_path / "run")

    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    beside = page.partition("beside this page</dt>")[2].partition("</dd>")[0]
    assert "<code>results.xlsx</code>" in beside
    assert "results.csv" not in beside


def test_rows_without_a_secret_are_looked_at_together(tmp_path: Path) -> None:
    """A look at each text of each row cost a third of the reports."""
    looks: list[str] = []

    def look(text: str) -> str:
        looks.append(text)
        return text

    write_reports(run_of(result(number) for number in range(ROWS)), tmp_path / "run", redact=look)

    of_the_run = 1
    assert sum("\0" in text for text in looks) == -(-ROWS // ROWS_PER_LOOK) + of_the_run
