"""The options of a run: one table of wrong values for every way of giving them, and which way wins."""

import json
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from batchconnect.cli.options import GROUPS, Given
from batchconnect.cli.start import options_of, settings_of
from batchconnect.model.defaults import CONCURRENCY, LEASE_S, PATIENCE_S, TIMEOUT_S
from batchconnect.model.errors import ExitCode, SettingsError, UsageError
from batchconnect.model.precaution import FailureLimit, OnDoubt
from batchconnect.model.secret import Secret
from batchconnect.options import DEFAULTS, OPTIONS, RunOptions, merge, options_from, with_defaults
from batchconnect.settings import load_settings
from tests.command_line import CommandLine

NAN = float("nan")
PASSWORD = "canary~password"

CHOSEN: Mapping[str, tuple[Any, Any]] = {
    "reports": ("here", "there"),
    "ledger": ("here.sqlite3", "there.sqlite3"),
    "simulate": (True, False),
    "worksheet": ("Tab", "Other"),
    "all_worksheets": (True, False),
    "map": (["Kunde=name"], ["Nr=name"]),
    "visible_only": (True, False),
    "encoding": ("cp1252", "utf-16"),
    "org": ("acme", "beta"),
    "sandbox": ("dev", "prod"),
    "only": (["org=acme"], ["sandbox=dev"]),
    "allow_refs": (True, False),
    "refs_dir": ("keys", "others"),
    "strict": (True, False),
    "rate": (2.0, 3.0),
    "concurrency": (CONCURRENCY, 3),
    "timeout": (TIMEOUT_S, 5.0),
    "patience": (PATIENCE_S, 8.0),
    "settle": (180.0, 7.0),
    "on_doubt": ("resend", "hold"),
    "lease": (LEASE_S, 9.0),
    "adopt_by_name": (True, False),
    "proxy": ("http://near.test:1", "http://far.test:1"),
    "ca_bundle": ("near.pem", "far.pem"),
    "allow_hosts": (["near.test"], ["far.test"]),
    "fault": ("flaky", "throttle"),
    "seed": (0, 7),
    "skip_invalid": (True, False),
    "max_rows": (0, 5),
    "max_failures": ("20", "5%"),
    "settle_first": (True, False),
    "recreate": (True, False),
    "accept_unproven_listing": (True, False),
    "no_sweep": (True, False),
    "verify": (True, False),
    "note": ("CHG-1", "CHG-2"),
}
"""For each option a value that is given nearer, and another that is given farther away."""

IN_FILE = [name for name, one in OPTIONS.items() if one.in_file]
IN_ENVIRONMENT = [name for name, one in OPTIONS.items() if one.in_environment]

WRONG: Mapping[str, tuple[Any, ...]] = {
    "reports": ("", 5),
    "ledger": ("", True),
    "simulate": ("true", 1),
    "worksheet": ("", 5),
    "all_worksheets": ("no",),
    "map": ("Kunde", "Kunde=", "=name", "", ["Kunde=name", "x"], [5]),
    "visible_only": ("no",),
    "encoding": ("",),
    "org": ("", ["acme"]),
    "sandbox": ("",),
    "only": (
        "acme",
        " =x",
        "org=",
        "sandbox=",
        "=acme",
        "",
        ["org=acme", "acme"],
        [5],
        {}.keys,
    ),
    "allow_refs": ("true", 1),
    "refs_dir": ("", "~nobody-of-this-name/keys"),
    "strict": ("no",),
    "rate": (0, -1.0, NAN, float("inf"), "fast", True),
    "concurrency": (0, -1, 2.5, True, "64x"),
    "timeout": (0, -1, NAN, "soon"),
    "patience": (-1, NAN, "long"),
    "settle": (-0.5, NAN, "x"),
    "on_doubt": ("guess", "HOLD", "", True),
    "lease": (0, 1.9, NAN, "long"),
    "adopt_by_name": ("true",),
    "proxy": ("", 5),
    "ca_bundle": ("",),
    "allow_hosts": ("", [""], [5], 5),
    "fault": ("bad", ""),
    "seed": (2.5, "x"),
    "skip_invalid": ("true", 0),
    "max_rows": (-1, 2.5, "many"),
    "max_failures": ("x", "", "-1", 0, "0%", "101%", "2.5", "5 %", "%", 0.05, True, FailureLimit()),
    "settle_first": ("true",),
    "recreate": (0,),
    "accept_unproven_listing": ("yes",),
    "no_sweep": (1,),
    "verify": (1,),
    "note": (5,),
}
"""For each option what cannot be meant."""


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
    return CommandLine(tmp_path, capsys, monkeypatch, {})


def each(table: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """One case for each value, called by its option."""
    return [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, values in table.items()
        for number, value in enumerate(values)
    ]


def told(raise_it: Callable[[], object], kind: type[UsageError] | type[SettingsError]) -> str:
    """What is said of a wrong value."""
    with pytest.raises(kind) as caught:
        raise_it()

    assert caught.value.exit_code == ExitCode.USAGE
    return caught.value.message


def test_no_option_is_forgotten_in_the_tables_of_this_page() -> None:
    """A new one has to be tried with good values and with wrong ones, in every way it can be given."""
    assert list(CHOSEN) == list(OPTIONS)
    assert list(WRONG) == list(OPTIONS)


def test_every_option_may_be_typed() -> None:
    """Some command takes it; and a command takes no other."""
    typed = {name for group in GROUPS for name in group.names}
    of_commands = {one.name for one in fields(Given)} - {"options"}

    assert typed == {*OPTIONS, *of_commands}


# -- wrong values ----------------------------------------------------------------------------------


SLIPS = ("postgres//", "postgresql//", "postgresql:/", "postgresql:", "POSTGRESQL://", "mysql://")


@pytest.mark.parametrize(("name", "value"), each(WRONG))
def test_a_wrong_value_from_python_names_the_option_and_what_it_must_be(
    name: str, value: Any
) -> None:
    """One sentence, without the value; what was quoted by mistake is told as that."""
    message = told(lambda: RunOptions(**{name: value}), UsageError)

    said, _, rest = message.partition(OPTIONS[name].shape.must_be)
    assert said == f"{name} must be "
    is_quoted = isinstance(value, str) and OPTIONS[name].shape.kind in {bool, int, float}
    assert rest == (", without quotes" if is_quoted else "")


TYPED = [
    (name, value)
    for name, values in WRONG.items()
    for value in values
    if isinstance(value, str | float | int)
    and not isinstance(value, bool)
    and OPTIONS[name].shape.kind is not bool
    and OPTIONS[name].shape.convert(str(value)) is None
    and OPTIONS[name].shape.convert(OPTIONS[name].shape.read(str(value))) is None
]


@pytest.mark.parametrize(("name", "value"), TYPED)
def test_a_wrong_value_on_the_command_line_is_told_in_the_same_sentence(
    place: CommandLine, name: str, value: object
) -> None:
    """By the name of the flag, before anything is opened."""
    done = place("run", "none.csv", "--simulate", f"{OPTIONS[name].flag}={value}")

    assert done.code == 2
    assert done.err == f"error: {OPTIONS[name].flag} must be {OPTIONS[name].shape.must_be}\n"


def test_the_command_line_is_tried_with_what_can_be_typed() -> None:
    """All that takes a value, but a note, which may be any text."""
    takes = {name for name, one in OPTIONS.items() if one.shape.kind is not bool}

    assert {name for name, _ in TYPED} == takes - {"note"}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in IN_FILE for value in WRONG[name]]
)
def test_a_wrong_value_in_the_file_is_told_in_the_same_sentence(
    place: CommandLine, name: str, value: Any
) -> None:
    """By its key and the file."""
    text = str(value) if isinstance(value, float) else json.dumps(value)
    place.write("batchconnect.toml", f"{name} = {text}\n")

    message = told(lambda: load_settings(path=None, environ={}), SettingsError)

    from_python = told(lambda: RunOptions(**{name: value}), UsageError)
    assert message == from_python.replace(name, f"{name} in batchconnect.toml", 1)


@pytest.mark.parametrize("name", IN_ENVIRONMENT)
def test_a_wrong_value_in_the_environment_is_told_in_the_same_sentence(
    place: CommandLine, name: str
) -> None:
    """By its variable."""
    variable = f"BATCHCONNECT_{name.upper()}"
    environ = {variable: "~nobody-of-this-name/x"}

    message = told(lambda: load_settings(path=None, environ=environ), SettingsError)

    assert message == f"{variable} must be {OPTIONS[name].shape.must_be}"


@pytest.mark.parametrize("url", ["proxy:3128", "socks5://u:{}@p:1", "http://u:{}@p:port", "{}"])
@pytest.mark.parametrize("simulate", [True, False])
def test_a_proxy_that_is_no_address_is_told_without_its_password(
    place: CommandLine, url: str, *, simulate: bool
) -> None:
    """From Python, as a flag and from the file."""
    wrong = url.format(PASSWORD)
    options = RunOptions(proxy=wrong, simulate=simulate)
    org = '[orgs.a]\norg_id = "A@AdobeOrg"\nclient_id = "c"\nclient_secret = "secret"\n'
    place.write("batchconnect.toml", org)
    given = Given(options=options)

    flag = told(lambda: settings_of(given, {}), SettingsError)
    python = told(lambda: load_settings(path=None, environ={}, options=options), SettingsError)
    place.write("batchconnect.toml", f'proxy = "{wrong}"\n{org}')
    file = told(lambda: load_settings(path=None, environ={}), SettingsError)

    rest = f" must be {OPTIONS['proxy'].shape.must_be}"
    assert [python, flag, file] == [
        f"{name}{rest}" for name in ("proxy", "--proxy", "proxy in batchconnect.toml")
    ]
    assert PASSWORD not in f"{options}"


def test_a_misspelled_option_is_told_by_the_nearest_name() -> None:
    """An error of ours, not Python's."""
    misspelled: dict[str, Any] = {"concurency": 2}
    near = told(lambda: RunOptions(**misspelled), UsageError)
    far = told(lambda: options_from({"xyzzy": 2}), UsageError)

    assert near == "concurency is not an option; concurrency is one"
    assert far == "xyzzy is not an option"


# -- conversion ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("ledger", f"{slip}u:pass-Word-77@db/batchconnect") for slip in SLIPS),
        ("ledger", Path("postgresql://db/batchconnect")),
        ("reports", "s3://bucket/reports"),
    ],
)
def test_an_address_is_no_path(name: str, value: Any) -> None:
    """A slip in a team's ledger would be a new file here, and its password the name of a folder."""
    with pytest.raises(UsageError, match="must be a path") as caught:
        RunOptions(**{name: value})

    assert "pass-Word-77" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("path", ["postgres/l.sqlite3", "C:/l.sqlite3", "a:b", "postgres"])
def test_a_path_that_resembles_an_address_is_one(path: str) -> None:
    assert RunOptions(ledger=path).ledger == Path(path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("on_doubt", "hold", OnDoubt.HOLD),
        ("on_doubt", OnDoubt.HOLD, OnDoubt.HOLD),
        ("max_failures", 20, FailureLimit(rows=20)),
        ("max_failures", " 5% ", FailureLimit(share=0.05)),
        ("max_failures", "0.5%", FailureLimit(share=0.005)),
        ("max_failures", FailureLimit(rows=2), FailureLimit(rows=2)),
        ("reports", "out", Path("out")),
        ("ledger", "~/l.sqlite3", Path.home() / "l.sqlite3"),
        ("refs_dir", Path("keys"), Path("keys")),
        ("only", "org=acme", ("org=acme",)),
        ("only", ["org=acme", "sandbox=dev"], ("org=acme", "sandbox=dev")),
        ("only", (), ()),
        ("rate", 5, 5.0),
        ("timeout", 0.05, 0.05),
        ("proxy", "http://p:1", Secret("http://p:1")),
        ("note", "", ""),
        ("seed", -1, -1),
    ],
)
def test_what_is_meant_is_converted(name: str, value: Any, expected: object) -> None:
    """Once; what was converted stays as it is."""
    options = RunOptions(**{name: value})

    assert getattr(options, name) == expected
    assert type(getattr(options, name)) is type(expected)
    assert replace(options, strict=None) == options


def test_options_do_not_change_and_show_no_password() -> None:
    """They are frozen; a proxy is a secret."""
    options = RunOptions(proxy=f"http://u:{PASSWORD}@p:1")

    with pytest.raises(FrozenInstanceError):
        options.strict = True  # type: ignore[misc]  # that is the test
    assert PASSWORD not in repr(options)
    assert options.proxy_url == Secret(f"http://u:{PASSWORD}@p:1")
    assert RunOptions().proxy_url is None


# -- which one wins --------------------------------------------------------------------------------


def test_what_nobody_chose_is_the_default() -> None:
    """Each option has one or is None; a text of `--help` that tells it is made of it."""
    assert RunOptions().given() == {}
    assert with_defaults().given() == DEFAULTS.given()
    for one in OPTIONS.values():
        assert one.default is None or getattr(DEFAULTS, one.name) == one.default


@pytest.mark.parametrize("name", OPTIONS)
def test_the_nearer_layer_wins_also_where_it_says_the_default(name: str) -> None:
    """And a farther one counts where the nearer says nothing; hosts alone are joined."""
    near, far = (RunOptions(**{name: value}) for value in CHOSEN[name])

    found = getattr(merge(near, far), name)

    if OPTIONS[name].is_joined:
        assert found == (*getattr(near, name), *getattr(far, name))
    else:
        assert found == getattr(near, name) != getattr(far, name)
    assert merge(RunOptions(), far) == merge(far, far) == far
    assert getattr(with_defaults(far), name) == getattr(far, name)


@pytest.mark.parametrize("name", IN_FILE)
def test_an_option_wins_over_environment_file_and_default(place: CommandLine, name: str) -> None:
    """In this order, as a command is given them; a switch that is not typed says nothing."""
    near, far = CHOSEN[name]
    text = json.dumps(far)
    place.write("batchconnect.toml", f"{name} = {text}\n")
    variable = f"BATCHCONNECT_{name.upper()}"
    environ = {variable: "variable"} if OPTIONS[name].in_environment else {}

    def found(options: RunOptions, environ: Mapping[str, str]) -> object:
        given = Given(options=options)
        return getattr(options_of(settings_of(given, environ, offline=True), given), name)

    if name == "proxy":
        # Where nothing will be sent it is judged and not handed on; that it wins is shown elsewhere.
        assert found(RunOptions(proxy=near), {}) is None
        return
    chosen = RunOptions(**{name: near})
    joined = getattr(merge(chosen, RunOptions(**{name: far})), name)
    assert found(chosen, environ) == joined
    assert found(RunOptions(), environ) == (
        Path("variable") if environ else getattr(RunOptions(**{name: far}), name)
    )
    assert found(RunOptions(), {}) == getattr(RunOptions(**{name: far}), name)
    place.write("batchconnect.toml", "")
    assert found(RunOptions(), {}) == OPTIONS[name].default
