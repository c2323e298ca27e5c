"""Sheets that are no fault and no work, and what is odd about rows taken together: said by every command."""

import os
import sys

import pytest

from tests.command_line import FAST, CommandLine, cells, many
from tests.fast_lane import few

HERE = ("--simulate", "--org", "acme", "--sandbox", "prod")
COMMANDS = ["validate", "plan", "run"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sheet_with_a_header_only_has_no_rows_yet(
    batchconnect: CommandLine, command: str
) -> None:
    """An honest nightly job: exit 0, and it says so."""
    done = batchconnect(command, batchconnect.sheet([]), *HERE)

    assert done.code == 0
    assert "no rows yet" in done.out


@pytest.mark.parametrize("name", few(["clients.csv", "clients.xlsx"], 1))
@pytest.mark.parametrize("command", COMMANDS)
def test_a_template_that_nobody_filled_in_is_refused(
    batchconnect: CommandLine, command: str, name: str
) -> None:
    """It is not two blank rows and a good end."""
    batchconnect("template", name)

    done = batchconnect(command, name, *HERE)

    assert done.code == 3
    assert "this is still the template" in done.err


def test_a_template_with_one_row_is_a_sheet(batchconnect: CommandLine) -> None:
    """Its own rows may stay."""
    note = cells(1, name="NOT SENT - notes")

    done = batchconnect("validate", batchconnect.sheet([note, cells(2)]), *HERE)

    assert done.code == 0
    assert "1 row, 1 fine" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_ids_that_count_up_are_warned_of_before_anything_is_sent(
    batchconnect: CommandLine, command: str
) -> None:
    """With their cells, by every command; the rows are sent all the same."""
    rows = [
        cells(n, servicePrincipalId=f"0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a{n}") for n in (11, 12, 13)
    ]
    flags = FAST if command != "validate" else ()

    done = batchconnect(command, batchconnect.sheet(rows), *HERE, *flags)

    assert done.code == 0
    said = " ".join(f"{done.out} {done.err}".split())
    assert "warning: F2:F4: servicePrincipalId: in rows 2 to 4" in said
    assert "each value is one higher than the one above" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_row_that_is_none_is_named_once(batchconnect: CommandLine, command: str) -> None:
    """A header in the midst of the rows: `row 26 repeats the header`, and not its number twice."""
    header = {column: column for column in cells(1)}

    done = batchconnect(command, batchconnect.sheet([*many(24), header, cells(25)]), *HERE)

    assert done.code == 3
    said = f"{done.out} {done.err}"
    assert "row 26 repeats the header" in said
    assert "row 26: row 26" not in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("key", "code", "said"),
    few(
        [
            ("<sensitive>", 3, "the secret is"),
            ("System.Security.SecureString", 3, "the secret is"),
            ("***", 3, "the secret is a mask"),
            ("{SERVICE_PRINCIPAL_KEY}", 3, "the secret is a variable"),
            (
                "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/s)",
                3,
                "the secret is a variable",
            ),
            ("x", 3, "the secret is a single character"),
            ('{"clientSecret": "a"}', 3, "the secret is"),
            ("FAKE~key\ufffd.abcdefgh", 3, "the secret"),
            ("abc", 0, "the secret has 3 characters"),
            ("FAKE~key_x0041_.abcdefgh", 0, "the secret holds `_x`"),
            ("'FAKE~key.abcdefgh", 0, "the secret begins with an apostrophe"),
            (" FAKE~key.abcdefgh", 0, "the secret begins or ends with white space"),
            ("0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11", 0, "the secret has the shape of a GUID"),
        ],
        4,
    ),
)
def test_an_odd_key_is_told_by_every_command(
    batchconnect: CommandLine, command: str, key: str, code: int, said: str
) -> None:
    """An error where it surely is none, else a warning; with its cell, and before anything is sent."""
    flags = FAST if command != "validate" else ()

    done = batchconnect(
        command, batchconnect.sheet([cells(1, servicePrincipalKey=key)]), *HERE, *flags
    )

    assert done.code == code, done
    told = " ".join(f"{done.out} {done.err}".split())
    assert f"G2: servicePrincipalKey: {said}" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_refused_cell_is_told_with_its_column(batchconnect: CommandLine, command: str) -> None:
    """A cell's letter says little where the header is far away."""
    done = batchconnect(command, batchconnect.sheet([cells(1, tenant="common")]), *HERE)

    assert done.code == 3
    assert "E2: tenant: " in f"{done.out} {done.err}"


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_ids_that_count_up(batchconnect: CommandLine, command: str) -> None:
    """Nothing is sent."""
    rows = [
        cells(n, servicePrincipalId=f"0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a{n}") for n in (11, 12, 13)
    ]

    done = batchconnect(command, batchconnect.sheet(rows), *HERE, "--strict")

    assert done.code == 3
    assert "3 rejected" in done.out


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_rerun_finds_a_sheet_whose_name_is_no_utf8(batchconnect: CommandLine) -> None:
    """An old share may hold names in cp1252."""
    sheet = batchconnect.sheet(many(3))
    name = os.fsdecode(b"cl\xfcents.csv")
    (batchconnect.folder / sheet).rename(batchconnect.folder / name)
    first = batchconnect("run", name, *HERE, *FAST, "--max-rows", "1")

    again = batchconnect("rerun", "--simulate", *FAST)

    assert (first.code, again.code) == (8, 0)
