"""`export`: what stands in sandboxes becomes a sheet, nothing else goes out, and drift is told."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchconnect.cli.commands import export
from batchconnect.model.errors import UsageError
from batchconnect.model.identity import CONNECTION_SPEC_ID
from batchconnect.reports.new_file import refuse_existing
from batchconnect.run.export import filled_template
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import FAST, CommandLine, cells, many

TARGET = {
    "endpoint": "HTTPS://Contoso.westeurope.kusto.windows.net",
    "database": "Sales 007",
    "tenant": "contoso.onmicrosoft.com",
    "servicePrincipalId": "0D1FF3C1-7C0A-4B0E-9D7E-2F1F6B8F3A11",
}


def planted(name: str, *, org: str = ACME, sandbox: str = "dev", **changes: Any) -> Planted:
    """A connection that somebody made."""
    return Planted(org_id=org, sandbox=sandbox, name=name, **{"params": TARGET, **changes})


def table(path: Path) -> list[dict[str, str]]:
    """A CSV as a program reads it."""
    text = path.read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def use_two_orgs(batchconnect: CommandLine, practice: Practice, *, sandbox: str = "") -> None:
    """The settings of two orgs; the first one may have a default sandbox."""
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO)
    default = f'sandbox = "{sandbox}"\n' if sandbox else ""
    text = practice.two_orgs().replace("[orgs.beta]", f"{default}[orgs.beta]")
    batchconnect.write("batchconnect.toml", text)


def listed(items: Sequence[Mapping[str, Any]]) -> Any:
    """A script of a service whose listing is of these items."""

    def script(request: Request) -> Decision | None:
        if not request.path.endswith("/connections"):
            return None
        is_count = request.first("count") is not None
        body = orjson.dumps({"count": len(items)} if is_count else {"items": items})
        headers = (("Content-Type", "application/json"),)
        answer = Answer(status=200, headers=headers, body=body)
        return Decision(apply_after_s=None, reply=Instead(answer=answer))

    return script


def item(number: int, **changes: Any) -> dict[str, Any]:
    """One connection as a service may list it."""
    return {
        "id": f"f088e4f2-2464-480c-88e4-{number:012}",
        "createdAt": 1_668_637_963_851 + number,
        "imsOrgId": ACME,
        "sandboxName": "dev",
        "name": f"Client {number}",
        "description": "",
        "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": "1.0"},
        "auth": {"params": dict(TARGET)},
        **changes,
    }


# What stands there ------------------------------------------------------------------------------------


def test_what_stands_there_becomes_a_sheet(batchconnect: CommandLine, practice: Practice) -> None:
    """Texts as they are written there, keys and place blank, the oldest first."""
    practice.ask(
        lambda simulator: simulator.plant(
            planted("Second, Inc.", age_s=10),
            planted("=First", description="Süd bc1-abcdefghijklmnopqrstuvwxyz", age_s=20),
            planted("Draft", state="draft"),
        )
    )

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    assert done.code == 0, done
    rows = table(batchconnect.folder / "out.csv")
    assert [row["name"] for row in rows] == ["'=First", "Second, Inc.", "Draft"]
    assert [row["description"] for row in rows] == ["Süd", "", ""]
    assert [row["marker"] for row in rows] == ["yes", "no", "no"]
    assert [row["state"] for row in rows] == ["enabled", "enabled", "draft"]
    assert all(row[column] == text for row in rows for column, text in TARGET.items())
    blank = {row[name] for row in rows for name in ("servicePrincipalKey", "org", "sandbox")}
    assert blank == {""}
    assert {(row["from_org"], row["from_sandbox"]) for row in rows} == {(ACME, "dev")}
    assert len({row["connection_id"] for row in rows}) == 3
    assert f"{ACME} dev: 3 connections, 1 with our marker, 1 draft" in done.out
    assert "fill in the keys, then: batchconnect plan out.csv" in done.out


def test_what_the_service_hides_stays_blank(batchconnect: CommandLine, practice: Practice) -> None:
    """Nothing is guessed."""
    practice.ask(lambda simulator: setattr(simulator, "shown_params", {"database"}))
    practice.ask(lambda simulator: simulator.plant(planted("Acme")))

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    (row,) = table(batchconnect.folder / "out.csv")
    assert done.code == 0
    assert row["database"] == TARGET["database"]
    assert row["endpoint"] == row["tenant"] == row["servicePrincipalId"] == ""


def test_other_kinds_of_connections_are_none_of_ours(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Even where a service lists them."""
    practice.script = listed([item(1), item(2, connectionSpec={"id": "another", "version": "1.0"})])

    done = batchconnect("export", "out.csv", "--sandbox", "dev", "--json", *FAST)

    assert done.json["connections"] == 1
    assert [row["name"] for row in table(batchconnect.folder / "out.csv")] == ["Client 1"]


def test_a_key_that_a_listing_shows_goes_nowhere(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Not as itself, and no text that is it, contains it, or has the shape of one: blanked, and said."""
    key, short = "FAKE-shown-key.of_nobody", "hunter2"
    shaped = "abc8Q~0123456789abcdefghijklmnopqrstu"
    params = {**TARGET, "servicePrincipalKey": key}
    practice.script = listed(
        [
            item(1, auth={"params": params}, name=f"my {key}!", description=key),
            item(2, name="Neighbour", description=f"same as {key}"),
            item(3, auth={"params": {**TARGET, "servicePrincipalKey": short}}, name=short),
            item(4, name="Shaped", description=shaped),
            item(5, auth={"params": {**TARGET, "database": key, "password": "another~secret"}}),
            item(6, auth={"params": {**TARGET, "servicePrincipalKey": "********"}}),
            item(7, name="of another's: another~secret"),
        ]
    )

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    text = (batchconnect.folder / "out.csv").read_text("utf-8-sig")
    rows = table(batchconnect.folder / "out.csv")
    assert done.code == 4
    for secret in (key, short, shaped, "another~secret"):
        assert secret not in text + done.out + done.err
    assert [row["name"] for row in rows] == [
        "",
        "Neighbour",
        "",
        "Shaped",
        "Client 5",
        "Client 6",
        "",
    ]
    assert {row["description"] for row in rows} == {""}
    assert [row["database"] for row in rows].count("") == 1
    assert "row 2: name: it repeats a credential, so it is left blank" in done.err
    assert "row 3: description: it repeats a credential" in done.err


def test_a_text_that_no_cell_holds_is_left_blank_and_said(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """So is a name that every reader would skip as the template's own."""
    practice.script = listed([item(1, name="a\0b"), item(2, name="NOT SENT - a trap")])

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    assert done.code == 4
    assert table(batchconnect.folder / "out.csv")[0]["name"] == ""
    assert "row 2: name: no cell of a sheet holds it" in done.err
    assert "row 3: name: it begins as a row of the template" in done.err


# Which sandboxes --------------------------------------------------------------------------------------


def test_several_orgs_and_sandboxes_make_one_sheet(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Each named sandbox in each named org, in the order in which they were named."""
    use_two_orgs(batchconnect, practice)
    practice.ask(
        lambda simulator: simulator.plant(
            planted("a dev"), planted("b dev", org=BETA), planted("a prod", sandbox="prod")
        )
    )
    names = ("--org", "beta", "--org", "acme", "--sandbox", "prod", "--sandbox", "dev")

    done = batchconnect("export", "out.csv", *names, "--json", *FAST)

    assert done.code == 0
    assert [row["name"] for row in table(batchconnect.folder / "out.csv")] == [
        "b dev",
        "a prod",
        "a dev",
    ]
    read = [(one["org"], one["sandbox"]) for one in done.json["sandboxes"]]
    assert read == [("beta", "prod"), ("beta", "dev"), ("acme", "prod"), ("acme", "dev")]


def test_all_is_every_org_with_its_own_sandbox(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """One without is told, and then not everything was exported."""
    use_two_orgs(batchconnect, practice, sandbox="dev")
    practice.ask(lambda simulator: simulator.plant(planted("a dev")))

    done = batchconnect("export", "out.csv", "--all", *FAST)

    assert done.code == 4
    assert [row["name"] for row in table(batchconnect.folder / "out.csv")] == ["a dev"]
    assert "beta: it has no default sandbox" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("out.csv",), "the settings know 2 orgs, and none is named"),
        (("out.csv", "--org", "beta"), "the org beta has no default"),
        (("out.csv", "--org", "nobody"), "--org names no org of the settings"),
        (("out.csv", "--org", "bet"), "Did you mean beta?"),
        (("out.csv", "--org", "acme", "--sandbox", "Prod "), "--sandbox: this is not a sandbox's"),
        (("out.csv", "--all", "--org", "acme"), "--all and --org contradict each other"),
        (("out.txt", "--all"), "written as .csv or .xlsx"),
        ((), "nothing says where the sheet goes"),
        (("out.csv", "--run", "2026", "--all"), "--run says which connections"),
        (("out.csv", "--against", "x.csv", "--usage"), "--against writes no sheet"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_is_sent(
    batchconnect: CommandLine, practice: Practice, arguments: tuple[str, ...], told: str
) -> None:
    """Exit 2, with what to say instead."""
    use_two_orgs(batchconnect, practice)

    done = batchconnect("export", *arguments, *FAST)

    assert done.code == 2
    assert told in done.err
    assert "hint:" in done.err
    assert practice.journal() == []
    assert not (batchconnect.folder / "out.csv").exists()


def test_an_existing_file_is_refused_before_anything_is_asked(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A person may have filled keys into it."""
    batchconnect.write("out.csv", "mine")

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    assert done.code == 2
    assert "out.csv exists already" in done.err
    assert (batchconnect.folder / "out.csv").read_text() == "mine"
    assert practice.journal() == []


def test_a_link_counts_as_a_file(tmp_path: Path) -> None:
    """Wherever it leads."""
    (tmp_path / "out.csv").symlink_to(tmp_path / "nowhere")

    with pytest.raises(UsageError):
        refuse_existing(tmp_path / "out.csv")


# What cannot be read ----------------------------------------------------------------------------------


def test_a_sandbox_that_cannot_be_read_is_told(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The others are exported: exit 4."""
    use_two_orgs(batchconnect, practice)
    practice.ask(lambda simulator: simulator.plant(planted("a dev")))
    practice.ask(lambda simulator: simulator.deny(BETA, "403025"))

    done = batchconnect("export", "out.csv", "--all", "--sandbox", "dev", *FAST)

    assert done.code == 4
    assert "beta dev: could not be read: 403025" in done.out
    assert [row["name"] for row in table(batchconnect.folder / "out.csv")] == ["a dev"]


def test_where_nothing_can_be_read_nothing_is_written(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Exit 7."""
    practice.ask(lambda simulator: simulator.deny(ACME, "invalid_client"))

    done = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    assert done.code == 7
    assert "nothing could be read, so nothing was written" in done.out
    assert not (batchconnect.folder / "out.csv").exists()


def test_a_listing_that_nothing_proves_has_to_be_accepted(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A cut listing would be a sheet with connections missing."""
    items = [item(number) for number in (1, 2)]
    whole = listed(items)
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=Answer(status=400, headers=(), body=b"")))
        if request.first("count")
        else whole(request)
    )

    refused = batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)
    accepted = batchconnect(
        "export", "out.csv", "--sandbox", "dev", "--accept-unproven-listing", *FAST
    )

    assert refused.code == 7
    assert "unproven_listing" in refused.out
    assert accepted.code == 0
    assert "nothing proves that its listing is whole" in accepted.err
    assert len(table(batchconnect.folder / "out.csv")) == 2


# Usage ------------------------------------------------------------------------------------------------


def test_usage_counts_the_source_connections(batchconnect: CommandLine, practice: Practice) -> None:
    """One question per connection."""
    used, _ = practice.ask(lambda simulator: simulator.plant(planted("used"), planted("free")))
    practice.ask(lambda simulator: [simulator.others.use(used) for _ in range(3)])

    done = batchconnect("export", "out.csv", "--sandbox", "dev", "--usage", *FAST)

    assert done.code == 0
    rows = table(batchconnect.folder / "out.csv")
    assert {row["name"]: row["used_by"] for row in rows} == {"used": "3", "free": "0"}


def test_usage_that_is_refused_stays_blank(batchconnect: CommandLine, practice: Practice) -> None:
    """Asked once, for every connection would meet the same refusal: exit 4."""
    practice.ask(lambda simulator: simulator.plant(*(planted(f"n{i}") for i in range(5))))
    refusal = {"error_code": "403027", "message": "User region is missing"}
    practice.script = lambda request: (
        Decision(
            apply_after_s=None,
            reply=Instead(
                answer=Answer(
                    status=403,
                    headers=(("Content-Type", "application/json"),),
                    body=orjson.dumps(refusal),
                )
            ),
        )
        if "sourceConnections" in request.path
        else None
    )

    done = batchconnect(
        "export", "out.csv", "--sandbox", "dev", "--usage", "--concurrency", "1", *FAST
    )

    assert done.code == 4
    assert "could not be counted: 403027" in done.err
    assert {row["used_by"] for row in table(batchconnect.folder / "out.csv")} == {""}
    asked = [one for one in practice.journal() if "sourceConnections" in one.path]
    assert len(asked) == 1


# Of a run ---------------------------------------------------------------------------------------------


def test_of_a_run_only_its_connections(batchconnect: CommandLine, practice: Practice) -> None:
    """Wherever they stand; one that is gone is named: exit 4."""
    practice.ask(lambda simulator: simulator.plant(planted("not ours")))
    sheet = batchconnect.sheet([*many(2), cells(3, sandbox="prod")])
    ran = batchconnect("run", sheet, "--json", *FAST)
    run_id = ran.json["run_id"]

    whole = batchconnect("export", "out.csv", "--run", run_id, *FAST)
    gone = next(one.id for one in practice.connections() if one.name == "Client 002")
    practice.ask(lambda simulator: simulator.others.delete(gone))
    lacking = batchconnect("export", "lacking.xlsx", "--run", run_id[:12], "--json", *FAST)

    assert whole.code == 0
    rows = table(batchconnect.folder / "out.csv")
    assert [row["name"] for row in rows] == ["Client 001", "Client 002", "Client 003"]
    assert rows[0]["description"] == "Data of client 1"
    assert lacking.code == 4
    assert [one["row"] for one in lacking.json["missing"]] == [3]
    assert f"row 3: its connection {gone} stands no more" in lacking.err


def test_an_unknown_run_and_a_ledger_that_is_not_there(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Exit 5 without a ledger, exit 2 for a run that it does not know; no file is made."""
    none = batchconnect("export", "out.csv", "--run", "2026", *FAST)
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    unknown = batchconnect("export", "out.csv", "--run", "1999", *FAST)

    assert (none.code, unknown.code) == (5, 2)
    assert "no run is called 1999" in unknown.err
    assert not (batchconnect.folder / "out.csv").exists()


# Drift ------------------------------------------------------------------------------------------------


def test_no_drift(batchconnect: CommandLine, practice: Practice) -> None:
    """What a run made is what its sheet asks for."""
    sheet = batchconnect.sheet(many(3))
    batchconnect("run", sheet, *FAST)

    done = batchconnect("export", "--against", sheet, *FAST)

    assert done.code == 0
    assert "3 rows: no drift" in done.out


def test_drift_is_told_with_its_columns(batchconnect: CommandLine, practice: Practice) -> None:
    """On the screen and in OUT: exit 4, and no key anywhere."""
    batchconnect("run", batchconnect.sheet(many(4)), *FAST)
    practice.ask(lambda simulator: simulator.plant(planted("by hand")))
    changed = batchconnect.sheet(
        [
            cells(1),
            cells(2, description="another text", tenant="fabrikam.onmicrosoft.com"),
            cells(3, name="Renamed"),
            cells(9),
        ],
        "changed.csv",
    )

    done = batchconnect("export", "drift.csv", "--against", changed, *FAST)
    told = batchconnect("export", "drift.xlsx", "--against", changed, "--json", *FAST)

    assert done.code == told.code == 4
    rows = table(batchconnect.folder / "drift.csv")
    seen = [(row["drift"], row["row"], row["name"], row["columns"]) for row in rows]
    assert seen == [
        ("different", "3", "Client 002", "tenant description"),
        ("different", "4", "Renamed", "name"),
        ("only_in_sheet", "5", "Client 009", ""),
        ("only_there", "", "Client 004", ""),
        ("only_there", "", "by hand", ""),
    ]
    assert "row 3 Client 002" in done.out
    assert "differs in tenant, description" in done.out
    assert "4 rows: 2 different, 1 in the sheet only, 2 there only, 0 not compared" in done.out
    assert told.json["drift"]["counts"] == {
        "different": 2,
        "only_in_sheet": 1,
        "only_there": 2,
        "not_compared": 0,
    }
    assert (batchconnect.folder / "drift.xlsx").exists()
    for said in (done.out, done.err, told.out, (batchconnect.folder / "drift.csv").read_text()):
        assert "canary~" not in said


def test_a_connection_that_is_not_enabled_has_drifted(
    batchconnect: CommandLine, practice: Practice
) -> None:
    sheet = batchconnect.sheet(many(1))
    batchconnect("run", sheet, *FAST)
    (one,) = practice.connections()
    practice.ask(lambda simulator: simulator.others.set_state(one.id, "disabled"))

    done = batchconnect("export", "--against", sheet, *FAST)

    assert done.code == 4
    assert "differs in state" in done.out


def test_rows_without_a_place_or_with_a_wrong_cell_are_not_compared(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """They are told with a code; a key in the wrong column is shown nowhere."""
    sheet = batchconnect.sheet(
        [
            cells(1, sandbox=""),
            cells(2, org="nobody"),
            cells(3, name=cells(3)["servicePrincipalKey"]),
            cells(4, servicePrincipalKey=""),
        ]
    )

    done = batchconnect("export", "--against", sheet, "--json", *FAST)

    items = [(one["row"], one["kind"], one["why"]) for one in done.json["drift"]["items"]]
    assert done.code == 4
    assert items == [
        (2, "not_compared", "sandbox_missing"),
        (3, "not_compared", "org_unknown"),
        (4, "not_compared", "rejected"),
        (5, "only_in_sheet", ""),
    ]
    assert "canary~" not in done.out + done.err


def test_a_named_sandbox_fills_blank_cells_of_the_compared_sheet(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """As in `run`; and what stands only there is told though no row names the place."""
    use_two_orgs(batchconnect, practice)
    practice.ask(lambda simulator: simulator.plant(planted("theirs", org=BETA, sandbox="prod")))
    empty = batchconnect.sheet([])
    blank = batchconnect.sheet([cells(1, sandbox="")], "blank.csv")
    place = ("--org", "beta", "--sandbox", "prod")

    alone = batchconnect("export", "--against", empty, *place, "--json", *FAST)
    filled = batchconnect("export", "--against", blank, *place, "--json", *FAST)

    assert [one["kind"] for one in alone.json["drift"]["items"]] == ["only_there"]
    kinds = [(one["kind"], one["org"], one["sandbox"]) for one in filled.json["drift"]["items"]]
    assert kinds == [("only_in_sheet", "beta", "prod"), ("only_there", "beta", "prod")]


def test_rows_of_a_sandbox_that_cannot_be_read_are_not_compared(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Exit 7 where it is the only one, and no OUT."""
    sheet = batchconnect.sheet(many(2))
    practice.ask(lambda simulator: simulator.deny(ACME, "403025"))

    done = batchconnect("export", "drift.csv", "--against", sheet, "--json", *FAST)

    assert done.code == 7
    assert {one["why"] for one in done.json["drift"]["items"]} == {"403025"}
    assert not (batchconnect.folder / "drift.csv").exists()


def test_a_sheet_that_is_not_there(batchconnect: CommandLine, practice: Practice) -> None:
    """As for every command that reads one: exit 3."""
    done = batchconnect("export", "--against", "nowhere.csv", *FAST)

    assert done.code == 3
    assert practice.journal() == []


def test_an_exported_sheet_has_not_drifted_from_where_it_came(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Though its keys are blank: nothing is sent, so none is needed."""
    practice.ask(lambda simulator: simulator.plant(planted("=a, b"), planted("'c")))
    batchconnect("export", "out.csv", "--sandbox", "dev", *FAST)

    done = batchconnect("export", "--against", "out.csv", "--sandbox", "dev", *FAST)

    assert done.code == 0, done
    assert "2 rows: no drift" in done.out


def test_much_drift_does_not_fill_the_screen(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--json and OUT have all of it."""
    monkeypatch.setattr(export, "_MOST_SHOWN", 1)

    done = batchconnect("export", "--against", batchconnect.sheet(many(3)), *FAST)

    assert "row 2 Client 001" in done.out
    assert "and 2 more: --json shows all of them" in done.out
    assert "row 3" not in done.out


def test_more_connections_than_a_workbook_has_rows(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CSV holds them: exit 2, and no file is made."""
    monkeypatch.setattr(filled_template, "MOST_IN_WORKBOOK", 1)
    practice.ask(lambda simulator: simulator.plant(planted("one"), planted("two")))

    done = batchconnect("export", "out.xlsx", "--sandbox", "dev", *FAST)

    assert done.code == 2
    assert "2 connections are more than a workbook has rows" in done.err
    assert "batchconnect export out.csv" in done.err
    assert not (batchconnect.folder / "out.xlsx").exists()
