"""No terminal, a closed stdout, an ASCII world: no row is lost, and no text kills a run."""

import subprocess

import pytest

from tests.acceptance.place import PATIENCE_S, Place, cells, until
from tests.acceptance.practice import Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance

ROWS = [
    cells(1, name="Müller & Söhne, Zürich", description="größer"),
    cells(2, name="日本 🔑 [bold]not markup[/bold]"),
    cells(3, name='=HYPERLINK("http://x") \u202egnp'),
]
NAMES = {row["name"] for row in ROWS}
ASCII = {
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii:strict",
}


def test_names_beyond_ascii_survive_a_world_of_ascii(place: Place, practice: Practice) -> None:
    """LANG=C and an ASCII stdout: every row created, every report in UTF-8, the sheet's own name too."""
    sheet = place.sheet(ROWS, "Kunden-Übersicht.csv")
    done = place.run("run", sheet, "--rate", "20", "-v", "--note", "Grüße", env=ASCII)
    status = place.run("status", env=ASCII)
    runs = place.run("runs", env=ASCII)
    told = place.run("runs", "--json", env=ASCII)
    checked = place.run("validate", sheet, "--json", env=ASCII)

    assert (done.code, status.code, runs.code, checked.code) == (0, 0, 0, 0), done
    assert_exactly_once(practice, place, NAMES)
    assert runs.out.isascii()
    assert [str] == [type(run["note"]) for run in told.json["runs"]]
    assert checked.json["rows"] == 3


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_from_the_start_ends_no_run(
    place: Place, practice: Practice, closed: str
) -> None:
    """As a scheduler may start it."""
    sheet = place.sheet(ROWS)
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
    done = place.run("run", sheet, "--rate", "20", wrap=shell)

    assert done.code == 0, done
    assert_exactly_once(practice, place, NAMES)


def test_a_reader_that_goes_away_ends_no_run(place: Place, practice: Practice) -> None:
    """`| head -0`: the work goes on, and the report is there."""
    running = place.start(
        "run", place.sheet(ROWS), "--rate", "4", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: len(practice.creates()) >= 1)
    for stream in (running.process.stdout, running.process.stderr):
        assert stream is not None
        stream.close()
    assert running.process.wait(PATIENCE_S) == 0
    assert_exactly_once(practice, place, NAMES)


def test_a_sheet_comes_from_standard_input(place: Place, practice: Practice) -> None:
    """`-` reads CSV; `rerun` says that it needs the sheet again."""
    content = place.sheet(ROWS).read_bytes()
    done = place.run("run", "-", "--rate", "20", "--max-rows", "1", stdin=content)
    rerun = place.run("rerun")

    assert done.code == 8, done
    assert rerun.code == 2, rerun
    assert "--sheet" in rerun.err
    again = place.run("run", "-", "--rate", "20", stdin=content)
    assert again.code == 0, again
    assert_exactly_once(practice, place, NAMES)
