"""A plan that is saved and approved: `run --plan` does what it says and nothing else, or names what has changed."""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchconnect.simulator.decision import Decision, Reset
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, Done, cells, many

PLAN = Path("plan.json")
QUICK = (*FAST, "--settle", "0.3")
UNSEEN = "a changed servicePrincipalKey is not seen"


def saved(batchconnect: CommandLine, rows: Sequence[Mapping[str, Any]], *options: object) -> Done:
    """A plan of these rows in `plan.json`."""
    done = batchconnect("plan", batchconnect.sheet(rows), "--out", PLAN, *options)
    assert done.code in {0, 4}, done.err
    return done


def refused(done: Done, *said: str) -> None:
    """Not as planned: exit 3, and each change is said on a line of its own."""
    assert (done.code, done.out.splitlines()) == (3, [*said])
    assert "nothing was sent" in done.err


@pytest.mark.usefixtures("each_ledger")
def test_a_plan_is_carried_out_as_it_was_approved(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The plan names the command and its sheet; both screens say what no plan can see."""
    shown = saved(batchconnect, many(3))

    done = batchconnect("run", "--plan", PLAN, *QUICK)

    assert f"saved:  plan.json; {UNSEEN}" in shown.out
    assert shown.out.endswith("next:   batchconnect run --plan plan.json\n")
    assert done.code == 0
    assert UNSEEN in done.err
    assert len(practice.creates()) == 3


@pytest.mark.usefixtures("practice")
def test_the_run_that_is_named_next_is_guarded_as_it_was_planned(batchconnect: CommandLine) -> None:
    """What no plan keeps, and would be lost on who copies the line: what stops a run, and what looks after it."""
    guards = ["--max-failures", "5%", "--settle-first", "--no-sweep", "--verify"]

    shown = saved(batchconnect, many(2), "--max-rows", "1", *guards)

    assert shown.out.endswith(f"next:   batchconnect run --plan plan.json {' '.join(guards)}\n")


def test_the_plan_that_is_to_be_made_again_is_made_as_it_was(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Pasted, it plans the same rows by the same rules: what the plan kept, and what its run was given."""
    kept = (
        "--only",
        "name=Client 001",
        "--skip-invalid",
        "--max-rows",
        "1",
        "--recreate",
        "--note",
        "CHG 1",
    )
    saved(batchconnect, many(2), *kept)

    changed = batchconnect(
        "run", batchconnect.sheet([cells(1, database="other"), cells(2)]), "--plan", PLAN, *QUICK
    )
    words = shlex.split(changed.err.rpartition("approved:")[2].replace("\n", " "))
    again = batchconnect(*words[1:])

    assert changed.code == 3, changed
    assert " ".join(words).startswith("batchconnect plan clients.csv --out plan.json --only")
    assert {*kept} < {*words}
    assert again.code == 0, again
    assert batchconnect("run", "--plan", PLAN, *QUICK).code == 0


def test_a_plan_that_could_not_be_saved_names_no_run_of_it(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """One sandbox that could not be read is enough; what looks closer is named, and works as it is pasted."""
    sheet = batchconnect.sheet([cells(1), cells(2, sandbox="missing")])

    shown = batchconnect("plan", sheet, "--out", PLAN)

    assert "saved:  nothing" in shown.out
    assert shown.out.endswith(f"next:   batchconnect orgs --org {ACME} --sandbox missing\n")
    assert not PLAN.exists()
    looked = batchconnect("orgs", "--org", ACME, "--sandbox", "missing")
    assert (looked.code, "missing" in looked.out) == (7, True), looked


def test_a_plan_holds_no_key_and_is_its_owners_alone(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Neither of the rows, nor of the org; a row that is rejected shows no refused cell."""
    swapped = cells(4, servicePrincipalId="canary~key-004.Xy_4Q", servicePrincipalKey="4")
    saved(batchconnect, [*many(3), swapped], "--skip-invalid")

    text = PLAN.read_text(encoding="utf-8")

    assert "canary" not in text
    assert PLAN.stat().st_mode & 0o777 == 0o600
    assert [row["action"] for row in json.loads(text)["rows"]] == [*["create"] * 3, "rejected"]


@pytest.mark.usefixtures("each_ledger")
def test_a_sorted_sheet_a_new_key_and_a_column_of_notes_are_as_planned(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Rows are told by their keys and shown cells, wherever they stand and in whichever file."""
    saved(batchconnect, many(3))
    rows = [{**row, "servicePrincipalKey": "canary~another.Key_1"} for row in reversed(many(3))]

    done = batchconnect("run", batchconnect.sheet(rows, "sorted.csv"), "--plan", PLAN, *QUICK)

    assert done.code == 0
    assert set(practice.keys().values()) == {"canary~another.Key_1"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [cells(1), cells(2, database="other")],
            "row 3 (Client 002): `database` is `other`, planned `db002`",
        ),
        (
            [cells(1), cells(2, description="")],
            "row 3 (Client 002): `description` is blank, planned `Data of client 2`",
        ),
        (
            [cells(1), cells(2, name="Other")],
            "row 3 (Other): `name` is `Other`, planned `Client 002`",
        ),
        (many(3), "row 4 (Client 003): it is not in the plan (now `+ create`)"),
        (many(1), "row 3 (Client 002) of the plan: it is no longer in the sheet"),
    ],
    ids=["cell", "description", "name", "new row", "row gone"],
)
@pytest.mark.usefixtures("each_ledger")
def test_rows_that_changed_are_named_and_nothing_is_sent(
    batchconnect: CommandLine,
    practice: Practice,
    rows: Sequence[Mapping[str, Any]],
    said: str,
) -> None:
    """Whatever is different: a cell that may be shown, a row more, a row less."""
    saved(batchconnect, many(2))

    done = batchconnect("run", batchconnect.sheet(rows), "--plan", PLAN, *QUICK)
    told = batchconnect("run", "clients.csv", "--plan", PLAN, *QUICK, "--json").json

    refused(done, said)
    assert (told["exit_code"], told["changes"]) == (3, [said])
    assert practice.creates() == []
    assert not Path("reports/ledger.sqlite3").exists()


def test_a_connection_that_appeared_is_a_change(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Of the row's name with another target; or the row's own, that another ledger made."""
    saved(batchconnect, many(2))
    elsewhere = batchconnect(
        "run", batchconnect.sheet([cells(1)], "one.csv"), *QUICK, "--ledger", "other.sqlite3"
    )
    practice.ask(
        lambda simulator: simulator.plant(Planted(org_id=ACME, sandbox="dev", name="Client 002"))
    )
    before = practice.mark()

    done = batchconnect("run", "--plan", PLAN, *QUICK)

    (made,) = [one.id for one in practice.connections() if one.name == "Client 001"]
    assert elsewhere.code == 0
    assert done.out.splitlines()[0] == (
        f"row 2 (Client 001): planned `+ create`, now `= existing` ({made})"
    )
    assert done.out.splitlines()[1].startswith(
        "row 3 (Client 002): planned `+ create`, now `! conflict` (target_"
    )
    assert done.code == 3
    assert practice.creates(since=before) == []


def test_a_connection_that_is_gone_is_a_change(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """What the plan left alone is not created by it."""
    made = batchconnect("run", batchconnect.sheet(many(2)), *QUICK, "--ledger", "other.sqlite3")
    saved(batchconnect, many(2))
    (gone,) = [one.id for one in practice.connections() if one.name == "Client 002"]
    practice.ask(lambda simulator: simulator.others.delete(gone))

    done = batchconnect("run", "--plan", PLAN, *QUICK)

    assert made.code == 0
    assert done.code == 3
    assert "row 3 (Client 002): planned `= existing`" in done.out
    assert "now `+ create`" in done.out


@pytest.mark.usefixtures("each_ledger")
def test_what_changes_after_the_last_look_is_not_created_either(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Between the comparison and the run's own reading, a connection goes that the plan leaves alone."""
    batchconnect("run", batchconnect.sheet([cells(2)]), *QUICK, "--ledger", "other.sqlite3")
    before = practice.mark()
    saved(batchconnect, many(2))
    one_look = len(practice.journal(since=before))
    asked = 0

    def script(request: Request) -> None:
        nonlocal asked
        asked += request.path.endswith("/connections")
        if asked == one_look:
            practice.soon(lambda simulator: simulator.others.delete(simulator.connections()[0].id))

    practice.script = script

    done = batchconnect("run", "--plan", PLAN, *QUICK, "--json")

    assert done.code == 4
    assert (done.json["counts"]["created"], done.json["counts"]["not_attempted"]) == (1, 1)
    assert [one["code"] for one in done.json["incidents"]] == ["not_planned"]
    assert [one.name for one in practice.connections()] == ["Client 001"]


def test_settings_that_changed_are_named(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another org under the same key, or another sandbox for rows that name none; a renamed secret is no matter."""
    for name in practice.environment():
        monkeypatch.delenv(name)
    batchconnect.setenv(
        ACME_SECRET=practice.environment()["BATCHCONNECT_CLIENT_SECRET"], BETA_SECRET="x"
    )
    settings = practice.two_orgs().split("[orgs.beta]", maxsplit=1)[0]
    batchconnect.write("batchconnect.toml", f'{settings}sandbox = "dev"\n')
    batchconnect.write("sandbox.toml", f'{settings}sandbox = "prod"\n')
    batchconnect.write(
        "org.toml", f'{settings}sandbox = "dev"\n'.replace(ACME, "C" * 24 + "@AdobeOrg")
    )
    saved(batchconnect, [cells(1, sandbox=""), cells(2)])

    sandbox = batchconnect("run", "--plan", PLAN, *QUICK, "--settings", "sandbox.toml")
    org = batchconnect("run", "--plan", PLAN, *QUICK, "--settings", "org.toml")

    refused(
        sandbox,
        "row 2 (Client 001): it would stand in org `acme`, sandbox `prod`, planned org `acme`, sandbox `dev`",
    )
    refused(org, f"settings: org `acme` is {'C' * 24}@AdobeOrg, planned {ACME}")
    assert practice.creates() == []


@pytest.mark.usefixtures("each_ledger")
def test_a_plan_that_was_cut_short_goes_on(batchconnect: CommandLine, practice: Practice) -> None:
    """What was done of it already, by this ledger, is as planned: created, or in doubt."""
    saved(batchconnect, many(4))
    practice.by_name(Client_002=Decision(apply_after_s=None, reply=Reset()))
    few = batchconnect("run", "--plan", PLAN, *QUICK, "--max-rows", "2", "--on-doubt", "hold")

    rest = batchconnect("run", "--plan", PLAN, *QUICK)
    again = batchconnect("run", "--plan", PLAN, *QUICK)

    assert few.code == 6
    assert (rest.code, again.code) == (0, 0)
    assert sorted(one.name for one in practice.connections()) == [
        f"Client {number:03d}" for number in range(1, 5)
    ]


def test_what_chose_the_rows_comes_with_the_plan(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`--only`, `--org`, `--sandbox`, `--max-rows`, `--note`: who runs it need not repeat them."""
    saved(
        batchconnect,
        [cells(1, sandbox=""), cells(2, sandbox="prod"), cells(3, sandbox="")],
        *("--sandbox", "dev", "--only", "sandbox=dev", "--max-rows", "1", "--note", "CHG-7"),
    )

    done = batchconnect("run", "--plan", PLAN, *QUICK, "--json")

    assert done.code == 8
    assert done.json["note"] == "CHG-7"
    assert [one.name for one in practice.connections()] == ["Client 001"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"db001"', '"db777"', "was changed since it was saved"),
        ('"create"', '"existing"', "was changed since it was saved"),
        ('"cells"', '"zells"', "was changed since it was saved"),
        ('"tool_version": "', '"tool_version": "0.0.', "was made by batchconnect 0.0."),
        ("schema:plan:1", "schema:plan:2", "was made by batchconnect"),
        ("urn:batchconnect", "urn:another", "is no plan of batchconnect"),
        ("{", "", "is no plan of batchconnect"),
    ],
)
def test_a_plan_that_is_none_of_ours_sends_nothing(
    batchconnect: CommandLine, practice: Practice, old: str, new: str, said: str
) -> None:
    """Edited by hand, of another version, or no plan at all: exit 2."""
    saved(batchconnect, many(1))
    PLAN.write_text(PLAN.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    done = batchconnect("run", "--plan", PLAN, *QUICK)

    assert done.code == 2
    assert said in done.err
    assert practice.creates() == []


def test_a_plan_of_another_ledger_service_or_mode(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Exit 2: what one ledger has in doubt another knows nothing of; practice is no earnest."""
    saved(batchconnect, many(1))

    ledger = batchconnect("run", "--plan", PLAN, *QUICK, "--ledger", "other.sqlite3")
    practised = batchconnect("run", "--plan", PLAN, *QUICK, "--simulate")
    saved(batchconnect, many(1), "--simulate")
    in_earnest = batchconnect("run", "--plan", PLAN, *QUICK)
    missing = batchconnect("run", "--plan", "none.json", *QUICK)
    unnamed = batchconnect("run", *QUICK)

    codes = [done.code for done in (ledger, practised, in_earnest, missing, unnamed)]
    assert codes == [2] * 5
    assert "is of another ledger: " in ledger.err
    assert "this run is simulated" in practised.err
    assert "Add --simulate" in in_earnest.err
    assert "cannot be read: No such file" in missing.err
    assert "no sheet is named" in unnamed.err
    assert practice.creates() == []


def test_where_a_plan_may_be_saved(batchconnect: CommandLine, practice: Practice) -> None:
    """Over an older plan, never over another file; what cannot be written is known before the service is asked."""
    sheet = batchconnect.sheet(many(1))
    batchconnect.write("notes.json", "{}")

    foreign = batchconnect("plan", sheet, "--out", "notes.json")
    nowhere = batchconnect("plan", sheet, "--out", "no/folder/plan.json")
    asked = len(practice.journal())
    first = batchconnect("plan", sheet, "--out", PLAN)
    second = batchconnect("plan", sheet, "--out", PLAN)

    assert (foreign.code, nowhere.code, asked) == (2, 2, 0)
    assert "is no plan, so it is not replaced" in foreign.err
    assert Path("notes.json").read_text(encoding="utf-8") == "{}"
    assert (first.code, second.code) == (0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are texts")
def test_texts_that_are_no_utf_8_come_back_byte_for_byte(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The sheet's name, and a note: such a plan is read, replaced, and carried out as any other."""
    sheet = Path(os.fsdecode(b"cl\xfcents.csv"))
    batchconnect.sheet(many(2)).rename(sheet)
    note = os.fsdecode(b"ticket \xff")

    first = batchconnect("plan", sheet, "--note", note, "--out", PLAN)
    second = batchconnect("plan", sheet, "--note", note, "--out", PLAN)
    done = batchconnect("run", "--plan", PLAN, *QUICK)

    assert (first.code, second.code, done.code) == (0, 0, 0), done
    assert json.loads(PLAN.read_bytes())["sheets"] == [str(sheet)]
    assert len(practice.creates()) == 2


@pytest.mark.parametrize("text", ["", "[1", "\udcff"])
def test_a_file_that_is_no_json_is_no_plan(batchconnect: CommandLine, text: str) -> None:
    """Whatever is in it, one sentence says so."""
    PLAN.write_bytes(text.encode("utf-8", "surrogateescape"))

    done = batchconnect("run", "--plan", PLAN, "--simulate")

    assert done.code == 2
    assert "plan.json is no plan of batchconnect" in done.err


def test_what_is_not_whole_is_not_saved(batchconnect: CommandLine, practice: Practice) -> None:
    """Rejected rows, or a sandbox that cannot be read: there is nothing to approve yet."""
    rejected = batchconnect("plan", batchconnect.sheet([cells(1, database="")]), "--out", PLAN)
    practice.ask(lambda simulator: simulator.deny(ACME, "403025"))
    unread = batchconnect("plan", batchconnect.sheet(many(1)), "--out", PLAN)

    assert (rejected.code, unread.code) == (3, 7)
    assert "saved:  nothing" in rejected.out
    assert "saved:  nothing" in unread.out
    assert not PLAN.exists()
