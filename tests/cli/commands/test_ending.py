"""`--metrics` and `--notify`: what is told at the end of a command, and that it is never its exit code."""

import errno
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, FAST, CommandLine, Done, cells, many
from tests.notify.channel import PEM, webhook


def exit_code(path: str | Path) -> float:
    """What the metrics say of it."""
    lines = Path(path).read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("batchconnect_run_exit_code{"))
    return float(line.rpartition(" ")[2])


@pytest.fixture
def told(batchconnect: CommandLine, practice: Practice) -> Any:
    """A run of the command with a settings file that knows a webhook, and what came to it."""
    batchconnect.setenv(
        **dict.fromkeys(practice.environment(), ""),
        ACME_SECRET=CLIENT_SECRET,
        BETA_SECRET=f"{CLIENT_SECRET}-beta",
    )
    batchconnect.write(
        "batchconnect.toml", practice.two_orgs() + '[notify.ops]\nurl = "env:OPS_HOOK"\n'
    )

    def run(*arguments: object, hook: str) -> Done:
        batchconnect.setenv(OPS_HOOK=hook)
        return batchconnect(*arguments, *FAST, "--notify", "ops", "--ca-bundle", PEM)

    return run


def test_the_metrics_of_a_run_are_its_own(batchconnect: CommandLine, practice: Practice) -> None:
    """Readable for the collector, who is somebody else; the same command replaces them."""
    sheet = batchconnect.sheet(many(3))
    first = batchconnect("run", sheet, *FAST, "--metrics", "clients.prom")
    text = Path("clients.prom").read_text("utf-8")
    again = batchconnect("run", sheet, *FAST, "--metrics", "clients.prom")

    assert (first.code, again.code) == (0, 0)
    assert 'batchconnect_run_rows{name="clients",status="created"} 3.0' in text
    assert 'status="existing"} 3.0' in Path("clients.prom").read_text("utf-8")
    assert os.name != "posix" or Path("clients.prom").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("command", ["run", "rerun", "rotate", "verify"])
def test_each_command_that_opens_a_run_writes_them(
    batchconnect: CommandLine, practice: Practice, command: str
) -> None:
    """A rerun with nothing to do as well: it is well, today."""
    sheet = batchconnect.sheet(many(1))
    assert batchconnect("run", sheet, *FAST).code == 0
    what = [] if command in {"rerun", "verify"} else [sheet]

    done = batchconnect(command, *what, *FAST, "--metrics", "m.prom")

    assert (done.code, exit_code("m.prom")) == (0, 0)


@pytest.mark.slow
def test_what_settles_or_undoes_a_run_tells_its_own_end(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`reconcile` by its own exit code; of `undo` what is carried out, for a preview ends nothing."""
    practice.by_name(Client_001=Decision(apply_after_s=None, reply=Reset()))
    settings = (*FAST, "--settle", "0.3", "--on-doubt", "hold")
    first = batchconnect("run", batchconnect.sheet(many(2)), *settings)
    settled = batchconnect("reconcile", *settings, "--metrics", "r.prom")
    run_id = batchconnect("runs", "--json").json["runs"][0]["run_id"]
    shown = batchconnect("undo", run_id, *FAST, "--metrics", "u.prom")
    assert not Path("u.prom").exists()
    undone = batchconnect("undo", run_id, "--yes", "1", *FAST, "--metrics", "u.prom")

    assert (first.code, shown.code) == (6, 4), (first, shown)
    assert exit_code("r.prom") == settled.code
    assert exit_code("u.prom") == undone.code
    assert 'status="deleted"} 1.0' in Path("u.prom").read_text("utf-8")


def test_a_command_that_comes_to_no_run_says_so_in_them(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Yesterday's numbers do not stand for today."""
    sheet = batchconnect.sheet(many(1))
    assert batchconnect("run", sheet, *FAST, "--metrics", "m.prom").code == 0
    missing = batchconnect("run", "nope.csv", *FAST, "--metrics", "m.prom")

    assert (missing.code, exit_code("m.prom")) == (3, 3)
    assert "batchconnect_run_rows" not in Path("m.prom").read_text("utf-8")
    batchconnect.write("reports/ledger.sqlite3", "no ledger")
    broken = batchconnect("run", sheet, *FAST, "--metrics", "m.prom")
    assert (broken.code, exit_code("m.prom")) == (5, 5)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere/m.prom", "there is no folder nowhere"),
        ("m.txt", "a collector reads .prom alone"),
        ("m.prom/m.prom", "cannot be written"),
    ],
)
def test_metrics_that_cannot_be_written_are_known_before_the_first_create(
    batchconnect: CommandLine, practice: Practice, path: str, says: str
) -> None:
    batchconnect.write("m.prom", "")
    done = batchconnect("run", batchconnect.sheet(many(1)), *FAST, "--metrics", path)

    assert done.code == 2
    assert says in done.err
    assert practice.journal() == []


@pytest.mark.parametrize(
    "missing",
    [
        (("--metrics", "m.prom"), "prometheus_client", "metrics"),
        (("--notify", "x"), "apprise", "notify"),
    ],
)
def test_a_missing_extra_names_the_line_of_pip(
    batchconnect: CommandLine,
    practice: Practice,
    monkeypatch: pytest.MonkeyPatch,
    missing: tuple[tuple[str, str], str, str],
) -> None:
    """Before the first create, too."""
    option, module, extra = missing
    real = importlib.util.find_spec
    for place in ("batchconnect.cli.ending", "batchconnect.notify.telling"):
        monkeypatch.setattr(
            f"{place}.find_spec", lambda name: None if name == module else real(name)
        )
    done = batchconnect("run", batchconnect.sheet(many(1)), *FAST, *option)

    assert done.code == 2
    assert f"pip install 'batchconnect[{extra}]'" in done.err
    assert practice.journal() == []


# Notices ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_channel_is_told_numbers_and_no_names(
    batchconnect: CommandLine, practice: Practice, told: Any
) -> None:
    """Counts, the run's id, the exit code; nothing of sheet, clients, orgs or machine."""
    sheet = batchconnect.sheet([*many(2, org="acme"), cells(3, org="acme", database="")])
    with webhook() as hook:
        done = told("run", sheet, "--skip-invalid", "--json", hook=hook.url)

        assert done.code == 4
        ((_, document),) = hook.posts
        text = f"{document['title']}\n{document['message']}"
        assert "3 rows: 2 created, 1 rejected" in text
        assert f"run {done.json['run_id']}," in text
        assert "exit code 4" in text
        assert document["type"] == "warning"
        for name in ("Client", "acme", "dev", Path(sheet).stem, os.uname().nodename, "FAKE"):
            assert name not in text


@pytest.mark.slow
def test_what_cannot_be_told_is_a_warning_and_never_the_exit_code(
    batchconnect: CommandLine, practice: Practice, told: Any
) -> None:
    """A refusal, a server that is not there; the warning names neither address nor token."""
    sheet = batchconnect.sheet(many(1, org="acme"))
    with webhook() as hook:
        hook.status = 403
        refused = told("run", sheet, hook=hook.url)
    gone = told("run", sheet, hook=hook.url)

    assert (refused.code, gone.code) == (0, 0)
    assert (
        "warning: --notify ops: nobody was told: it was answered with HTTP status 403"
        in refused.err
    )
    assert "warning: --notify ops: nobody was told: it could not be reached" in gone.err
    assert "FAKE-token" not in refused.err + gone.err
    assert "1 created" in refused.out


@pytest.mark.slow
def test_a_command_that_comes_to_no_run_is_told_without_its_message(
    batchconnect: CommandLine, practice: Practice, told: Any
) -> None:
    """The message may name the sheet; the channel is told to look."""
    Path("reports").mkdir()
    batchconnect.write("reports/ledger.sqlite3", "no ledger")
    with webhook() as hook:
        done = told("run", batchconnect.sheet(many(1, org="acme")), hook=hook.url)

        assert done.code == 5
        ((_, document),) = hook.posts
        assert document["title"] == "batchconnect run: the ledger is in use or unusable"
        assert document["type"] == "failure"
        assert "sheet" not in document["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("opps", "https://h.example/x", "the settings have no [notify.opps]; [notify.ops] is one"),
        ("ops", "", "is empty"),
        ("ops", "slack://a/b/c", "must be the address of a webhook or a mailbox"),
        ("ops", "http://h.example/FAKE", "must be the address of a webhook or a mailbox"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_before_the_first_create(
    batchconnect: CommandLine, practice: Practice, told: Any, wrong: tuple[str, str, str]
) -> None:
    """Its message names the section and never the address."""
    name, hook, says = wrong
    batchconnect.setenv(OPS_HOOK=hook)
    sheet = batchconnect.sheet(many(1, org="acme"))
    done = batchconnect("run", sheet, *FAST, "--notify", name)

    assert done.code == 2
    assert says in done.err
    assert not hook or hook not in done.err
    assert practice.journal() == []


def test_an_address_that_is_written_out_is_warned_about(
    batchconnect: CommandLine, practice: Practice, told: Any
) -> None:
    """As any other credential; and other commands do not need it."""
    settings = practice.two_orgs()
    batchconnect.write(
        "batchconnect.toml", f'{settings}[notify.a]\nurl = "https://h.example/FAKE"\n'
    )
    written = batchconnect("orgs")
    batchconnect.write("batchconnect.toml", f'{settings}[notify.a]\nurl = "env:NOT_SET"\n')
    unset = batchconnect("orgs")

    assert "warning: url in [notify.a] of batchconnect.toml is written out" in written.err
    assert "h.example" not in written.err
    assert "NOT_SET" not in unset.err
    assert unset.code == 0


def test_a_simulation_notifies_nobody(batchconnect: CommandLine, told: Any) -> None:
    """It touches nothing real, and needs no credential."""
    sheet = batchconnect.sheet(many(1, org="acme"))
    done = batchconnect("run", sheet, "--simulate", *FAST, "--notify", "ops")

    assert done.code == 0
    assert "a simulation notifies nobody" in done.err


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (
            "[notify]\nops = 1\n",
            "notify.ops in batchconnect.toml must be a section, as [notify.ops]",
        ),
        ("[notify.ops]\n", "url is missing in [notify.ops]"),
        ('[notify.ops]\nurl = "env:X"\nuri = "a"\n', "is not a setting; url is one"),
        ('[notify."o p"]\nurl = "env:X"\n', "cannot be the name of an address"),
        ("[notify.ops]\nurl = 7\n", "url in [notify.ops] of batchconnect.toml must be a text"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(
    batchconnect: CommandLine, practice: Practice, told: Any, table: str, says: str
) -> None:
    batchconnect.write("batchconnect.toml", practice.two_orgs() + table)
    done = batchconnect("orgs")

    assert done.code == 2
    assert says in done.err


# What stands in a store, and what goes wrong at the end ---------------------------------------------------

STORE = """
import json, sys
value = open("hook.txt").read()
if value == "down":
    sys.exit(3)
found = [] if value == "none" else [{"name": "hook", "value": value}]
print(json.dumps({"secrets": found}))
"""


@pytest.fixture
def stored(batchconnect: CommandLine, practice: Practice, told: Any) -> Any:
    """As `told`; the address stands in a store, whose answer is *hook*."""
    batchconnect.write("store.py", STORE)
    words = json.dumps([sys.executable, str(batchconnect.folder / "store.py")])
    batchconnect.write(
        "batchconnect.toml",
        f'{practice.two_orgs()}[stores.own]\nuri = "exec:"\ncommand = {words}\n'
        '[notify.ops]\nurl = "own:hook"\n',
    )

    def run(*arguments: object, hook: str) -> Done:
        batchconnect.write("hook.txt", hook)
        done: Done = told(*arguments, hook="")
        return done

    return run


@pytest.mark.slow
def test_an_address_may_stand_in_a_store_and_is_looked_up_when_the_run_is_over(
    batchconnect: CommandLine, stored: Any
) -> None:
    sheet = batchconnect.sheet(many(1, org="acme"))
    with webhook() as hook:
        done = stored("run", sheet, hook=hook.url)

        assert done.code == 0
        assert [path for path, _document in hook.posts] == ["/hooks/FAKE-token"]
    assert "FAKE-token" not in done.out + done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("ftp://h.example/FAKE-token", "must be the address of a webhook or a mailbox"),
        ("", "must be the address of a webhook or a mailbox"),
        ("none", "the store `own` does not hold the secret that [notify.ops] names"),
        ("down", "The store `own` does not answer. Its command ended with exit code 3."),
    ],
)
def test_what_a_store_holds_in_its_place_is_a_warning(
    batchconnect: CommandLine, stored: Any, hook: str, says: str
) -> None:
    """The run is over: its exit code says how that went, and nothing of the value is shown."""
    done = stored("run", batchconnect.sheet(many(1, org="acme")), hook=hook)

    assert done.code == 0
    assert "warning: --notify ops: nobody was told: " in done.err
    assert says in " ".join(done.err.split())
    assert "FAKE-token" not in done.out + done.err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyboardInterrupt(), "it was interrupted"),
        (RuntimeError("FAKE-token"), "an unexpected RuntimeError"),
        (SettingsError("the CA bundle cannot be read"), "the CA bundle cannot be read"),
    ],
)
def test_nothing_that_goes_wrong_while_somebody_is_told_changes_the_exit_code(
    batchconnect: CommandLine,
    told: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    says: str,
) -> None:
    """Ctrl-C included: what a person ends is the telling, for the run has ended already."""

    def tell(*_words: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr("batchconnect.cli.ending.tell", tell)
    sheet = batchconnect.sheet(many(1, org="acme"))
    done = told("run", sheet, hook="https://h.example/FAKE-token")

    assert done.code == 0
    assert f"warning: --notify ops: nobody was told: {says}" in done.err
    assert "FAKE-token" not in done.out + done.err


def test_metrics_that_cannot_be_written_any_more_are_a_warning(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place was tried before; what became of it in the hours since is none of the run."""
    Path("collected").mkdir()
    sheet = batchconnect.sheet(many(1))

    def fill(path: Path, *_words: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("batchconnect.reports.new_file.writing", fill)
    done = batchconnect("run", sheet, *FAST, "--metrics", "collected/m.prom")

    assert done.code == 0
    assert "warning: " in done.err
    assert "m.prom" in done.err
    assert "No space left on device" in done.err
