"""From options, environment and settings to Choices: each has its effect, and the nearer one wins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.start import (
    choices_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.cli.options import (
    OutputOptions,
    PartOptions,
    PlaceOptions,
    RunOptions,
    ServiceOptions,
    SheetOptions,
)
from batchconnect.lane.reconciler import OnDoubt
from batchconnect.model.errors import UsageError
from batchconnect.run.choices import Choices
from batchconnect.run.exit_code import FailureLimit
from batchconnect.settings import Settings
from tests.command_line import CommandLine, many

ONE_ORG = {
    "BATCHCONNECT_ORG_ID": "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
    "BATCHCONNECT_CLIENT_ID": "client",
    "BATCHCONNECT_CLIENT_SECRET": "canary~client-secret",
}


def chosen(
    *,
    places: PlaceOptions | None = None,
    service: Mapping[str, Any] | None = None,
    sheet: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = ONE_ORG,
) -> tuple[Choices, Settings]:
    """What a `run` with these options gets."""
    options: dict[str, Any] = {
        "service": ServiceOptions(**(service or {})),
        "sheet": SheetOptions(**(sheet or {})),
        "run": RunOptions(**(run or {})),
    }
    where = places or PlaceOptions()
    settings = settings_of(where, environ, **options)
    return choices_of(settings, where, **options), settings


def test_without_options_every_default_holds(batchconnect: CommandLine) -> None:
    """They are said once, in Choices."""
    assert Choices() == chosen()[0]


@pytest.mark.parametrize(
    ("group", "option", "value", "choice", "expected"),
    [
        ("service", "concurrency", 7, "concurrency", 7),
        ("service", "timeout", 9.0, "timeout_s", 9.0),
        ("service", "patience", 0.0, "patience_s", 0.0),
        ("service", "settle", 0.0, "settle_s", 0.0),
        ("service", "on_doubt", "hold", "on_doubt", OnDoubt.HOLD),
        ("service", "adopt_by_name", True, "adopt_by_name", True),
        ("service", "proxy", "http://proxy.test:3128", "proxy", "http://proxy.test:3128"),
        ("service", "ca_bundle", Path("ca.pem"), "ca_bundle", Path("ca.pem")),
        ("service", "seed", 7, "seed", 7),
        ("sheet", "worksheet", "Tab", "worksheet", "Tab"),
        ("sheet", "encoding", "cp1252", "encoding", "cp1252"),
        ("sheet", "org", "acme", "org", "acme"),
        ("sheet", "sandbox", "dev", "sandbox", "dev"),
        ("sheet", "only", ["org=acme"], "only", ("org=acme",)),
        ("sheet", "allow_refs", True, "allow_refs", True),
        ("sheet", "refs_dir", Path("refs"), "refs_dir", Path("refs")),
        ("sheet", "strict", True, "strict", True),
        ("run", "skip_invalid", True, "skip_invalid", True),
        ("run", "max_rows", 0, "max_rows", 0),
        ("run", "max_failures", "20", "max_failures", FailureLimit(rows=20)),
        ("run", "max_failures", " 5% ", "max_failures", FailureLimit(share=0.05)),
        ("run", "max_failures", "0.5%", "max_failures", FailureLimit(share=0.005)),
        ("run", "note", "CHG-1", "note", "CHG-1"),
        ("run", "settle_first", True, "settle_first", True),
        ("run", "recreate", True, "recreate", True),
    ],
)
def test_each_option_has_its_effect(  # noqa: PLR0917 - one line of the table above
    batchconnect: CommandLine, group: str, option: str, value: object, choice: str, expected: object
) -> None:
    """And on nothing else."""
    found = chosen(**{group: {option: value}})[0]  # type: ignore[arg-type]  # one of the groups

    assert expected == getattr(found, choice)
    assert {choice} == {
        name for name in Choices.__slots__ if getattr(found, name) != getattr(Choices(), name)
    }


def test_the_rate_is_that_of_every_org(batchconnect: CommandLine) -> None:
    """Also of those that the settings give another one."""
    settings = chosen(service={"rate": 3.0})[1]

    assert [org.rate for org in settings.orgs] == [3.0]


def test_an_allowed_host_is_one_of_the_settings(batchconnect: CommandLine) -> None:
    """Without it a foreign host is refused."""
    foreign = {**ONE_ORG, "BATCHCONNECT_PLATFORM_URL": "https://platform.example.com"}

    with pytest.raises(Exception, match=r"platform\.example\.com"):
        chosen(environ=foreign)
    assert chosen(environ=foreign, service={"allow_host": ["platform.example.com"]})


@pytest.mark.parametrize(
    ("line", "choice", "expected"),
    [
        ("skip_invalid = true", "skip_invalid", True),
        ("concurrency = 3", "concurrency", 3),
        ("timeout = 5", "timeout_s", 5.0),
        ("settle = 7", "settle_s", 7.0),
        ("patience = 8", "patience_s", 8.0),
        ('on_doubt = "hold"', "on_doubt", OnDoubt.HOLD),
        ("allow_refs = true", "allow_refs", True),
        ('proxy = "http://proxy.test:1"', "proxy", "http://proxy.test:1"),
    ],
)
def test_each_setting_has_its_effect(
    batchconnect: CommandLine, line: str, choice: str, expected: object
) -> None:
    """Where no flag wins over it."""
    batchconnect.write("batchconnect.toml", f"{line}\n")

    assert expected == getattr(chosen()[0], choice)


def test_a_flag_wins_over_the_settings(batchconnect: CommandLine) -> None:
    """Always."""
    batchconnect.write("batchconnect.toml", 'settle = 7\non_doubt = "hold"\nreports = "theirs"\n')

    found = chosen(
        service={"settle": 1.0, "on_doubt": "resend"}, places=PlaceOptions(reports=Path("mine"))
    )[0]

    assert (1.0, OnDoubt.RESEND, Path("mine")) == (found.settle_s, found.on_doubt, found.reports)


def test_the_environment_says_where_things_lie(batchconnect: CommandLine) -> None:
    """`BATCHCONNECT_LEDGER` and `BATCHCONNECT_REPORTS`; a flag wins over both."""
    environ = {**ONE_ORG, "BATCHCONNECT_LEDGER": "l.sqlite3", "BATCHCONNECT_REPORTS": "r"}

    by_environment = chosen(environ=environ)[0]
    by_flag = chosen(environ=environ, places=PlaceOptions(ledger=Path("m"), reports=Path("n")))[0]

    assert (Path("r"), Path("l.sqlite3")) == (by_environment.reports, by_environment.ledger)
    assert (Path("n"), Path("m")) == (by_flag.reports, by_flag.ledger)


def test_a_simulation_needs_no_settings_and_keeps_its_own_ledger(batchconnect: CommandLine) -> None:
    """Whatever is said of the real one."""
    places = PlaceOptions(simulate=True, ledger=Path("real.sqlite3"), reports=Path("r"))

    found = chosen(places=places, environ={}, service={"fault": "flaky"})[0]

    assert found.simulate
    assert found.fault == "flaky"
    assert Path("r/simulated/ledger.sqlite3").absolute() == found.ledger_path


def test_trouble_is_practised_on_the_simulator_only(batchconnect: CommandLine) -> None:
    """A `--fault` without it would look like a real run with trouble."""
    with pytest.raises(UsageError, match="--fault without --simulate"):
        chosen(service={"fault": "flaky"})


@pytest.mark.parametrize("text", ["x", "", "-1", "0", "0%", "101%", "2.5", "5 %", "%"])
def test_a_limit_of_failures_is_a_number_or_a_share(batchconnect: CommandLine, text: str) -> None:
    """Anything else is a mistake with an example."""
    with pytest.raises(UsageError, match="neither a number of rows nor a share"):
        chosen(run={"max_failures": text})


def test_a_part_is_chosen_as_rows_are(batchconnect: CommandLine) -> None:
    """For commands without a sheet, `--org` means only that org."""
    part = PartOptions(org="acme", only=["org=beta", "sandbox=dev"], strict=True)
    settings = settings_of(PlaceOptions(), {}, offline=True)

    found = choices_of(settings, PlaceOptions(), part=part)

    assert found.only == ("org=acme", "org=beta", "sandbox=dev")
    assert found.strict
    assert choices_of(settings, PlaceOptions(), part=PartOptions()).only == ()


def test_the_next_command_finds_the_same_ledger() -> None:
    """And reads the same rows of the sheet in the same way."""
    places = PlaceOptions(settings=Path("s.toml"), reports=Path("r"), ledger=Path("l"))
    sheet = SheetOptions(
        worksheet="Tab", encoding="cp1252", org="acme", sandbox="dev", only=["org=acme"],
        allow_refs=True, refs_dir=Path("refs"), strict=True,
    )  # fmt: skip

    assert place_flags(places) == ["--settings", "s.toml", "--reports", "r", "--ledger", "l"]
    assert place_flags(PlaceOptions(simulate=True)) == ["--simulate"]
    assert place_flags(PlaceOptions()) == []
    assert sheet_flags(SheetOptions()) == []
    assert sheet_flags(sheet) == [
        "--worksheet",
        "Tab",
        "--encoding",
        "cp1252",
        "--org",
        "acme",
        "--sandbox",
        "dev",
        "--only",
        "org=acme",
        "--refs-dir",
        "refs",
        "--allow-refs",
        "--strict",
    ]


def test_warnings_of_a_sheet_are_said_also_those_of_its_end(
    batchconnect: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once each; the sheet is closed."""
    path = batchconnect.sheet(many(1))
    path.chmod(0o644)

    with sheet_of(str(path), SheetOptions(), Console(OutputOptions())) as opened:
        assert len(list(opened.rows())) == 1

    assert capsys.readouterr().err.count("every user of this machine may read it") == 1


def test_a_ledger_in_a_bad_place_is_warned_of(
    batchconnect: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that a cloud keeps in step."""
    places = PlaceOptions(ledger=Path("Dropbox/ledger.sqlite3"))
    found, settings = chosen(places=places)

    warn_of_places(found, settings, Console(OutputOptions()))

    assert "the ledger lies in a synced folder (Dropbox)" in capsys.readouterr().err
