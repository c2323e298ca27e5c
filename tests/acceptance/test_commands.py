"""What every command promises: JSON, exit codes, and a sentence for each wrong setting or sheet."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import orjson
import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Instead
from tests.acceptance.place import CANARY, INPUTS, Place, cells, many, until
from tests.acceptance.practice import ACME, Practice

pytestmark = pytest.mark.acceptance

# Help -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_first_answer_imports_nothing_heavy(place: Place, option: str) -> None:
    """They answer at once: aiohttp, pandas and the like are not imported for them."""
    done = place.run(option, python=("-X", "importtime", "-m", "batchconnect"))
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}

    assert done.code == 0
    assert "batchconnect.cli.app" in imported
    heavy = {"aiohttp", "pandas", "numpy", "pydantic", "anyio", "orjson"}
    assert heavy & imported == set()


# JSON -------------------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(place: Place, practice: Practice) -> None:
    """Of every command, whatever warnings there are."""
    sheet = place.sheet([*many(2), cells(3, database="odd_name")])
    sheet.chmod(0o644)
    commands = (
        ("template", "new.csv"),
        ("template",),
        ("validate", sheet),
        ("orgs", "--sandbox", "dev"),
        ("plan", sheet),
        ("run", sheet, "--rate", "20", "--log-json"),
        ("rerun",),
        ("reconcile",),
        ("runs",),
        ("status",),
        ("report",),
    )
    told = place.run_each(*((*command, "--json") for command in commands))
    for command, done in zip(commands, told, strict=True):
        assert done.code == 0, (command, done)
        assert isinstance(done.json, dict), command


def test_json_is_one_document_in_trouble_too(place: Place) -> None:
    """With the exit code, also where the command line itself is wrong."""
    place.write("empty.csv", b"")
    commands = (
        (2, ("run", str(INPUTS / "tenants.csv"))),
        (3, ("validate", "missing.csv")),
        (3, ("run", "empty.csv", "--simulate")),
        (5, ("status",)),
        (2, ("run", "empty.csv", "--no-such-option")),
        (2, ("simulate", "--fault", "earthquake")),
    )
    told = place.run_each(*((*command, "--json") for _, command in commands))
    for (code, command), done in zip(commands, told, strict=True):
        assert code == done.code, (command, done)
        assert code == done.json["exit_code"], (command, done)


def test_simulate_serves_other_clients_until_it_is_ended(place: Place) -> None:
    """Its document holds the environment that a run against it needs; SIGTERM ends it with 0."""
    serving = place.start("simulate", "--json")
    until(lambda: serving.said.rstrip().endswith("}"))
    environment = orjson.loads(serving.said)["environment"]
    run = place.run("run", place.sheet(many(2)), "--rate", "20", env=environment)
    serving.process.terminate()

    assert run.code == 0, run
    assert serving.done().code == 0


# Exit codes -------------------------------------------------------------------------------------------


def test_an_unexpected_error_is_one_sentence(place: Place, practice: Practice) -> None:
    """Exit 1, no traceback, no local variable: not even where the error's own text holds a secret."""
    crash = f"""
import sys
from batchconnect.run import batch
from batchconnect.__main__ import main
def crash(self, *rest, **more):
    secret = "{CANARY}local"
    raise RuntimeError("{CANARY}in the text")
batch.Batch.run = crash
sys.argv[0] = "batchconnect"
main()
"""
    done = place.run("run", place.sheet(many(1)), "-v", "--json", python=("-c", crash))

    assert done.code == 1, done
    assert "Traceback" not in done.err
    assert "RuntimeError" in done.json["error"]


def test_a_crash_inside_a_row_is_that_rows_alone(place: Place, practice: Practice) -> None:
    """Fault 26: the row is in doubt, for it may have left; its siblings are created; exit 6 or 0."""
    crash = f"""
import sys
from batchconnect.lane import lane
from batchconnect.__main__ import main
create = lane.Lane.create
async def crash(self, connection):
    if connection.row == 3:
        raise RuntimeError("{CANARY}in the text")
    return await create(self, connection)
lane.Lane.create = crash
main()
"""
    sheet = place.sheet(many(4))
    pace = ("--rate", "20", "--settle", "0.5", "--on-doubt", "hold")
    done = place.run("run", sheet, *pace, python=("-c", crash))

    assert done.code == 6, done
    assert place.statuses() == {"created": 3, "in_doubt": 1}
    again = place.run("run", sheet, "--rate", "20", "--settle", "0.5")
    assert again.code == 0, again
    assert len(practice.connections()) == 4


def test_a_canary_stops_as_asked_and_the_next_run_takes_the_rest(
    place: Place, practice: Practice
) -> None:
    """`--max-rows`: exit 8."""
    sheet = place.sheet(many(4))
    canary = place.run("run", sheet, "--max-rows", "2", "--rate", "20")
    rest = place.run("run", sheet, "--rate", "20")

    assert canary.code == 8, canary
    assert rest.code == 0, rest
    assert len(practice.creates()) == 4
    assert place.statuses() == {"created": 2, "existing": 2}


def test_too_many_failures_stop_the_run(place: Place, practice: Practice) -> None:
    """`--max-failures`: exit 7; what was not begun says why."""
    refusal = Instead(answer=answers.invalid("1304-400", "mandatory field missing"))
    fate = Decision(apply_after_s=None, reply=refusal)
    practice.script = lambda request: fate if request.is_create else None
    done = place.run("run", place.sheet(many(8)), "--max-failures", "2", "--concurrency", "2")
    statuses = place.statuses()

    assert done.code == 7, done
    assert 2 <= statuses["failed"] < 8
    assert sum(statuses.values()) == 8


def test_rows_are_chosen_by_only_and_blank_cells_are_filled(
    place: Place, practice: Practice
) -> None:
    """`--only sandbox=` leaves the others out, and that is no failure."""
    rows = [cells(1, sandbox=""), cells(2, sandbox="dev"), cells(3, sandbox="prod")]
    sheet = place.sheet(rows)
    done = place.run("run", sheet, "--sandbox", "stage", "--only", "sandbox=stage", "--rate", "20")

    assert done.code == 0, done
    assert [one.sandbox for one in practice.connections()] == ["stage"]


# Settings ---------------------------------------------------------------------------------------------

GOOD = f'[orgs.acme]\norg_id = "{ACME}"\nclient_id = "client-acme"\n'
BETA = f'[orgs.beta]\norg_id = "{ACME}"\nclient_id = "y"\nclient_secret = "env:S"\n'
HERE, THERE = (f'platform_url = "http://{host}:1"\n' for host in ("127.0.0.1", "localhost"))
WRONG_FILES = {
    "no secret": (GOOD, ("client_secret", "[orgs.acme]", "BATCHCONNECT_ORGS__ACME__CLIENT_SECRET")),
    "variable not set": (f'{GOOD}client_secret = "env:NOT_SET"\n', ("client_secret", "is not set")),
    "file not there": (f'{GOOD}client_secret = "file:nowhere"\n', ("client_secret", "cannot be opened")),
    "no org id": ('[orgs.acme]\nclient_id = "x"\n', ("org_id", "[orgs.acme]")),
    "org id without its end": ('[orgs.acme]\norg_id = "ABC"\nclient_id = "x"\n', ("org_id", "@AdobeOrg")),
    "unknown setting": (f'{GOOD}sandbx = "dev"\n', ("sandbx", "sandbox")),
    "a rate that is none": (f'{GOOD}rate = "fast"\n', ("rate", "number")),
    "no TOML": ("[orgs.acme\n", ("TOML", "line 1")),
    "plain http": (f'{GOOD}client_secret = "env:S"\nplatform_url = "http://adobe.example"\n', ("platform_url", "https")),
    "a foreign host": (f'{GOOD}client_secret = "env:S"\nplatform_url = "https://adobe.example"\n', ("platform_url", "--allow-host")),
    "two hosts": (f'{GOOD}client_secret = "env:S"\n{HERE}{BETA}{THERE}', ("127.0.0.1", "localhost")),
    "one alias for two": (f'{GOOD}client_secret = "env:S"\naliases = ["Zoo"]\n{BETA}aliases = ["zoo"]\n', ("zoo", "beta")),
}  # fmt: skip
"""A settings file, and the words that its message has to hold."""


def test_each_wrong_setting_names_itself_its_file_and_its_variable(place: Place) -> None:
    """Exit 2, one sentence, nothing sent."""
    place.environ["S"] = f"{CANARY}client"
    sheet = str(place.sheet(many(1)))
    commands = []
    for name, (text, _) in WRONG_FILES.items():
        path = place.settings(text, f"{name}.toml")
        commands.append(("run", sheet, "--settings", str(path)))
    told = place.run_each(*commands)
    for (name, (_, words)), done in zip(WRONG_FILES.items(), told, strict=True):
        assert done.code == 2, (name, done)
        assert [word for word in words if word.lower() not in done.err.lower()] == [], (name, done)
        assert name in {"one alias for two", "two hosts"} or f"{name}.toml" in done.err, (
            name,
            done,
        )
        assert "Traceback" not in done.err


def test_wrong_variables_and_options_are_named(place: Place) -> None:
    """Exit 2: no org at all, both ways at once, an option that cannot be meant, a file of others."""
    sheet = place.sheet(many(1))
    none = place.run("run", sheet)
    place.environ.update(
        BATCHCONNECT_ORG_ID=ACME, BATCHCONNECT_CLIENT_ID="x", BATCHCONNECT_CLIENT_SECRET="y"
    )
    wrong = place.run_each(
        ("run", str(sheet), "--only", "planet=mars"),
        ("run", str(sheet), "--max-failures", "many"),
        ("run", str(sheet), "--fault", "badday"),
        ("run", str(sheet), "--settings", "missing.toml"),
        ("status", "--settings", "missing.toml"),
    )
    both = place.settings(GOOD, "batchconnect.toml")
    beside = place.run("run", sheet)
    both.chmod(0o666)
    of_others = place.run("run", sheet)

    assert none.code == 2, none
    assert "BATCHCONNECT_ORG_ID" in none.err
    assert "batchconnect init" in none.err
    assert [done.code for done in wrong] == [2] * 5, wrong
    for word, done in zip(
        ("--only", "--max-failures", "--simulate", "missing.toml", "missing.toml"),
        wrong,
        strict=True,
    ):
        assert word in done.err, done
    assert beside.code == 2, beside
    assert "BATCHCONNECT_ORG_ID" in beside.err
    assert "[orgs.acme]" in beside.err
    assert of_others.code == 2, of_others
    assert "chmod go-w" in of_others.err


# Sheets -----------------------------------------------------------------------------------------------

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,sandbox\n"
ROW = (
    "Müller,https://contoso.westeurope.kusto.windows.net,db,contoso.onmicrosoft.com,"
    f"0d1ff3c1-7c0a-4b0e-9d7e-000000000001,{CANARY}key,dev\n"
)


def zip_bomb() -> bytes:
    """A workbook whose sheet unpacks to a gigabyte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("xl/worksheets/sheet1.xml", "w") as member:
            for _ in range(1024):
                member.write(b" " * (1 << 20))
        archive.writestr("[Content_Types].xml", "<Types/>")
    return packed.getvalue()


def far_cell() -> bytes:
    """Cell XFD1048576, which a naive reader fills a table for."""
    book = openpyxl.Workbook()
    book.worksheets[0]["A1"] = "name"
    book.worksheets[0]["XFD1048576"] = "x"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


BAD_SHEETS: dict[str, tuple[bytes | Callable[[], bytes], tuple[str, ...]]] = {
    "cp1252.csv": ((HEADER + ROW).encode("cp1252"), ("--encoding", "cp1252")),
    "quote.csv": ((HEADER + ROW + ROW.replace("Müller", '"Müller')).encode(), ("line 3", "quot")),
    "ragged.csv": ((HEADER + ROW + "only,two\n").encode(), ("line 3", "2")),
    "zero.csv": (b"", ("empty",)),
    "no-header.csv": (ROW.encode(), ("header",)),
    "twice.csv": (HEADER.replace("sandbox", "Name").encode() + ROW.encode(), ("A1", "G1")),
    "missing-column.csv": (HEADER.replace("database", "other").encode() + ROW.encode(), ("database",)),
    "bomb.xlsx": (zip_bomb, ("bomb.xlsx",)),
    "far.xlsx": (far_cell, ("far.xlsx",)),
    "password.xlsx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") + bytes(4096), ("password",)),
    "page.xlsx": (b"<html><table><tr><td>name</td></tr></table></html>", ("HTML",)),
    "zero.xlsx": (b"", ("empty",)),
    "~$lock.xlsx": (b"\x04root" + bytes(160), ("lock",)),
    "table.numbers": (b"PK\x03\x04" + bytes(100), ("numbers",)),
    "text.xlsx": (b"just a text", ("text.xlsx",)),
}  # fmt: skip
"""Faults 40 to 54: a file, and the words that its message has to hold."""


def test_each_bad_sheet_is_a_sentence_that_names_it(place: Place) -> None:
    """Exit 3 by `validate`, no traceback, and no garbled name is ever sent."""
    for name, (content, _) in BAD_SHEETS.items():
        place.write(name, content() if callable(content) else content)
    (place.folder / "folder.csv").mkdir()
    expected = {
        **{name: words for name, (_, words) in BAD_SHEETS.items()},
        "folder.csv": ("folder",),
        "missing.csv": ("missing.csv",),
    }
    told = place.run_each(*(("validate", name, "--simulate") for name in expected))
    for (name, words), done in zip(expected.items(), told, strict=True):
        said = (done.out + done.err).lower()
        assert done.code == 3, (name, done)
        assert [word for word in (name, *words) if word.lower() not in said] == [], (name, done)
        assert "traceback" not in said


def test_a_bad_sheet_runs_no_row(place: Place, practice: Practice) -> None:
    """An unterminated quote at the very end: 0 rows run, exit 3."""
    place.write("quote.csv", HEADER + ROW + ROW.replace("Müller", '"Müller'))
    done = place.run("run", "quote.csv", "--skip-invalid")

    assert done.code == 3, done
    assert practice.creates() == []


def test_an_encoding_that_is_named_is_read(place: Place, practice: Practice) -> None:
    """`--encoding cp1252`: the umlaut arrives, and so it does with a UTF-16 mark."""
    place.write("a.csv", (HEADER + ROW).encode("cp1252"))
    place.write("b.csv", (HEADER + ROW.replace("Müller", "Jörg")).encode("utf-16"))
    one = place.run("run", "a.csv", "--encoding", "cp1252", "--rate", "20")
    other = place.run("run", "b.csv", "--rate", "20")

    assert (one.code, other.code) == (0, 0), (one, other)
    assert [made.name for made in practice.connections()] == ["Müller", "Jörg"]


def test_the_template_can_be_filled_in_and_run(place: Place) -> None:
    """Written once, never over what stands there; its example row is valid but for the key."""
    made = place.run("template", "mine.csv")
    over = place.run("template", "mine.csv")
    checked = place.run("validate", "mine.csv", "--simulate")

    assert made.code == 0, made
    assert over.code == 2, over
    assert checked.code in {0, 3}, checked
    assert Path(place.folder / "mine.csv").stat().st_mode & 0o077 == 0
