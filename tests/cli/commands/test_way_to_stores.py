"""The way out to a store is that to Adobe: `--proxy`, `--ca-bundle` and the list of hosts, for each kind."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from batchconnect.model.errors import ExitCode
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, Done, cells
from tests.stores.bao import Bao, served_bao
from tests.stores.door import door_to
from tests.stores.fake_key_vault import CLIENT_ID, TENANT, Held, certificate, served_key_vault
from tests.stores.proxy import served_proxy

pytestmark = pytest.mark.slow

KEY = "canary~S3cret.value-42"
HOSTS = {
    "azure": ("acme-clients.vault.azure.net", "login.microsoftonline.com"),
    "vault": ("vault.example.test",),
    "aws": ("secretsmanager.eu-central-1.amazonaws.com",),
}
"""By kind: the names that a store has out there."""


@dataclass(frozen=True)
class Served:
    """One store behind TLS, with an authority of its own."""

    kind: str
    port: int
    authority: Path

    def settings(self, host: str | None = None) -> str:
        """Its section: here, or under the name that it has out there."""
        here = f"127.0.0.1:{self.port}"
        match self.kind:
            case "azure":
                signs_in = f'authority = "https://{here}"' if host is None else ""
                uri = f"akv://{here}" if host is None else "akv://acme-clients"
                return f'uri = "{uri}"\nauth = "env"\n{signs_in}'
            case "vault":
                tls = "tls = true" if host is None else ""
                return f'uri = "vault://{host or here}/secret"\nauth = "token"\n{tls}'
            case _:
                endpoint = f'endpoint = "https://{here}"' if host is None else ""
                return f'uri = "aws-sm://eu-central-1"\nauth = "env"\n{endpoint}'


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with served_bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(params=HOSTS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
    batchconnect: CommandLine, bao: Bao, moto: int,
) -> Iterator[Served]:  # fmt: skip
    """Each kind in turn; it holds one key."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    if kind == "azure":
        with served_key_vault(folder, *HOSTS[kind]) as vault:
            vault.secrets = {"way-out": Held({"v1": KEY})}
            batchconnect.setenv(
                AZURE_TENANT_ID=TENANT,
                AZURE_CLIENT_ID=CLIENT_ID,
                AZURE_CLIENT_SECRET=vault.client_secret,
            )
            yield Served(kind, vault.port, vault.authority_file)
        return
    if kind == "vault":
        bao.put("way-out", key=KEY)
        batchconnect.setenv(VAULT_TOKEN=bao.root)
        port = bao.port
    else:
        batchconnect.setenv(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="FAKE~secret")
        endpoint = f"http://127.0.0.1:{moto}"
        client = boto3.client("secretsmanager", "eu-central-1", endpoint_url=endpoint)
        # Whatever else this process has put there: its servers share what they hold.
        if "way-out" not in [one["Name"] for one in client.list_secrets()["SecretList"]]:
            client.create_secret(Name="way-out", SecretString=KEY)
        port = moto
    authority, chain = certificate(folder, *HOSTS[kind])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with door_to(port, tls=context) as door:
        yield Served(kind, door.port, authority)


def run(batchconnect: CommandLine, section: str, *options: object) -> Done:
    batchconnect.write("batchconnect.toml", f"[stores.kv]\n{section}\nsheets = true\n")
    sheet = batchconnect.sheet([cells(1, servicePrincipalKey="kv:way-out")])
    return batchconnect("run", sheet, *FAST, "--patience", "1", *options)


def test_an_authority_of_our_own_is_trusted_by_ca_bundle_alone(
    batchconnect: CommandLine, practice: Practice, served: Served
) -> None:
    without = run(batchconnect, served.settings())
    with_it = run(batchconnect, served.settings(), "--ca-bundle", served.authority)

    assert without.code == ExitCode.UNFINISHED, without
    assert "store_down" in without.out
    assert with_it.code == ExitCode.OK, with_it
    assert KEY not in without.out + without.err + with_it.out + with_it.err


def test_a_store_out_there_is_asked_through_the_proxy_alone(
    batchconnect: CommandLine, practice: Practice, served: Served
) -> None:
    """All its hosts, sign-in too; Adobe's, which is on this machine here, is not. A host that is nobody's own has
    to be allowed before anything leaves."""
    host = HOSTS[served.kind][0]
    with served_proxy() as proxy:
        proxy.goal = served.port
        section = served.settings(host)
        way: tuple[object, ...] = ("--proxy", proxy.url, "--ca-bundle", served.authority)
        if served.kind == "vault":
            refused = run(batchconnect, section, *way)
            assert refused.code == ExitCode.USAGE, refused
            assert "--allow-host" in refused.err
            assert not proxy.asked
            way = (*way, "--allow-host", host)
        done = run(batchconnect, section, *way)

    assert done.code == ExitCode.OK, done
    assert set(proxy.asked) == {f"{name}:443" for name in HOSTS[served.kind]}
