"""The sections of stores: what each kind takes, and what is refused without its value."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.model.reference import Reference
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.options import RunOptions
from batchconnect.settings import Settings, load_settings

CANARY = "canary-S3cret~value.42"
VAULT = 'uri = "vault://127.0.0.1:8200/secret"\nauth = "token"\n'
AZURE = 'uri = "akv://acme-clients"\nauth = "workload"\n'
AWS = 'uri = "aws-sm://eu-central-1"\nauth = "env"\n'
ORG = '[orgs.acme]\norg_id = "5C1328435BF324E90A49402A@AdobeOrg"\nclient_id = "c1"\n'


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATCHCONNECT_")]:
        monkeypatch.delenv(name)


def load(
    text: str, *hosts: str, resolve: bool = False, environ: Mapping[str, str] | None = None
) -> Settings:
    path = Path("batchconnect.toml")
    path.write_text(text)
    path.chmod(0o600)
    options = RunOptions(allow_hosts=hosts or None)
    return load_settings(path=None, environ=environ or {}, options=options, resolve_secrets=resolve)


def store(text: str, *hosts: str, environ: Mapping[str, str] | None = None) -> StoreProfile:
    (found,) = load(f"[stores.kv]\n{text}", *hosts, environ=environ).stores
    return found


def refusal(text: str, *hosts: str) -> str:
    with pytest.raises(SettingsError) as caught:
        store(text, *hosts)
    told = f"{caught.value.message}\n{caught.value.hint}"
    assert "canary" not in told
    return told


def test_a_vault_is_its_server_and_its_mount() -> None:
    """On this machine without TLS, elsewhere with it; the sign-in's token is read when it is needed."""
    here = store(
        VAULT + 'sheets = true\nprefix = "clients/"\nrate = 5\n', environ={"VAULT_TOKEN": CANARY}
    )
    there = store('uri = "vault://vault.example.com/a/b"\nauth = "token"', "vault.example.com")

    assert (here.kind, here.url, here.path) == (StoreKind.VAULT, "http://127.0.0.1:8200", "secret")
    assert (here.is_open, here.prefix, here.rate) == (True, "clients/", 5.0)
    assert here.secrets["token"]() == Secret(CANARY)
    assert CANARY not in repr(here)
    assert (there.url, there.path) == ("https://vault.example.com", "a/b")
    assert not there.is_open


def test_a_token_file_is_relative_to_the_settings_and_read_each_time() -> None:
    found = store(VAULT + 'token = "file:token.txt"')
    for text in ("first~token", "second~token"):
        Path("token.txt").write_text(text)
        assert found.secrets["token"]() == Secret(text)


def test_the_clouds_own_hosts_need_no_permission() -> None:
    assert store(AZURE).url == "https://acme-clients.vault.azure.net"
    named = AZURE.replace("acme-clients", "acme-clients.vault.azure.cn")
    assert store(named).url == "https://acme-clients.vault.azure.cn"
    assert (store(AWS).url, store(AWS).path) == ("", "eu-central-1")


@pytest.mark.parametrize(
    "text",
    [
        'uri = "vault://vault.example.com/secret"\nauth = "token"',
        'uri = "akv://acme.vault.azure.net.example.com"\nauth = "cli"',
        'uri = "akv://example.com"\nauth = "cli"',
        AZURE + 'authority = "login.example.com"',
        AWS + 'endpoint = "https://secrets.example.com"',
    ],
)
def test_another_host_has_to_be_allowed(text: str) -> None:
    """As for Adobe's: the sign-in would go there."""
    assert "--allow-host" in refusal(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('uri = "http://127.0.0.1/secret"\nauth = "token"', "uri in [stores.kv]"),
        ('uri = "vault://127.0.0.1:8200"\nauth = "token"', "vault://HOST[:PORT]/MOUNT"),
        ('uri = "vault://127.0.0.1/../x"\nauth = "token"', "vault://HOST[:PORT]/MOUNT"),
        (f'uri = "vault://u:{CANARY}@127.0.0.1/x"\nauth = "token"', "vault://HOST[:PORT]/MOUNT"),
        ('uri = "aws-sm://moon"\nauth = "env"', "aws-sm://REGION"),
        ('uri = "exec:ls"', "exec:"),
        ('uri = "exec:"', "command is missing"),
        (VAULT.replace("token", "ldap"), '"token", "approle", "kubernetes"'),
        ('uri = "akv://acme-clients"', '"workload", "managed", "cli", "env"'),
        (VAULT.replace('"token"', '"approle"') + 'role_id = "a"', "secret_id is missing"),
        (VAULT.replace('"token"', '"kubernetes"'), "role is missing"),
        (VAULT + 'profile = "x"', "profile in [stores.kv]"),
        (AWS + f'token = "{CANARY}"', "token in [stores.kv]"),
        (VAULT + 'sheets = "yes"', "true or false"),
        (VAULT + "sheet = true", "sheets is one"),
        (VAULT + 'prefix = "a b"', "prefix in [stores.kv]"),
        (VAULT + "rate = 0", "a number of at least"),
        (VAULT.replace("127.0.0.1:8200", "vault.example.com") + "tls = false", "by TLS"),
        ('auth = "token"', "uri is missing in [stores.kv]"),
    ],
)  # fmt: skip
def test_a_wrong_section_names_its_setting(text: str, words: str) -> None:
    assert words in refusal(text, "vault.example.com")


@pytest.mark.parametrize("name", ["env", "File", "literal", '"a:b"', '"a b"', "1a"])
def test_what_no_reference_could_name_is_no_store(name: str) -> None:
    with pytest.raises(SettingsError, match="name of a store"):
        load(f"[stores.{name}]\n{VAULT}")


def test_a_client_secret_in_a_store_is_left_for_the_sign_in() -> None:
    """Nothing is asked while the settings are read."""
    text = f'{ORG}client_secret = "kv:adobe/acme#secret"\n[stores.kv]\n{VAULT}'
    settings = load(text, resolve=True)
    (org,) = settings.orgs

    assert org.client_secret is None
    assert org.client_secret_at == Reference("kv:adobe/acme#secret")
    assert not settings.warnings
    assert load(text).orgs[0].client_secret_at is None


def test_a_client_secret_with_a_colon_is_one_still() -> None:
    """Only the name of a store makes a reference."""
    (org,) = load(f'{ORG}client_secret = "ab:{CANARY}"\n', resolve=True).orgs

    assert org.client_secret == Secret(f"ab:{CANARY}")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('client_secret = "kv:canary at all"', "does not name a secret"),
        ('access_token = "kv:acme"', "Only a client_secret"),
    ],
)
def test_what_a_store_cannot_hold_is_refused(setting: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(f"{ORG}{setting}\n[stores.kv]\n{VAULT}", resolve=True)

    told = f"{caught.value.message}\n{caught.value.hint}"
    assert words in told
    assert "canary" not in told
