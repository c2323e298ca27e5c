"""Settings: file, environment and flags, and what a wrong one is told as."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel

from batchconnect.model.errors import ExitCode, SettingsError
from batchconnect.model.org import IMS_URL, PLATFORM_URL, SCOPES
from batchconnect.model.secret import Secret
from batchconnect.options import RunOptions
from batchconnect.settings import Settings, load_settings
from batchconnect.settings.source import read_environment
from batchconnect.settings.tables import NotifyTable, OrgTable, StoreTable, Tables

ORG_ID = "5C1328435BF324E90A49402A@AdobeOrg"
OTHER_ID = "6D1328435BF324E90A49402B@AdobeOrg"
CANARY = "canary-S3cret~value.42"

ONE_ORG = {
    "BATCHCONNECT_ORG_ID": ORG_ID,
    "BATCHCONNECT_CLIENT_ID": "client-1",
    "BATCHCONNECT_CLIENT_SECRET": CANARY,
}
ACME = f'[orgs.acme]\norg_id = "{ORG_ID}"\nclient_id = "c1"\nclient_secret = "env:ACME"\n'
GLOBEX = f'[orgs.globex]\norg_id = "{OTHER_ID}"\nclient_id = "c2"\nclient_secret = "env:ACME"\n'
ENVIRON = {"ACME": CANARY}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATCHCONNECT_")]:
        monkeypatch.delenv(name)


def write(text: str, name: str = "batchconnect.toml", mode: int = 0o600) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def load(
    text: str | None = None,
    environ: Mapping[str, str] = ENVIRON,
    options: RunOptions | None = None,
    *,
    resolve_secrets: bool = True,
) -> Settings:
    if text is not None:
        write(text)
    return load_settings(
        path=None, environ=environ, options=options, resolve_secrets=resolve_secrets, flags=True
    )


def refusal(
    text: str | None = None,
    environ: Mapping[str, str] = ENVIRON,
    options: RunOptions | None = None,
) -> str:
    with pytest.raises(SettingsError) as caught:
        load(text, environ, options)
    error = caught.value
    told = f"{error.message}\n{error.hint}"

    assert error.exit_code == ExitCode.USAGE
    assert CANARY not in told
    assert error.__context__ is None or error.__suppress_context__
    return told


# -- sources ---------------------------------------------------------------------------------------


def test_one_org_comes_from_the_environment() -> None:
    """Its key is the org id, as there is no section that would name it."""
    settings = load(environ={**ONE_ORG, "BATCHCONNECT_SANDBOX": "dev"})

    (org,) = settings.orgs
    assert (org.key, org.org_id, org.client_id, org.sandbox) == (ORG_ID, ORG_ID, "client-1", "dev")
    assert Secret(CANARY) == org.client_secret
    assert (org.scopes, org.platform_url, org.ims_url) == (SCOPES, PLATFORM_URL, IMS_URL)
    assert settings.file is None
    assert settings.warnings == ()


def test_many_orgs_come_from_the_file_of_the_current_folder() -> None:
    """Everything of a section arrives in its org."""
    settings = load(
        ACME
        + 'sandbox = "prod"\nrate = 5\naliases = ["Acme GmbH"]\nscopes = "openid, AdobeID"\n'
        + GLOBEX
    )

    acme, globex = settings.orgs
    assert (
        acme.key,
        acme.aliases,
        acme.sandbox,
        acme.rate,
    ) == ("acme", ("Acme GmbH",), "prod", 5.0)
    assert acme.scopes == "openid,AdobeID"
    assert globex.rate is None
    assert Path("batchconnect.toml") == settings.file
    assert (Secret(CANARY),) * 2 == settings.secrets


def test_the_process_environment_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is handed in."""
    for name, value in ONE_ORG.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ORGS", '{"x": {}}')

    assert load(environ={}, resolve_secrets=False).orgs == ()


@pytest.mark.parametrize("name", ["BATCHCONNECT_CLIENT_SECRET", "BATCHCONNECT_LEDGER", "KEPT"])
def test_a_variable_that_is_no_utf8_is_refused_by_its_name(name: str) -> None:
    """Python hands such a byte on as half a character, which nothing can send, compare or write down."""
    org = {
        "ORG_ID": "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
        "CLIENT_ID": "client",
        "CLIENT_SECRET": "env:KEPT",
    }
    kept = {"KEPT": "made-up"} | {f"BATCHCONNECT_{name}": text for name, text in org.items()}
    told = refusal(environ={**kept, name: "postgresql://u:p\udc80w@db/l"})

    assert f"`{name}` is no text in UTF-8" in told.replace(f"variable {name}", f"variable `{name}`")


def test_a_variable_wins_over_one_field_of_one_org() -> None:
    """The other fields and the other orgs stay as the file has them."""
    environ = {
        **ENVIRON,
        "BATCHCONNECT_ORGS__ACME__CLIENT_SECRET": "another-secret",
        "BATCHCONNECT_ORGS__ACME__RATE": "2.5",
        "BATCHCONNECT_ORGS__ACME__ALIASES": "A, B",
        "BATCHCONNECT_ORGS__GLOBEX__ALIASES": '["C, D"]',
    }
    acme, globex = load(ACME + "rate = 9\n" + GLOBEX, environ).orgs

    assert Secret("another-secret") == acme.client_secret
    assert (acme.rate, acme.aliases) == (2.5, ("A", "B"))
    assert globex.aliases == ("C, D",)
    assert Secret(CANARY) == globex.client_secret


@pytest.mark.parametrize("setting", OrgTable.model_fields)
def test_each_setting_of_an_org_may_be_given_by_a_variable(setting: str) -> None:
    """Of one that somebody adds, too: a number that stayed a text would be refused, and nobody told why."""
    name = f"BATCHCONNECT_ORGS__ACME__{setting.upper()}"

    given = read_environment({name: "2.5"}, ["acme"]).values["orgs"]["acme"]

    assert OrgTable.model_validate(
        {"org_id": ORG_ID, "client_id": "c1", **given}
    ).model_fields_set >= {setting}


@pytest.mark.parametrize("form", [OrgTable, StoreTable, NotifyTable, Tables])
def test_each_setting_says_what_it_must_be(form: type[BaseModel]) -> None:
    """The second half of the sentence that a wrong value is told by."""
    assert [name for name, one in form.model_fields.items() if not one.description] == []


def test_a_variable_spells_a_key_as_variables_can() -> None:
    """`acme-gmbh` is ACME_GMBH."""
    text = ACME.replace("orgs.acme", 'orgs."Acme-GmbH"')
    (org,) = load(text, {**ENVIRON, "BATCHCONNECT_ORGS__ACME_GMBH__SANDBOX": "dev"}).orgs

    assert (org.key, org.sandbox) == ("Acme-GmbH", "dev")


def test_a_variable_that_means_two_keys_is_an_error() -> None:
    """Nobody could say which one."""
    text = ACME.replace("acme", "a-b") + GLOBEX.replace("globex", "a_b")
    told = refusal(text, {**ENVIRON, "BATCHCONNECT_ORGS__A_B__SANDBOX": "dev"})

    assert "more than one org: a-b, a_b" in told


def test_an_org_may_stand_in_variables_alone() -> None:
    """Its key is then in lower case."""
    prefix = "BATCHCONNECT_ORGS__ACME__"
    environ = {
        f"{prefix}ORG_ID": ORG_ID,
        f"{prefix}CLIENT_ID": "c",
        f"{prefix}CLIENT_SECRET": CANARY,
    }

    assert load(environ=environ).orgs[0].key == "acme"


def test_flags_win_over_variables_and_these_over_the_file() -> None:
    """One setting of each kind."""
    environ = {**ENVIRON, "BATCHCONNECT_REPORTS": "env-reports", "BATCHCONNECT_LEDGER": "env.db"}
    text = 'reports = "r"\nledger = "l"\nrate = 1\nconcurrency = 8\nskip_invalid = true\n' + ACME
    settings = load(
        text + "rate = 3\n",
        environ,
        RunOptions(ledger=Path("flag.db"), rate=4.0, allow_hosts=("Gateway.Example.com",)),
    )

    assert (Path("flag.db"), Path("env-reports")) == (
        settings.options.ledger,
        settings.options.reports,
    )
    assert (settings.options.rate, settings.orgs[0].rate, settings.options.concurrency) == (
        4.0,
        4.0,
        8,
    )
    assert settings.options.skip_invalid
    assert settings.options.allow_hosts == ("gateway.example.com",)


def test_a_flag_may_switch_off_what_the_file_switches_on() -> None:
    """False is an answer, None is not."""
    text = "skip_invalid = true\n" + ACME

    assert not load(text, options=RunOptions(skip_invalid=False)).options.skip_invalid
    assert load(text).options.skip_invalid


def test_every_long_lived_option_may_stand_in_the_file() -> None:
    """Each has its type, and is None where it was not given."""
    write(
        'settle = 200\non_doubt = "hold"\npatience = 60.5\ntimeout = 30\nallow_refs = true\n'
        'refs_dir = "keys"\nallow_hosts = ["GW.example.com"]\nproxy = "http://u:pass%40word@p:1"\n'
        'ca_bundle = "/etc/ca.pem"\n' + ACME,
        "conf/b.toml",
    )
    settings = load_settings(
        path=Path("conf/b.toml"), environ=ENVIRON, options=RunOptions(allow_hosts=("x.y",))
    )

    assert (
        settings.options.settle,
        settings.options.on_doubt,
        settings.options.patience,
        settings.options.timeout,
    ) == (200.0, "hold", 60.5, 30.0)
    assert settings.options.allow_refs
    assert (Path("conf/keys"), Path("/etc/ca.pem")) == (
        settings.options.refs_dir,
        settings.options.ca_bundle,
    )
    assert settings.options.allow_hosts == ("x.y", "gw.example.com")
    assert Secret("http://u:pass%40word@p:1") == settings.options.proxy
    assert Secret("pass@word") in settings.secrets
    assert "proxy in conf/b.toml is written out" in settings.warnings[0]
    assert "pass" not in repr(settings)


def test_a_proxy_without_a_password_is_no_secret_to_warn_about() -> None:
    """One with a password may stand elsewhere; the flag wins over both."""
    plain = load('proxy = "http://p:3128"\n' + ACME)
    elsewhere = load(
        'proxy = "env:PROXY"\n' + ACME, {**ENVIRON, "PROXY": f"http://u:{CANARY}@p:3128"}
    )
    flag = load(ACME, options=RunOptions(proxy="http://flag:1"))

    assert (plain.warnings, plain.secrets) == ((), (Secret(CANARY),))
    assert elsewhere.warnings == ()
    assert elsewhere.secrets == (Secret(CANARY), Secret(CANARY))
    assert flag.options.proxy == Secret("http://flag:1")
    assert load('proxy = "env:PROXY"\n' + ACME, resolve_secrets=False).options.proxy is None


def test_without_options_nothing_is_assumed() -> None:
    """The user of a value knows its default."""
    settings = load(ACME)

    assert settings.options == RunOptions()


def test_paths_in_the_file_are_relative_to_the_file() -> None:
    """So every folder finds the same ledger and the same secrets."""
    write(CANARY, "conf/acme.secret")
    write(
        'ledger = "l.db"\nreports = "~/r"\n' + ACME.replace("env:ACME", "file:acme.secret"),
        "conf/b.toml",
    )
    settings = load(environ={"BATCHCONNECT_SETTINGS": "conf/b.toml"})

    assert (Path("conf/l.db"), Path.home() / "r") == (
        settings.options.ledger,
        settings.options.reports,
    )
    assert Secret(CANARY) == settings.orgs[0].client_secret


def test_settings_do_not_change() -> None:
    """They are frozen."""
    with pytest.raises(AttributeError):
        load(ACME).orgs = ()  # type: ignore[misc]  # that is the test


# -- secrets ---------------------------------------------------------------------------------------


def test_every_secret_may_stand_in_a_file() -> None:
    """`…_FILE` names it; the line break at its end is the editor's."""
    write(f"{CANARY}\n", "secret.txt")
    environ = {name: value for name, value in ONE_ORG.items() if not name.endswith("SECRET")}
    prefix = "BATCHCONNECT_ORGS__ACME__"

    one = load(environ={**environ, "BATCHCONNECT_CLIENT_SECRET_FILE": "secret.txt"})
    token = load(environ={**environ, "BATCHCONNECT_ACCESS_TOKEN_FILE": "secret.txt"})
    many = load(ACME, {f"{prefix}CLIENT_SECRET_FILE": "secret.txt"})

    assert Secret(CANARY) == one.orgs[0].client_secret == many.orgs[0].client_secret
    assert (None, Secret(CANARY)) == (token.orgs[0].client_secret, token.orgs[0].access_token)


def test_a_ready_token_stands_in_place_of_the_secret() -> None:
    """Given both, the token is used, and that is said."""
    settings = load(environ={**ONE_ORG, "BATCHCONNECT_ACCESS_TOKEN": "token.of.today"})

    assert Secret("token.of.today") == settings.orgs[0].access_token
    assert settings.orgs[0].client_secret is None
    assert "BATCHCONNECT_CLIENT_SECRET is not" in settings.warnings[0]


def test_a_secret_in_the_file_works_and_is_warned_about() -> None:
    """And more so where others may read the file."""
    text = ACME.replace("env:ACME", CANARY)
    write(text, mode=0o644)
    settings = load()

    assert Secret(CANARY) == settings.orgs[0].client_secret
    (warning,) = settings.warnings
    assert "client_secret in [orgs.acme] of batchconnect.toml is written out" in warning
    assert "chmod go-r" in warning
    assert CANARY not in warning + repr(settings)
    assert "chmod" not in load(text).warnings[0]


def test_nothing_is_resolved_where_nothing_is_sent() -> None:
    """A reference that leads nowhere does not matter, nor does a missing secret or org."""
    (org,) = load(ACME, {}, resolve_secrets=False).orgs
    bare = ACME.replace('client_secret = "env:ACME"\n', 'access_token = "env:NOPE"\n')

    assert (org.client_secret, org.access_token) == (None, None)
    assert load(bare, {}, resolve_secrets=False).orgs[0].access_token is None
    assert load(ACME.rsplit("client_secret", 1)[0], {}, resolve_secrets=False).secrets == ()
    assert load("", {}, resolve_secrets=False).orgs == ()


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        (
            ACME,
            {},
            ["client_secret in [orgs.acme] of batchconnect.toml", "(4 characters) is not set"],
        ),
        (ACME, {"ACME": ""}, ["`ACME` is empty"]),
        (
            ACME.replace("env:ACME", "file:nope"),
            {},
            ["client_secret in [orgs.acme]", "cannot be opened"],
        ),
        (ACME.replace("env:ACME", ""), {}, ["client_secret in [orgs.acme]", "is empty"]),
        (ACME.replace('"env:ACME"', "12345678"), {}, ["client_secret in [orgs.acme]", "env:NAME"]),
    ],
)
def test_a_secret_that_cannot_be_had_names_its_setting(
    text: str, environ: dict[str, str], words: list[str]
) -> None:
    """The setting, its place, and what is wrong with the reference."""
    told = refusal(text, environ)

    assert all(word in told for word in words), told
    assert "12345678" not in told


def test_a_token_is_one_word() -> None:
    """`Bearer` is often copied along."""
    told = refusal(environ={**ONE_ORG, "BATCHCONNECT_ACCESS_TOKEN": f"Bearer {CANARY}"})

    assert "BATCHCONNECT_ACCESS_TOKEN must be one word" in told
    assert "without `Bearer`" in told


def test_white_space_around_a_secret_is_kept_and_said() -> None:
    """It may belong there; most often it does not."""
    settings = load(ACME, {"ACME": f"{CANARY} "})

    assert Secret(f"{CANARY} ") == settings.orgs[0].client_secret
    assert "white space" in settings.warnings[0]


def test_a_secret_given_twice_is_an_error() -> None:
    """Which one would be meant?"""
    told = refusal(environ={**ONE_ORG, "BATCHCONNECT_CLIENT_SECRET_FILE": "x"})

    assert "BATCHCONNECT_CLIENT_SECRET and BATCHCONNECT_CLIENT_SECRET_FILE" in told


# -- wrong and missing -----------------------------------------------------------------------------


def test_one_org_variables_beside_sections_are_an_error_that_names_both() -> None:
    """Whether the sections stand in the file or in variables."""
    in_file = refusal(ACME, {**ENVIRON, "BATCHCONNECT_CLIENT_ID": "x"})
    Path("batchconnect.toml").unlink()
    in_variables = refusal(environ={**ONE_ORG, "BATCHCONNECT_ORGS__ACME__SANDBOX": "x"})

    assert "BATCHCONNECT_CLIENT_ID" in in_file
    assert "[orgs.acme] of batchconnect.toml" in in_file
    assert "BATCHCONNECT_ORG_ID" in in_variables
    assert "BATCHCONNECT_ORGS__ACME__SANDBOX" in in_variables


def test_no_org_at_all_says_how_to_set_one() -> None:
    """Both ways."""
    told = refusal(environ={})

    assert all(word in told for word in ("no org", "BATCHCONNECT_ORG_ID", "batchconnect init"))


@pytest.mark.parametrize("missing", ["org_id", "client_id", "client_secret"])
def test_a_missing_setting_names_itself_the_file_the_section_and_the_variable(missing: str) -> None:
    """In the file, and where the environment is the settings."""
    text = "".join(f"{line}\n" for line in ACME.splitlines() if not line.startswith(missing))
    in_file = refusal(text)
    Path("batchconnect.toml").unlink()
    one = {name: value for name, value in ONE_ORG.items() if not name.endswith(missing.upper())}
    in_environment = refusal(environ=one)

    assert f"{missing} is missing in [orgs.acme] of batchconnect.toml" in in_file
    assert f"BATCHCONNECT_ORGS__ACME__{missing.upper()}" in in_file
    assert f"{missing} is missing: set BATCHCONNECT_{missing.upper()}" in in_environment
    assert ("_FILE, or an access_token" in in_file) == (missing == "client_secret")


def test_a_variable_with_a_misspelled_org_shows_the_known_ones() -> None:
    """Or it would look like a new org without its other fields."""
    told = refusal(ACME, {**ENVIRON, "BATCHCONNECT_ORGS__ACNE__SANDBOX": "dev"})

    assert "org_id is missing in [orgs.acne]" in told
    assert "the file has [orgs.acme]" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("skip_invalied = true\n" + ACME, "skip_invalied in batchconnect.toml is not a setting; "),
        ("skip_invalied = true\n" + ACME, "; skip_invalid is one"),
        ("[org.acme]\nx = 1", "org in batchconnect.toml is not a setting; orgs is one"),
        (ACME + f'client_secert = "{CANARY}"', "client_secert in [orgs.acme] of batchconnect.toml"),
        (ACME + f'client_secert = "{CANARY}"', "client_secret is one"),
        (f'client_secret = "{CANARY}"\n' + ACME, "client_secret in batchconnect.toml is not a set"),
        (ACME + "zzzzzz = 1", "zzzzzz in [orgs.acme] of batchconnect.toml is not a setting\n"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known(text: str, words: str) -> None:
    """A secret in the wrong place is not shown."""
    assert words in refusal(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('rate = "fast"\n' + ACME, "rate in batchconnect.toml must be a number of at least 0.01"),
        ("rate = true\n" + ACME, "rate in batchconnect.toml must be a number of at least 0.01"),
        (
            ACME + "rate = 0",
            "rate in [orgs.acme] of batchconnect.toml must be a number of at least 0.01",
        ),
        (ACME + "rate = nan", "must be a number of at least 0.01"),
        (ACME + 'aliases = "one"', "aliases in [orgs.acme] of batchconnect.toml must be a list"),
        (ACME + "aliases = [1]", "aliases in [orgs.acme] of batchconnect.toml must be a list"),
        ('skip_invalid = "true"\n' + ACME, "must be true or false"),
        ("concurrency = 0\n" + ACME, "concurrency in batchconnect.toml must be a whole number"),
        ("settle = -1\n" + ACME, "settle in batchconnect.toml must be seconds"),
        ('on_doubt = "guess"\n' + ACME, '"resend" or "hold"'),
        ('reports = ""\n' + ACME, "reports in batchconnect.toml must be a path"),
        ("ledger = 5\n" + ACME, "ledger in batchconnect.toml must be a path"),
        ("orgs = 5", "orgs in batchconnect.toml must be a section"),
        ("[orgs]\nacme = 5", "orgs.acme in batchconnect.toml must be a section"),
        (ACME + 'sandbox = "Prod"', "sandbox in [orgs.acme] of batchconnect.toml: "),
        (ACME + 'scopes = ","', "scopes in [orgs.acme] of batchconnect.toml must be scopes"),
        ('reports = "~nobody-of-this-name/x"\n' + ACME, "reports in batchconnect.toml"),
        ('proxy = "proxy:3128"\n' + ACME, "proxy in batchconnect.toml must be an address"),
        (f'proxy = "http://u:{CANARY}@p:port"\n' + ACME, "proxy in batchconnect.toml must be an"),
        (f'proxy = "socks5://u:{CANARY}@p:1"\n' + ACME, "proxy in batchconnect.toml must be an"),
        ('allow_hosts = ["https://x.y"]\n' + ACME, "allow_hosts in batchconnect.toml must name"),
    ],
)
def test_a_wrong_value_names_its_setting_and_what_it_must_be(text: str, words: str) -> None:
    """Never the value."""
    assert words in refusal(text)


def test_several_wrong_settings_are_told_at_once() -> None:
    """One line each."""
    told = refusal('rate = "fast"\nnonsense = 1\n' + ACME + "rate = -1")

    assert len(told.splitlines()) == 4


def test_a_wrong_variable_or_flag_is_named_as_such() -> None:
    """Not as a line of the file that has none."""
    in_variable = refusal(ACME, {**ENVIRON, "BATCHCONNECT_ORGS__ACME__RATE": "fast"})
    unknown = refusal(ACME, {**ENVIRON, "BATCHCONNECT_ORGS__ACME__SANDBOXES": CANARY})
    host = refusal(ACME, options=RunOptions(allow_hosts=("a/b",)))

    assert "BATCHCONNECT_ORGS__ACME__RATE must be a number of at least 0.01" in in_variable
    assert "BATCHCONNECT_ORGS__ACME__SANDBOXES is not a setting; sandbox is one" in unknown
    assert "--allow-host must name hosts" in host


def test_aliases_of_a_variable_may_be_json_and_must_then_be_a_list() -> None:
    """Broken JSON is not taken for a name."""
    told = refusal(ACME, {**ENVIRON, "BATCHCONNECT_ORGS__ACME__ALIASES": "[1"})

    assert "BATCHCONNECT_ORGS__ACME__ALIASES must be a list" in told


def test_unknown_variables_are_warned_about() -> None:
    """They may be somebody else's, so they are no error; an empty variable counts as not set."""
    environ = {
        **ENVIRON,
        "BATCHCONNECT_REPORT": CANARY,
        "BATCHCONNECT_QQQ_ZZZ": "x",
        "BATCHCONNECT_CLIENT_ID": "",
    }
    report, other = sorted(load(ACME, environ).warnings, reverse=True)

    assert "BATCHCONNECT_REPORT is no setting and is ignored; BATCHCONNECT_REPORTS is" in report
    assert other.endswith("is ignored")
    assert CANARY not in report


def test_a_variable_that_names_no_field_is_an_error() -> None:
    """As BATCHCONNECT_ORGS__ACME."""
    told = refusal(ACME, {**ENVIRON, "BATCHCONNECT_ORGS__ACME": CANARY})

    assert "BATCHCONNECT_ORGS__ACME names no field" in told


@pytest.mark.parametrize("setting", ["org_id", "client_id", "scopes", "platform_url", "sandbox"])
@pytest.mark.parametrize("form", ["{}", "two words {}", "{}\n", "ü{}", "https://u:{}@x"])
def test_a_secret_in_the_wrong_field_is_not_shown(setting: str, form: str) -> None:
    """The values of credential fields appear in no message."""
    name = f"BATCHCONNECT_{setting.upper()}"
    try:
        settings = load(environ={**ONE_ORG, name: form.format(CANARY)})
    except SettingsError as error:
        told = f"{error} {error.hint}"
    else:
        told = "".join(settings.warnings)

    assert CANARY not in told


# -- orgs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("org_id", ["ABC", "@AdobeOrg", "ABC@adobeorg", "ABC@AdobeOrg2", "A B"])
def test_an_org_id_ends_in_adobe_org(org_id: str) -> None:
    """Anything else is no organization id."""
    assert "BATCHCONNECT_ORG_ID must" in refusal(environ={**ONE_ORG, "BATCHCONNECT_ORG_ID": org_id})


def test_an_unusual_org_id_is_a_warning() -> None:
    """24 upper-case hex digits are usual, not promised."""
    settings = load(environ={**ONE_ORG, "BATCHCONNECT_ORG_ID": "ABC@AdobeOrg"})

    assert settings.orgs[0].key == "ABC@AdobeOrg"
    assert "BATCHCONNECT_ORG_ID is unusual" in settings.warnings[0]


def test_two_sections_for_the_same_credential_are_an_error() -> None:
    """They would share a token and a limit without knowing it."""
    told = refusal(ACME + ACME.replace("acme", "twin"))

    assert "[orgs.acme] and [orgs.twin] have the same org_id and client_id" in told


def test_two_credentials_of_one_org_are_no_error() -> None:
    """They are two lanes."""
    text = ACME + ACME.replace("acme", "twin").replace("c1", "c2")

    assert len(load(text).orgs) == 2


def test_one_org_id_in_two_spellings_is_an_error() -> None:
    """A row under each of the two would be two identities, and so two connections in one org."""
    twin = ACME.replace("acme", "twin").replace("c1", "c2").replace("5C13", "5c13")

    assert "[orgs.acme] and [orgs.twin] write one org_id in two ways" in refusal(ACME + twin)


def test_a_name_of_two_orgs_is_an_error() -> None:
    """Letter case does not count."""
    told = refusal(ACME + GLOBEX + 'aliases = ["ACME"]')

    assert "[orgs.acme]" in told
    assert "[orgs.globex]" in told


# -- hosts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "text", "url"),
    [
        ("platform_url", "https://platform.adobe.io/", "https://platform.adobe.io"),
        ("platform_url", "HTTPS://Platform-Stage.Adobe.IO:443", "https://platform-stage.adobe.io"),
        ("platform_url", "https://platform-va7.adobe.io.", "https://platform-va7.adobe.io"),
        ("ims_url", "https://ims-na1-stg1.adobelogin.com", "https://ims-na1-stg1.adobelogin.com"),
        ("platform_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("ims_url", "http://localhost:8080/", "http://localhost:8080"),
        ("ims_url", "https://[::1]:8443", "https://[::1]:8443"),
        ("ims_url", "http://[::1]", "http://[::1]"),
        ("ims_url", "https://gateway.example.com", "https://gateway.example.com"),
        ("ims_url", "https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_adobes_hosts_loopback_and_allowed_hosts_are_good(
    setting: str, text: str, url: str
) -> None:
    """They become one spelling."""
    environ = {**ONE_ORG, f"BATCHCONNECT_{setting.upper()}": text}
    allowed = RunOptions(allow_hosts=("gateway.example.com.", "2001:db8::1"))

    assert url == getattr(load(environ=environ, options=allowed).orgs[0], setting)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://platform.adobe.io", "must start with https://"),
        ("https://platform.adobe.io:8443", "must use port 443"),
        ("https://platform.adobe.io:0", "must use port 443"),
        ("https://platform.adobe.io:port", "must be the bare address"),
        ("https://user:word@platform.adobe.io", "user name and the password"),
        ("https://@platform.adobe.io", "user name and the password"),
        ("https://platform.adobe.io/data", "everything behind the host"),
        ("https://platform.adobe.io?x", "everything behind the host"),
        ("https://platform.adobe.io/#", "everything behind the host"),
        ("platform.adobe.io", "must be the bare address"),
        ("https://", "must be the bare address"),
        ("ftp://platform.adobe.io", "starts with https://"),
        ("https://platform.adobe.io\n", "a character that no address has"),
        ("https://evil.com\\@platform.adobe.io", "a character that no address has"),
        ("https://plätform.adobe.io", "a character that no address has"),
        ("https://a..b", "host cannot be read"),
        ("https://[::1", "must be the bare address"),
        ("https://evil.example", "--allow-host evil.example"),
        ("https://platform.adobe.io.evil.example", "--allow-host"),
        ("https://platform-x.y.adobe.io", "--allow-host"),
        ("https://ims-na1.adobelogin.com", "--allow-host"),
        ("http://127.0.0.1.evil.example", "must start with https://"),
        ("https://10.0.0.1", "--allow-host 10.0.0.1"),
    ],
)
def test_other_addresses_are_refused_with_a_remedy(text: str, words: str) -> None:
    """Every client secret would go there."""
    told = refusal(environ={**ONE_ORG, "BATCHCONNECT_PLATFORM_URL": text})

    assert "BATCHCONNECT_PLATFORM_URL" in told
    assert words in told


def test_an_address_of_an_org_wins_over_the_common_one_and_variables_over_both() -> None:
    """A test run by BATCHCONNECT_PLATFORM_URL must not reach the real hosts of the file."""
    text = 'platform_url = "https://platform-aus5.adobe.io"\n' + ACME + GLOBEX
    text = text.replace(
        "[orgs.globex]", 'platform_url = "https://platform-va7.adobe.io"\n[orgs.globex]'
    )
    own = {**ENVIRON, "BATCHCONNECT_ORGS__ACME__PLATFORM_URL": "https://platform-stage.adobe.io"}
    both = {**own, "BATCHCONNECT_PLATFORM_URL": "http://127.0.0.1:1"}

    def hosts(environ: dict[str, str]) -> list[str]:
        return [org.platform_url.partition("//")[2] for org in load(text, environ).orgs]

    assert hosts(ENVIRON) == ["platform-va7.adobe.io", "platform-aus5.adobe.io"]
    assert hosts(own) == ["platform-stage.adobe.io", "platform-aus5.adobe.io"]
    assert hosts(both) == ["platform-stage.adobe.io", "127.0.0.1:1"]


# -- the file itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(mode: int) -> None:
    """They could send the secrets elsewhere."""
    write(ACME, mode=mode)

    assert "chmod go-w batchconnect.toml" in refusal()


def test_a_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where only he may write it."""
    path = write(ACME)
    os_stat = path.stat()
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os_stat.st_uid + 1)

    assert "belongs to another user" in refusal()


def test_a_named_file_that_is_missing_says_who_named_it() -> None:
    """The flag or the variable; a broken link of the default name is an error as well."""
    by_variable = refusal(environ={"BATCHCONNECT_SETTINGS": "nope.toml"})
    with pytest.raises(SettingsError, match=r"gone.toml \(--settings\) cannot be read: No such"):
        load_settings(path=Path("gone.toml"), environ={})
    Path("batchconnect.toml").symlink_to("nowhere")

    assert "nope.toml (BATCHCONNECT_SETTINGS) cannot be read" in by_variable
    assert "batchconnect.toml" in refusal()


def test_the_flag_wins_over_the_variable_for_the_file() -> None:
    """Whose file is then not even looked for."""
    path = write(ACME, "mine.toml")

    assert (
        path == load_settings(path=path, environ={**ENVIRON, "BATCHCONNECT_SETTINGS": "nope"}).file
    )


def test_a_fifo_or_a_folder_is_no_settings_file() -> None:
    """And nobody waits for its writer."""
    os.mkfifo("batchconnect.toml", 0o600)
    fifo = refusal()
    Path("batchconnect.toml").unlink()
    Path("batchconnect.toml").mkdir(mode=0o700)

    assert "not a plain file" in fifo
    assert "not a plain file" in refusal()


def test_a_file_that_is_not_toml_names_the_place_alone() -> None:
    """The parser's own message may quote what was typed."""
    told = refusal(f"[orgs.acme]\nclient_secret = {CANARY}\n")

    assert "is not TOML: see line 2, column" in told


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (ACME.encode("utf-16"), "is not UTF-8"),
        (b"x = " + b"[" * 5000, "is not TOML"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_other_files_are_refused(raw: bytes, words: str) -> None:
    """With what is wrong about them."""
    write("")
    Path("batchconnect.toml").write_bytes(raw)

    assert words in refusal()


def test_a_byte_order_mark_is_no_trouble() -> None:
    """Some editors write one."""
    assert load("\ufeff" + ACME).orgs[0].key == "acme"
