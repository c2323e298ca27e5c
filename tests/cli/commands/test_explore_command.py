"""`explore`: the tables of each connection of a run; customers' records are never asked for."""

import csv
import io
import signal
import stat
from pathlib import Path

import orjson
import pytest

from batchconnect.cli.commands import explore
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Answer, Request
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import FAST, CommandLine, cells, many, signalled


def table(batchconnect: CommandLine, run_id: str) -> list[dict[str, str]]:
    """`tables.csv` of a run."""
    text = (batchconnect.folder / "reports" / run_id / "tables.csv").read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def lines(batchconnect: CommandLine, run_id: str) -> list[dict[str, object]]:
    """`tables.jsonl` of a run."""
    path = batchconnect.folder / "reports" / run_id / "tables.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def ran(batchconnect: CommandLine, *rows: dict[str, str], name: str = "clients.csv") -> str:
    """Run a sheet of these rows; the run's id."""
    done = batchconnect("run", batchconnect.sheet(rows or many(3), name), "--json", *FAST)
    assert done.code in {0, 4}, done
    return str(done.json["run_id"])


def explored(practice: Practice) -> list[str]:
    """The queries of all explorations."""
    return [one.query for one in practice.journal() if one.path.endswith("/explore")]


@pytest.mark.parametrize("shape", ["array", "items"])
def test_the_tables_of_each_connection(
    batchconnect: CommandLine, practice: Practice, shape: str
) -> None:
    """In both shapes that the service has; the files are for their owner alone."""
    practice.ask(lambda simulator: setattr(simulator.habits, "explore_shape", shape))
    run_id = ran(batchconnect)

    done = batchconnect("explore", *FAST)

    assert done.code == 0, done
    rows = table(batchconnect, run_id)
    assert [(row["row"], row["path"], row["name"]) for row in rows] == [
        (number, path, name)
        for number in ("2", "3", "4")
        for path, name in (("Events", "Events"), ("PageViews", "Page Views"))
    ]
    ids = {one.name: one.id for one in practice.connections()}
    assert rows[0]["connection_id"] == ids["Client 001"]
    assert {row["error_code"] for row in rows} == {""}
    assert {row["maybe_cut"] for row in rows} == {"no"}
    assert "row 2 Client 001: 2 tables" in done.out
    assert "3 connections, 6 tables" in done.out
    for name in ("tables.csv", "tables.jsonl"):
        path = batchconnect.folder / "reports" / run_id / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines(batchconnect, run_id)[0] == {
        "row": 2,
        "connection_id": ids["Client 001"],
        "path": "Events",
        "name": "Events",
        "columns": None,
        "maybe_cut": False,
        "error_code": None,
        "sheet": "clients.csv",
        "worksheet": "",
    }


def test_columns_with_their_types_and_never_a_preview(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """One request per table; a preview would bring customers' records."""
    run_id = ran(batchconnect, cells(1))

    done = batchconnect("explore", "--columns", *FAST)

    assert done.code == 0, done
    rows = table(batchconnect, run_id)
    assert [(row["path"], row["column"], row["type"]) for row in rows] == [
        (path, name, "string")
        for path in ("Events", "PageViews")
        for name in ("Timestamp", "Tenant")
    ]
    asked = sorted(explored(practice))
    assert asked == [
        "objectType=root",
        "objectType=table&object=Events",
        "objectType=table&object=PageViews",
    ]
    assert not any("preview" in query.lower() for query in asked)
    columns = [
        {"name": "Timestamp", "type": "string"},
        {"name": "Tenant", "type": "string"},
    ]
    assert [line["columns"] for line in lines(batchconnect, run_id)] == [columns, columns]


def test_nothing_is_changed(batchconnect: CommandLine, practice: Practice) -> None:
    """Only GETs, and no run is opened."""
    run_id = ran(batchconnect)
    since = practice.mark()

    batchconnect("explore", "--columns", *FAST)

    sent = {one.method for one in practice.journal(since=since) if "/ims/" not in one.path}
    assert sent == {"GET"}
    assert [one["run_id"] for one in batchconnect("runs", "--json").json["runs"]] == [run_id]


def test_a_connection_that_the_source_refuses_is_told_with_its_code(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Microsoft's own, with what to do; the others are explored: exit 4."""
    run_id = ran(
        batchconnect,
        cells(1),
        cells(2, servicePrincipalKey="canary~wrong-at-test-7000222"),
    )

    done = batchconnect("explore", *FAST)

    rows = table(batchconnect, run_id)
    assert done.code == 4
    assert [(row["row"], row["path"], row["error_code"]) for row in rows] == [
        ("2", "Events", ""),
        ("2", "PageViews", ""),
        ("3", "", "AADSTS7000222"),
    ]
    assert "1 connection: AADSTS7000222: The key has expired" in done.out
    assert "-> Make a new key in Entra." in done.out


def test_a_connection_that_is_gone(batchconnect: CommandLine, practice: Practice) -> None:
    run_id = ran(batchconnect, cells(1))
    (one,) = practice.connections()
    practice.ask(lambda simulator: simulator.others.delete(one.id))

    done = batchconnect("explore", *FAST)

    assert done.code == 4
    assert [row["error_code"] for row in table(batchconnect, run_id)] == ["not_found"]


def test_a_list_that_may_be_cut_says_so(batchconnect: CommandLine, practice: Practice) -> None:
    """Of exactly 100 tables there may be more."""
    run_id = ran(batchconnect, cells(1))
    names = [f"T{number}" for number in range(100)]
    practice.ask(lambda simulator: setattr(simulator.habits, "tables", names))

    done = batchconnect("explore", *FAST)

    assert done.code == 0
    assert "100 tables, maybe more: the list may be cut" in done.out
    assert {row["maybe_cut"] for row in table(batchconnect, run_id)} == {"yes"}


def test_a_connection_without_tables_has_a_line_too(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = ran(batchconnect, cells(1))
    practice.ask(lambda simulator: setattr(simulator.habits, "tables", []))

    done = batchconnect("explore", "--columns", *FAST)

    (row,) = table(batchconnect, run_id)
    assert done.code == 0
    assert (row["row"], row["path"], row["error_code"]) == ("2", "", "")


def test_columns_that_cannot_be_read(batchconnect: CommandLine, practice: Practice) -> None:
    """Each table is told with its code; its name stands all the same."""
    run_id = ran(batchconnect, cells(1))
    practice.script = lambda request: (
        Decision(
            apply_after_s=None, reply=Instead(answer=Answer(status=200, headers=(), body=b"{}"))
        )
        if request.first("object") == "Events"
        else None
    )

    done = batchconnect("explore", "--columns", *FAST)

    rows = table(batchconnect, run_id)
    assert done.code == 4
    assert [(row["name"], row["column"], row["error_code"]) for row in rows] == [
        ("Events", "", "no_items"),
        ("Page Views", "Timestamp", ""),
        ("Page Views", "Tenant", ""),
    ]
    assert "1 table without columns: no_items" in done.out


def test_a_refusal_that_all_would_meet_is_met_once(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The lane's other connections get the same answer unasked; where all are refused: exit 7."""
    run_id = ran(batchconnect)
    practice.ask(lambda simulator: simulator.deny(ACME, "403025"))

    done = batchconnect("explore", "--concurrency", "1", *FAST)

    assert done.code == 7
    assert [row["error_code"] for row in table(batchconnect, run_id)] == ["403025"] * 3
    assert len(explored(practice)) == 1


def test_one_of_two_orgs_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """The other one is explored: exit 4."""
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO)
    batchconnect.write("batchconnect.toml", practice.two_orgs())
    run_id = ran(batchconnect, cells(1, org="acme"), cells(2, org="beta"))
    practice.ask(lambda simulator: simulator.deny(BETA, "403025"))

    done = batchconnect("explore", *FAST)
    chosen = batchconnect("explore", "--org", "acme", "--json", *FAST)

    assert done.code == 4
    assert chosen.code == 0
    assert [one["org"] for one in chosen.json["connections"]] == ["acme"]
    assert chosen.json["connections"][0]["tables"] == 2
    assert {row["row"] for row in table(batchconnect, run_id)} == {"2"}


def test_the_newest_run_or_the_one_that_was_named(
    batchconnect: CommandLine, practice: Practice
) -> None:
    first = ran(batchconnect, cells(1))
    second = ran(batchconnect, cells(2), name="more.csv")

    newest = batchconnect("explore", "--json", *FAST)
    named = batchconnect("explore", first, "--json", *FAST)
    unknown = batchconnect("explore", "1999", *FAST)

    assert (newest.json["run_id"], named.json["run_id"]) == (second, first)
    assert unknown.code == 2


def test_rows_without_a_connection_are_not_asked_about(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A run that made nothing has nothing to explore."""
    batchconnect("run", batchconnect.sheet([cells(1, endpoint="nowhere")]), *FAST)

    done = batchconnect("explore", *FAST)

    assert done.code == 0
    assert "0 connections, 0 tables" in done.out


def test_without_a_ledger(batchconnect: CommandLine, practice: Practice) -> None:
    """Exit 5, and nothing is asked."""
    done = batchconnect("explore", *FAST)

    assert done.code == 5
    assert practice.journal() == []


def test_a_run_of_another_service_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """Its ids mean nothing there: exit 5, nothing is asked."""
    ran(batchconnect, cells(1))
    before = practice.mark()
    batchconnect.setenv(
        BATCHCONNECT_PLATFORM_URL="https://platform.example.com",
        BATCHCONNECT_IMS_URL="https://ims.example.com",
    )

    done = batchconnect(
        "explore", "--allow-host", "platform.example.com", "--allow-host", "ims.example.com", *FAST
    )

    assert done.code == 5
    assert "and the settings name platform.example.com" in done.err
    assert practice.mark() == before


@pytest.mark.parametrize(
    ("signum", "code", "why"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_stop_keeps_what_was_read(
    batchconnect: CommandLine, practice: Practice, signum: signal.Signals, code: int, why: str
) -> None:
    """And names the rest: the first connection was answered, the second is slow, the third not asked."""
    run_id = ran(batchconnect)
    asked: list[str] = []

    def script(request: Request) -> None:
        if request.path.endswith("/explore"):
            asked.append(request.path)
            practice.simulator.habits.explore_s = 0.0 if len(asked) == 1 else 60.0

    practice.script = script
    with signalled(signum, when=lambda: len(asked) == 2):
        done = batchconnect("explore", "--concurrency", "1", "--json", *FAST)

    assert done.code == code
    assert done.json["stopped"] == why
    assert [row["error_code"] for row in table(batchconnect, run_id)] == ["", "", why, why]
    assert len(asked) == 2


def test_a_folder_that_cannot_be_written(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half of a file is left, and the earlier one stands."""
    run_id = ran(batchconnect, cells(1))
    folder = batchconnect.folder / "reports" / run_id
    (folder / "tables.csv").mkdir()

    done = batchconnect("explore", *FAST)

    assert done.code == 1
    assert "tables.csv could not be written" in done.err
    assert not [path for path in folder.iterdir() if path.name.startswith(".tables")]


def test_a_table_of_a_formula_is_quoted(batchconnect: CommandLine, practice: Practice) -> None:
    """A spreadsheet opens `tables.csv`; `tables.jsonl` has the name as it is."""
    run_id = ran(batchconnect, cells(1))
    practice.ask(lambda simulator: setattr(simulator.habits, "tables", ["=cmd()"]))

    batchconnect("explore", *FAST)

    assert [row["name"] for row in table(batchconnect, run_id)] == ["'=cmd()"]
    assert [line["name"] for line in lines(batchconnect, run_id)] == ["=cmd()"]


def test_a_table_that_is_called_like_a_key_is_not_named(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Whoever's it is; it is counted."""
    run_id = ran(batchconnect, cells(1))
    key = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."
    practice.ask(lambda simulator: setattr(simulator.habits, "tables", ["Events", key]))

    done = batchconnect("explore", "--columns", *FAST)

    assert [row["name"] for row in table(batchconnect, run_id)][-1] == "…"
    assert key not in (done.out + done.err + repr(lines(batchconnect, run_id)))


def test_folders_stay_as_they_were(batchconnect: CommandLine, practice: Practice) -> None:
    """`latest` leads where it led, and the reports are untouched."""
    first = ran(batchconnect, cells(1))
    second = ran(batchconnect, cells(2), name="more.csv")
    report = (batchconnect.folder / "reports" / first / "results.csv").read_bytes()

    batchconnect("explore", first, *FAST)

    assert (batchconnect.folder / "reports" / "latest").resolve().name == second
    assert (batchconnect.folder / "reports" / first / "results.csv").read_bytes() == report
    assert Path(batchconnect.folder / "reports" / first / "tables.csv").is_file()


def test_an_answer_that_makes_no_sense_is_told_with_what_to_do(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Only reading failed: nobody has to correct a row."""
    run_id = ran(batchconnect, cells(1))
    practice.script = lambda request: (
        Decision(
            apply_after_s=None, reply=Instead(answer=Answer(status=200, headers=(), body=b"{}"))
        )
        if request.path.endswith("/explore")
        else None
    )

    done = batchconnect("explore", *FAST)

    assert done.code == 4
    assert [row["error_code"] for row in table(batchconnect, run_id)] == ["no_items"]
    assert "-> Nothing was changed: give the same command again." in done.out


def test_many_connections_do_not_fill_the_screen(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files have all of them."""
    monkeypatch.setattr(explore, "_MOST_SHOWN", 1)
    ran(batchconnect)

    done = batchconnect("explore", *FAST)

    assert "row 2 Client 001: 2 tables\nand 2 more: tables.csv has all of them" in done.out


def test_a_connection_that_undo_deleted_is_not_asked_about(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The ledger knows."""
    run_id = ran(batchconnect, cells(1))
    undone = batchconnect("undo", run_id, "--yes", "1", *FAST)

    done = batchconnect("explore", run_id, *FAST)

    assert undone.code == 0, undone
    assert "0 connections, 0 tables" in done.out
    assert explored(practice) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[orgs.other]", "row 2 has its connection in the org acme, which is not in the settings"),
        ("[orgs.acme]", "is another one now"),
    ],
)
def test_a_run_of_an_org_that_is_not_the_settings(
    batchconnect: CommandLine, practice: Practice, settings: str, told: str
) -> None:
    """Exit 2, and nothing is asked of anybody else."""
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO)
    text = practice.two_orgs()
    batchconnect.write("batchconnect.toml", text)
    ran(batchconnect, cells(1, org="acme"))
    other = text.split("[orgs.beta]")[0].replace("[orgs.acme]", settings).replace(ACME, BETA)
    batchconnect.write("batchconnect.toml", other)

    done = batchconnect("explore", *FAST)

    assert done.code == 2
    assert told in done.err
    assert explored(practice) == []
