"""
A key where none belongs, through every command: in no file, in no name of a folder, in no output.

The sheet itself is the person's own file; all else that is said and written is searched.
"""

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.place import COLUMNS
from tests.command_line import FAST, CommandLine, Done, cells
from tests.fast_lane import few

ENTRA = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."
OWN = "bonbon-Secret1"
OTHER = "another-Key-77aa"
LOWER = "summerrain"
"""A key of no shape at all."""
SIMULATED = ("--simulate", "--org", "acme", "--sandbox", "dev")
Cells = Mapping[str, Any]


def row(number: int, **changed: Any) -> dict[str, Any]:
    """Of two rows the second has another key."""
    keys = {1: OWN, 2: OTHER}
    return cells(number, **{"servicePrincipalKey": keys.get(number, ENTRA), **changed})


def csv_of(*rows: Cells) -> str:
    """With every column that a row names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, dict.fromkeys([*COLUMNS, *(k for one in rows for k in one)]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def typed(*cells_: str) -> str:
    """A line as it is, below a healthy row."""
    return csv_of(row(1)) + ",".join(cells_) + "\n"


def found(place: CommandLine, sheet: Path, said: list[Done]) -> list[str]:
    """Where a key stands."""
    texts = [("stdout or stderr", done.out + done.err) for done in said]
    for path in place.folder.rglob("*"):
        texts.append(("a name", str(path.relative_to(place.folder))))
        if path.is_file() and not path.is_symlink() and path.name != sheet.name:
            texts.append((path.name, _content(path)))
    return [
        f"{key} in {where}: {text[max(0, text.find(key) - 80) :][:160]}"
        for where, text in texts
        for key in (ENTRA, ENTRA[5:20], OWN, OTHER, LOWER)
        if key in text
    ]


def _content(path: Path) -> str:
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8", errors="replace")
    with zipfile.ZipFile(path) as parts:
        return "\n".join(parts.read(name).decode() for name in parts.namelist())


def everything(
    place: CommandLine, sheet: Path, *options: str, note: str = ""
) -> tuple[list[Done], list[str]]:
    """What each command says of a sheet, and where a key stands then."""
    noted = ("--note", note) if note else ()
    commands = (
        ("validate", sheet, "--json", *SIMULATED),
        ("validate", sheet, *SIMULATED, "--annotate", "annotated.xlsx"),
        ("plan", sheet, "--json", *SIMULATED, *noted),
        ("plan", sheet, *SIMULATED, *noted),
        ("run", sheet, *SIMULATED, *noted, *FAST, "--json", "-v"),
        ("run", sheet, *SIMULATED, *noted, *FAST, "--skip-invalid", "--log-json"),
        ("report", "--by", "org", "--simulate"),
        ("report", "--json", "--simulate"),
        ("status", "--json", "--simulate"),
        ("runs", "--json", "--simulate"),
    )
    said = [place(*command) for command in commands]
    return said, found(place, sheet, said)


WRONG_COLUMNS = [
    {column: key} for column in COLUMNS if column != "servicePrincipalKey" for key in (ENTRA, OTHER)
]


def test_a_key_in_another_column_of_ours(batchconnect: CommandLine) -> None:
    """Each column with the row's own key and with one of Entra's shape: refused by its length."""
    rows = [row(1)]
    for number, wrong in enumerate(WRONG_COLUMNS, start=2):
        rows.append(row(number, servicePrincipalKey=OTHER, **wrong))
    sheet = batchconnect.write("clients.csv", csv_of(*rows))
    said, leaks = everything(batchconnect, sheet)

    assert leaks == []
    assert [done.code for done in said[:6]] == [3, 3, 3, 3, 3, 4]
    assert said[0].json["rejected"] == len(WRONG_COLUMNS)


@pytest.mark.parametrize(
    "title",
    few(["пароль", "account manager", "cred", "backup", "x" * 90, "1"], 1),
)
@pytest.mark.parametrize("text", [OTHER, f"was {ENTRA} before"])
def test_a_key_in_a_carried_column(batchconnect: CommandLine, title: str, text: str) -> None:
    """Of any header: the whole column stays out, with a warning; the others are carried."""
    rows = (row(1, manager="Ann"), row(2, manager="Bob", **{title: text}))
    sheet = batchconnect.write("clients.csv", csv_of(*rows))
    said, leaks = everything(batchconnect, sheet)

    assert leaks == []
    assert [done.code for done in said[:6]] == [0] * 6
    assert "Ann" in (Path("reports/simulated/latest").resolve() / "results.csv").read_text(
        encoding="utf-8-sig"
    )


@pytest.mark.parametrize(
    ("column", "code"), few([("remark", 0), ("name", 3), ("description", 3)], 2)
)
def test_the_key_of_another_row(batchconnect: CommandLine, column: str, code: int) -> None:
    """Of a row below: a carried column stays out, and a cell that would be sent stops the sheet."""
    sheet = batchconnect.write(
        "clients.csv", csv_of(row(1, **{column: f"see {OTHER}"}), row(2), row(3))
    )
    said, leaks = everything(batchconnect, sheet)

    assert leaks == []
    assert [done.code for done in said[:6]] == [code] * 6


@pytest.mark.parametrize("title", few([ENTRA, OTHER, f"key {ENTRA}"], 1))
def test_a_key_as_a_header(batchconnect: CommandLine, title: str) -> None:
    """Of a column that is carried otherwise."""
    sheet = batchconnect.write("clients.csv", csv_of(row(1), row(2, **{title: "x"})))
    _, leaks = everything(batchconnect, sheet)

    assert leaks == []


@pytest.mark.parametrize(
    "name",
    few(
        [
            *(ENTRA, f"clients {ENTRA}", OTHER, f"{OTHER}.old", LOWER, f"{LOWER}.xlsx"),
            *(f"of {LOWER}", f"a/{LOWER}/clients", f"{LOWER}/clients"),
        ],
        3,
    ),
)
@pytest.mark.parametrize("mode", [0o600, 0o644], ids=["silent", "with a warning"])
def test_a_key_in_the_name_of_the_sheet(batchconnect: CommandLine, name: str, mode: int) -> None:
    """Refused by every command, and not repeated, not in a warning either; the person is told to rename it."""
    (batchconnect.folder / name).parent.mkdir(parents=True, exist_ok=True)
    rows = (row(1), row(2), row(3, servicePrincipalKey=LOWER))
    sheet = batchconnect.write(f"{name}.csv", csv_of(*rows))
    (batchconnect.folder / sheet).chmod(mode)
    said, leaks = everything(batchconnect, sheet)

    assert {one for one in leaks if f"in a name: {name.partition('/')[0]}" not in one} == set()
    assert {done.code for done in said[:6]} == {3}
    assert "the name of the sheet's file, folder or tab holds a key" in said[0].err


@pytest.mark.parametrize(
    "name", few(["summerrain-2026", "clients of summer", "2026-11 Acme, Süd"], 1)
)
def test_a_name_without_a_key_stays_as_it_was_typed(batchconnect: CommandLine, name: str) -> None:
    """A short key within a longer word is a word of it: nobody's file is refused for that."""
    rows = (row(1), row(2), row(3, servicePrincipalKey=LOWER))
    sheet = batchconnect.write(f"{name}.csv", csv_of(*rows))
    said, _ = everything(batchconnect, sheet)

    assert {done.code for done in said[:6]} == {0}
    assert said[4].json["sheet"] == f"{name}.csv"


@pytest.mark.parametrize(
    "broken", ["x,y\n", '"never closed', "\0,\n"], ids=["ragged", "quote", "NUL"]
)
def test_a_key_in_the_name_of_a_sheet_that_cannot_be_read_to_its_end(
    batchconnect: CommandLine, broken: str
) -> None:
    """What can be read of it is held against the name, before the error names it."""
    text = csv_of(row(1, servicePrincipalKey=LOWER), row(2)) + broken
    sheet = batchconnect.write(f"{LOWER}.csv", text)
    said, leaks = everything(batchconnect, sheet)

    assert {one for one in leaks if f"in a name: {sheet}" not in one} == set()
    assert {done.code for done in said[:6]} == {3}


def test_a_sheet_that_is_not_there_or_is_none(batchconnect: CommandLine) -> None:
    """Neither is a name of a key's shape repeated where there is something else to say."""
    sheet = batchconnect.write(f"{ENTRA}.csv", "nothing")
    (batchconnect.folder / sheet).chmod(0o644)
    for path in (sheet, Path(f"of {ENTRA}.xlsx"), Path(ENTRA) / "clients.csv"):
        said, _ = everything(batchconnect, path)

        assert {done.code for done in said[:6]} == {3}
        assert ENTRA not in "".join(done.out + done.err for done in said)


@pytest.mark.parametrize("note", [ENTRA, f"rotated {ENTRA}", OTHER])
def test_a_key_as_a_note(batchconnect: CommandLine, note: str) -> None:
    """Refused before anything is written."""
    sheet = batchconnect.write("clients.csv", csv_of(row(1), row(2)))
    said, leaks = everything(batchconnect, sheet, note=note)

    assert leaks == []
    assert [done.code for done in said[:6]] == [0, 0, 2, 2, 2, 2]


MALFORMED = {
    "a cell too many": typed(*map(str, row(2).values()), ENTRA),
    "shifted right": typed("", *map(str, row(2).values())),
    "text behind a quote": typed(f'"Client 2"{ENTRA}', "x"),
    "a quote that is never closed": typed("Client 2", f'"{ENTRA}', OTHER),
    "a NUL": typed("Client 2", f"\0{ENTRA}"),
    "a lone key": typed(ENTRA),
    "no header": "\n".join(",".join(map(str, row(n).values())) for n in (1, 2, 3)),
    "two headers alike": csv_of(row(1)).replace("sandbox", f"sandbox,{ENTRA},{ENTRA}", 1),
    "quotes around the line": csv_of(row(1)) + '"' + ",".join(map(str, row(2).values())) + '"\n',
}


@pytest.mark.parametrize("text", few(MALFORMED.values(), 3), ids=MALFORMED)
def test_a_key_in_a_line_that_cannot_be_read(batchconnect: CommandLine, text: str) -> None:
    """The message names the line, and nothing of it."""
    sheet = batchconnect.write("clients.csv", text)
    said, leaks = everything(batchconnect, sheet)

    assert leaks == []
    assert {done.code for done in said[:5]} == {3}, said[0]
