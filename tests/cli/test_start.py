"""From options, environment and settings to what a command takes, and back to flags."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import (
    as_part,
    options_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.model.errors import UsageError
from batchconnect.options import MergedOptions, RunOptions, with_defaults
from batchconnect.run.opening.places import ledger_place
from batchconnect.settings import Settings
from tests.command_line import CommandLine, many

ONE_ORG = {
    "BATCHCONNECT_ORG_ID": "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
    "BATCHCONNECT_CLIENT_ID": "client",
    "BATCHCONNECT_CLIENT_SECRET": "canary~client-secret",
}


def chosen(
    options: RunOptions | None = None, environ: Mapping[str, str] = ONE_ORG
) -> tuple[MergedOptions, Settings]:
    """What a `run` with these options gets."""
    given = Given(options=options or RunOptions())
    settings = settings_of(given, environ)
    return options_of(settings, given), settings


def test_without_options_every_default_holds(batchconnect: CommandLine) -> None:
    """They are said once, where the options are."""
    assert chosen()[0] == with_defaults()


def test_the_rate_is_that_of_every_org(batchconnect: CommandLine) -> None:
    """Also of those that the settings give another one."""
    settings = chosen(RunOptions(rate=3.0))[1]

    assert [org.rate for org in settings.orgs] == [3.0]


def test_an_allowed_host_is_one_of_the_settings(batchconnect: CommandLine) -> None:
    """Without it a foreign host is refused."""
    foreign = {**ONE_ORG, "BATCHCONNECT_PLATFORM_URL": "https://platform.example.com"}

    with pytest.raises(Exception, match=r"platform\.example\.com"):
        chosen(environ=foreign)
    assert chosen(RunOptions(allow_hosts="platform.example.com"), foreign)


def test_a_simulation_needs_no_settings_and_keeps_its_own_ledger(batchconnect: CommandLine) -> None:
    """Whatever is said of the real one."""
    rehearsal = RunOptions(simulate=True, ledger="real.sqlite3", reports="r", fault="flaky")

    found = chosen(rehearsal, {})[0]

    assert found.simulate
    assert found.fault == "flaky"
    assert ledger_place(found) == Path("r/simulated/ledger.sqlite3").absolute()


def test_trouble_is_practised_on_the_simulator_only(batchconnect: CommandLine) -> None:
    """A `--fault` without it would look like a real run with trouble."""
    with pytest.raises(UsageError, match="--fault without --simulate"):
        chosen(RunOptions(fault="flaky"))


def test_a_part_is_chosen_as_rows_are(batchconnect: CommandLine) -> None:
    """For commands without a sheet, `--org` means only that org; and of reconcile `--sandbox`."""
    given = Given(options=RunOptions(org="acme", sandbox="prod", only=["org=beta", "sandbox=dev"]))

    part = as_part(given).options
    both = as_part(given, sandbox="prod").options

    assert part.only == ("org=acme", "org=beta", "sandbox=dev")
    assert both.only == ("org=acme", "org=beta", "sandbox=dev", "sandbox=prod")
    assert (part.org, part.sandbox) == (None, None)
    assert as_part(Given()).options.only is None


def test_the_next_command_finds_the_same_ledger() -> None:
    """And reads the same rows of the sheet in the same way."""
    places = Given(settings=Path("s.toml"), options=RunOptions(reports="r", ledger="l"))
    sheet = RunOptions(
        worksheet="Tab", encoding="cp1252", org="acme", sandbox="dev",
        only=["org=acme", "sandbox=dev"], allow_refs=True, refs_dir="refs", strict=True,
    )  # fmt: skip

    assert place_flags(places) == ["--settings", "s.toml", "--reports", "r", "--ledger", "l"]
    assert place_flags(Given(options=RunOptions(simulate=True))) == ["--simulate"]
    assert place_flags(Given(options=RunOptions(simulate=False))) == []
    assert sheet_flags(places) == []
    assert sheet_flags(Given(options=sheet)) == [
        *("--worksheet", "Tab", "--encoding", "cp1252", "--org", "acme", "--sandbox", "dev"),
        *("--only", "org=acme", "--only", "sandbox=dev"),
        *("--allow-refs", "--refs-dir", "refs", "--strict"),
    ]


def test_warnings_of_a_sheet_are_said_also_those_of_its_end(
    batchconnect: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once each; the sheet is closed."""
    path = batchconnect.sheet(many(1))
    path.chmod(0o644)

    with sheet_of([str(path)], with_defaults(), Console(OutputOptions())) as opened:
        assert len(list(opened.rows())) == 1

    assert capsys.readouterr().err.count("every user of this machine may read it") == 1


def test_a_ledger_in_a_bad_place_is_warned_of(
    batchconnect: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that a cloud keeps in step."""
    found, settings = chosen(RunOptions(ledger="Dropbox/ledger.sqlite3"))

    warn_of_places(found, settings, Console(OutputOptions()))

    assert "the ledger lies in a synced folder (Dropbox)" in capsys.readouterr().err
