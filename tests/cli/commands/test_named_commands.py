"""The commands that a line names for later: each works as it is pasted, and keeps what guarded the one before."""

import re
import shlex
from typing import Any, Final

import pytest

from batchconnect.cli.app import command
from batchconnect.cli.options import PLACES, RUN, SERVICE, SHEET, Given
from batchconnect.cli.start import as_part, kept_flags, place_flags
from batchconnect.options import OPTIONS, RunOptions, options_from
from batchconnect.reports.next_step import NextStep
from tests.acceptance.practice import Practice
from tests.cli.commands.test_run_command import REFUSED
from tests.command_line import FAST, CommandLine, Done, many

RUN_ID: Final = "20261123-160000000-k3f9"
REMEMBERED: Final = {"worksheet", "all_worksheets", "map", "visible_only", "encoding", "org", "sandbox"}  # fmt: skip
"""Of a run's sheet: docs/fix-and-rerun.md, "What a rerun remembers"."""
PRACTISED: Final = {"fault", "seed"}
SAMPLES: Final[dict[str, Any]] = {
    "map": "Kunde=name", "only": "org=acme", "on_doubt": "hold", "max_failures": "5%", "proxy": "env:PROXY",
    "fault": "flaky", "max_rows": 5, "seed": 1, "concurrency": 3, "rate": 2.0, "timeout": 30.0,
    "patience": 60.0, "settle": 600.0, "lease": 30.0,
}  # fmt: skip
"""Where a word will not do."""


def everything(*names: str) -> Given:
    """Each of these options, chosen."""
    values: dict[str, Any] = {
        name: True if OPTIONS[name].shape.kind is bool else SAMPLES.get(name, "x")
        for name in names
        if name in OPTIONS
    }
    return Given(options=options_from(values))


OF_SHEETS: Final = (*PLACES.names, *SHEET.names, *SERVICE.names, *RUN.names)
STEPS: Final = {
    "rerun": NextStep(why="", command=("batchconnect", "rerun", RUN_ID)),
    "reconcile": NextStep(why="", command=("batchconnect", "reconcile", RUN_ID)),
    "verify": NextStep(why="", command=("batchconnect", "verify", RUN_ID)),
    "undo": NextStep(why="", command=("batchconnect", "undo", RUN_ID)),
    "verify sheet": NextStep(
        why="", command=("batchconnect", "verify", "clients.csv"), reads_sheet=True
    ),
    "rotate": NextStep(
        why="", command=("batchconnect", "rotate", "clients.csv", "--failing"), reads_sheet=True
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_command_that_is_named_takes_every_option_that_it_is_given(step: NextStep) -> None:
    """A line with an option that its command does not have would be refused as it is pasted."""
    given = everything(*OF_SHEETS)
    word, *words = [*step.command[1:], *place_flags(given), *kept_flags(given, step)]
    group = command(word)
    outer = group.make_context("batchconnect", [word], resilient_parsing=True)

    with group.commands[word].make_context(word, words, parent=outer) as context:
        assert context.params


@pytest.mark.parametrize("name", ["rerun", "rotate"])
def test_what_sends_is_given_every_option_that_it_does_not_know_by_itself(name: str) -> None:
    """Also one that is declared tomorrow: what it remembers, and practised trouble, are told apart by name."""
    given = everything(*OF_SHEETS)

    flags = kept_flags(given, STEPS[name])

    chosen = set(given.options.given()) - REMEMBERED - PRACTISED - {*PLACES.names}
    assert {word for word in flags if word.startswith("--")} == {
        OPTIONS[option].flag for option in chosen
    }


def test_what_is_over_a_run_is_given_no_choice_of_rows() -> None:
    """`reconcile RUN` and `verify RUN` have no rows of a sheet: `--only wave=2` would be refused."""
    given = Given(options=RunOptions(only="wave=2", settle=600, allow_refs=True))

    for name in ("reconcile", "verify"):
        assert kept_flags(given, STEPS[name]) == ["--settle", "600"]


def test_what_chose_an_org_without_a_sheet_chooses_it_after() -> None:
    """`verify RUN --org acme` looks at one org, `rerun --org acme` would fill cells with it."""
    part = as_part(Given(options=RunOptions(org="acme")))

    assert kept_flags(part, STEPS["rerun"]) == ["--only", "org=acme"]


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (RunOptions(proxy="http://proxy.example.com:3128"), "--proxy http://proxy.example.com:3128"),
        (RunOptions(proxy="env:PROXY"), "--proxy env:PROXY"),
        (RunOptions(proxy="file:/run/proxy"), "--proxy file:/run/proxy"),
        (RunOptions(proxy="http://me:canary~@proxy.example.com"), ""),
        (RunOptions(proxy="http://canary~@proxy.example.com"), ""),
        (RunOptions(proxy="me:canary~@proxy.example.com"), ""),
        (RunOptions(ledger="env:TEAM"), "--ledger env:TEAM"),
        (RunOptions(ledger="postgresql://me@db.example.com/x"), "--ledger postgresql://me@db.example.com/x"),
        (RunOptions(ledger="l.sqlite3"), "--ledger l.sqlite3"),
        (RunOptions(rate=200.0), "--rate 200"),
        (RunOptions(rate=0.25), "--rate 0.25"),
        (RunOptions(settle=1234567.5), "--settle 1234567.5"),
    ],
)  # fmt: skip
def test_an_option_is_printed_as_it_was_typed_and_a_password_never(
    value: RunOptions, typed: str
) -> None:
    """A reference stays one; where the value itself bears a secret, the flag is left out."""
    given = Given(options=value)

    flags = [*place_flags(given), *kept_flags(given, STEPS["rerun"])]

    assert shlex.join(flags) == typed
    assert "canary" not in repr(flags)


# As pasted ------------------------------------------------------------------------------------------------


def pasted(batchconnect: CommandLine, done: Done) -> Done:
    """The command of the last line, given as it stands."""
    (line,) = (line for line in done.out.splitlines() if line.startswith("next:"))
    words = shlex.split(line.rpartition("next:")[2].rpartition(", then:")[2])
    assert words[0] == "batchconnect"
    return batchconnect(*words[1:])


def names(practice: Practice) -> set[str]:
    """What stands there."""
    return {one.name for one in practice.connections()}


def test_a_canary_that_failed_is_taken_up_as_a_canary(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`--max-rows` holds for the rerun that is named: it creates no more than that."""
    practice.by_name(Client_001=REFUSED)

    done = batchconnect("run", batchconnect.sheet(many(9)), *FAST, "--max-rows", "2")
    assert done.code == 4, done
    assert len(names(practice)) == 1
    pasted(batchconnect, done)

    assert len(names(practice)) == 3


def test_an_advice_that_names_a_rerun_keeps_what_guarded_the_run(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Below a cause as on the last line: it is pasted as often."""
    keys = [{**row, "servicePrincipalKey": "wrong-at-test-7000222"} for row in many(3)]
    guards = ("--max-rows", "1", "--on-doubt", "hold")

    done = batchconnect("run", batchconnect.sheet(keys), "--rate", "200", "--verify", *guards)

    advised = re.findall(r"`(batchconnect rerun[^`]*)`", " ".join(done.out.split()))
    assert advised
    assert all(" ".join(guards[:2]) in one and "--verify" in one for one in advised)


def test_a_part_that_failed_is_taken_up_as_that_part(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`--only` holds for the rerun, and what it left out is not sent."""
    practice.by_name(Client_001=REFUSED)
    sheet = batchconnect.sheet(many(4))
    only = ("--only", "name=Client 001", "--only", "name=Client 002")

    done = batchconnect("run", sheet, *FAST, *only)
    assert done.code == 4, done
    again = pasted(batchconnect, done)

    assert again.code == 0, again
    assert names(practice) == {"Client 001", "Client 002"}


@pytest.mark.parametrize(
    ("flag", "words"), [("--max-rows", ["2"]), ("--only", ["name=Client 001"])]
)
def test_who_shows_a_run_later_is_told_what_to_add(
    batchconnect: CommandLine, practice: Practice, flag: str, words: list[str]
) -> None:
    """`status` and the reports know the run's rows, and not its options: what left rows out is said in words."""
    practice.by_name(Client_001=REFUSED)
    sheet = batchconnect.sheet(many(4))
    run_id = batchconnect("run", sheet, *FAST, flag, *words, "--json").json["run_id"]

    shown = batchconnect("status", run_id)
    page = (batchconnect.folder / "reports" / run_id / "report.html").read_text(encoding="utf-8")

    assert f"add the {flag} of that run, then: batchconnect rerun {run_id}" in shown.out
    assert f"with the {flag} of this run again, or what was left out is taken, too:" in page


@pytest.mark.parametrize(
    ("flag", "words"), [("--max-rows", ["2"]), ("--only", ["name=Client 001"])]
)
def test_who_verified_a_part_of_a_sheet_is_told_what_to_add(
    batchconnect: CommandLine, practice: Practice, flag: str, words: list[str]
) -> None:
    """`verify RUN` names a rerun of that run, which would create what was left out there."""
    keys = [{**row, "servicePrincipalKey": "wrong-at-test-7000222"} for row in many(4)]
    run_id = batchconnect("run", batchconnect.sheet(keys), *FAST, flag, *words, "--json").json[
        "run_id"
    ]

    done = batchconnect("verify", run_id, *FAST)

    told = f"next:   correct the keys and add the {flag} of that run, then: batchconnect rerun {run_id}"
    assert told in done.out


def test_a_part_of_a_sheet_that_does_not_work_is_rotated_as_that_part(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`verify SHEET --only` names `rotate` for those rows, not for everybody's."""
    sheet = batchconnect.sheet(
        [{**row, "servicePrincipalKey": "wrong-at-test-7000222"} for row in many(2)]
    )
    batchconnect("run", sheet, *FAST)

    done = batchconnect("verify", sheet, *FAST, "--only", "name=Client 001", "--strict")

    assert done.code == 4, done
    (line,) = (line for line in done.out.splitlines() if line.startswith("next:"))
    assert "--failing" in line
    assert "--only 'name=Client 001' --strict" in line


def test_a_rerun_keeps_the_settle_window_of_its_run(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Where nobody chose one anew: typed by hand, without the flag that the last line has."""
    practice.script = lambda request: REFUSED if request.is_create else None
    batchconnect("run", batchconnect.sheet(many(1)), *FAST, "--settle", "600")

    kept = batchconnect("rerun", *FAST, "--json")
    chosen = batchconnect("rerun", *FAST, "--settle", "5", "--json")

    assert (kept.json["settle_s"], chosen.json["settle_s"]) == (600, 5)
