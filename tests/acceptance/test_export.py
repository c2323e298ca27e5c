"""A sandbox becomes a sheet, the sheet becomes connections elsewhere: nothing lost on the way, and in little room."""

import csv
import io
import re
import signal
import sys
from itertools import cycle, islice
from pathlib import Path

import openpyxl
import pytest

from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.sheet import open_sheet
from batchconnect.simulator.planting import Planted
from tests.acceptance.place import CANARY, Done, Place, cells, until
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice

pytestmark = pytest.mark.acceptance

FAST = ("--rate", "200")
MOST_MIB = 300
MANY = 5000
_MEASURED = (
    "import resource,subprocess,sys;"
    "code=subprocess.call(sys.argv[1:]);"
    "print('peak',resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,file=sys.stderr);"
    "sys.exit(code)"
)
_ODD_NAMES = (
    "Acme, Inc.",
    'The "Quoted" Shop',
    "=HYPERLINK(1)",
    "'=already quoted",
    "+49 30 1234",
    "-minus",
    "@at",
    "007",
    "1e5",
    "two\nlines",
    "carriage\r\nreturn",
    "trailing space ",
    " leading space",
    "<b>&amp;</b> _x000D_",
    "Größe Su\u0308d 😀",
    "tab\tinside",
)


def measured(place: Place, *arguments: str | Path) -> tuple[Done, float]:
    """Give a command; and the most memory that it, or a process of its own, had at once, in MiB."""
    # A small parent of its own: the most of all children ever is what this process could tell.
    wrap = (sys.executable, "-S", "-c", _MEASURED)
    done = place.start(*arguments, wrap=wrap).done()
    peak = re.search(r"^peak (\d+)$", done.err, re.MULTILINE)
    assert peak, done
    return done, int(peak[1]) / (1 << (20 if sys.platform == "darwin" else 10))


def filled(place: Place, source: str, target: str) -> None:
    """Fill the keys in, as a person does in a spreadsheet program."""
    if source.endswith(".xlsx"):
        book = openpyxl.load_workbook(place.folder / source)
        (sheet,) = book.worksheets
        column = [cell.value for cell in sheet[1]].index("servicePrincipalKey") + 1
        for row in range(2, sheet.max_row + 1):
            cell = sheet.cell(row, column)
            cell.value, cell.data_type = f"{CANARY}new-key-{row}", "s"
        book.save(place.folder / target)
        (place.folder / target).chmod(0o600)
        place.inputs.add(place.folder / target)
        return
    text = (place.folder / source).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for number, cells_of_row in enumerate(rows, 2):
        cells_of_row["servicePrincipalKey"] = f"{CANARY}new-key-{number}"
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    place.write(target, written.getvalue())


def shown(path: Path) -> list[tuple[str, ...]]:
    """What our reader sees of the columns that make a connection what it is."""
    sheet = open_sheet(str(path))
    try:
        columns = [one for one in SHOWN_COLUMNS if one not in {Column.ORG, Column.SANDBOX}]
        return [tuple(str(row.cells[one]) for one in columns) for row in sheet.rows()]
    finally:
        sheet.close()


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_round_trip(place: Place, practice: Practice, form: str) -> None:
    """Export, fill the keys in, run in another org and sandbox, export there: the same connections."""
    place.environ.update(dict.fromkeys(practice.environment(), ""))
    place.environ.update(SECRETS_OF_TWO)
    place.settings(practice.two_orgs())
    rows = [
        cells(number, org="acme", name=name, description=f"{name}; data")
        for number, name in enumerate(_NAMES_THAT_RUN, 1)
    ]
    place.sheet(rows)
    assert place.run("run", "clients.csv", *FAST).code == 0
    there = ("--org", "beta", "--sandbox", "stage")

    first = place.run("export", f"first.{form}", "--org", "acme", "--sandbox", "dev", *FAST)
    filled(place, f"first.{form}", f"filled.{form}")
    unfilled = place.run("plan", f"first.{form}", *there, *FAST)
    ran = place.run("run", f"filled.{form}", *there, *FAST)
    second = place.run("export", f"second.{form}", *there, *FAST)
    drift = place.run("export", "--against", f"filled.{form}", *there, *FAST)

    assert (first.code, ran.code, second.code, drift.code) == (0, 0, 0, 0), (ran, drift)
    assert unfilled.code == 3
    before, after = shown(place.folder / f"first.{form}"), shown(place.folder / f"second.{form}")
    assert sorted(before) == sorted(after)
    assert len(before) == len(_NAMES_THAT_RUN)
    names = {one.name for one in practice.connections() if one.org_id == BETA}
    assert names == set(_NAMES_THAT_RUN)
    assert {one.sandbox for one in practice.connections() if one.org_id == BETA} == {"stage"}
    # Where each came from, and its id there, stand in the report of the run.
    results = place.table("results.csv")
    assert {(row["from_org"], row["from_sandbox"]) for row in results} == {("acme", "dev")}
    ids = {one.id for one in practice.connections() if one.org_id == ACME}
    assert {row["connection_id_sheet"] for row in results} == ids


_NAMES_THAT_RUN = (
    "Acme, Inc.",
    'The "Quoted" Shop',
    "=HYPERLINK(1)",
    "'=already quoted",
    "+49 30 1234",
    "007",
    "Größe Süd 😀",
    "<b>&amp;</b>",
)
"""Odd, and yet no rule of ours refuses them."""


def test_five_thousand_connections_there_and_back(place: Place, practice: Practice) -> None:
    """Every visible cell the same in CSV and in XLSX, below 300 MB, reading and writing."""
    names = [f"{name}{number}{name}" for number, name in enumerate(islice(cycle(_ODD_NAMES), MANY))]
    planted = [
        Planted(
            org_id=ACME,
            sandbox="dev",
            name=name,
            description=f"{name} bc1-{'a' * 26}" if number % 2 else None,
            params={
                "endpoint": f"https://c{number % 7}.westeurope.kusto.windows.net",
                "database": f"{number:05}",
                "tenant": "contoso.onmicrosoft.com",
                "servicePrincipalId": f"0d1ff3c1-7c0a-4b0e-9d7e-{number:012x}",
            },
            age_s=2.0 * (MANY - number),
        )
        for number, name in enumerate(names)
    ]
    practice.ask(lambda simulator: simulator.plant(*planted))
    expected = [
        (
            one.name,
            one.name if one.description else "",
            *(str(one.params[column.value]) for column in SHOWN_COLUMNS[2:6]),
        )
        for one in planted
    ]

    for form in ("csv", "xlsx"):
        out = f"out.{form}"
        done, peak_mib = measured(place, "export", out, "--sandbox", "dev", *FAST)
        assert done.code == 0, done
        assert peak_mib < MOST_MIB
        assert shown(place.folder / out) == expected

        done, peak_mib = measured(place, "export", "--against", out, "--sandbox", "dev", *FAST)
        assert done.code == 0, done
        assert "5000 rows: no drift" in done.out
        assert peak_mib < MOST_MIB


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_no_file(
    place: Place, practice: Practice, signum: signal.Signals, code: int
) -> None:
    """It only reads, so there is nothing to put in order."""
    practice.ask(lambda simulator: setattr(simulator, "latency_s", (60.0, 60.0)))
    running = place.start("export", "out.csv", "--sandbox", "dev", *FAST)
    until(lambda: practice.journal() or running.process.poll() is not None)

    running.send(signum)

    assert running.done().code == code
    assert [path.name for path in place.folder.iterdir()] == []
