"""Secrets of the stores stay in, whatever a store answers; a client secret that is refused is read again."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batchconnect.model.errors import ExitCode
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, Practice
from tests.command_line import CLIENT_SECRET, FAST, CommandLine, Done, cells, many
from tests.stores.fake_key_vault import CLIENT_ID, TENANT, served_key_vault

pytestmark = pytest.mark.slow

CANARY = "canary~S3cret.value-42"
STATUSES = (200, 400, 403, 404, 429, 500)
"""Of the rows' secrets, each the answer to one of them."""


def status_of(asked: str) -> int:
    """The answer's status for a request, by the secret that it names; for one that names several, a refusal."""
    named = [status for status in STATUSES if f"s-{status}" in asked]
    return named[0] if len(named) == 1 else 403


@contextmanager
def repeating() -> Iterator[str]:
    """A server that repeats what it was sent, and tells a secret with it, in body and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            said = f"{CANARY} {self.headers.get('X-Vault-Token')} {sent}"
            body = {"__type": "AccessDeniedException", "message": said, "errors": [said]}
            told = json.dumps(body).encode()
            self.send_response(status_of(self.path + sent), CANARY)
            self.send_header("x-amzn-errormessage", CANARY)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=["azure", "vault", "aws", "exec"])
def section(
    request: pytest.FixtureRequest, batchconnect: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:  # fmt: skip
    """The settings of a store of each kind that tells secrets with each refusal; its sign-in is one, too."""
    match request.param:
        case "azure":
            with served_key_vault(tmp_path_factory.mktemp("akv")) as vault:
                vault.client_secret = f"{CANARY}-sign-in"
                batchconnect.setenv(
                    AZURE_TENANT_ID=TENANT,
                    AZURE_CLIENT_ID=CLIENT_ID,
                    AZURE_CLIENT_SECRET=vault.client_secret,
                )
                here = vault.address
                told = {"error": {"code": "Forbidden", "message": CANARY}}
                vault.answer = lambda path: (
                    (status_of(path), {"X-Said": CANARY}, told) if "s-" in path else None
                )
                batchconnect.write("ca.pem", vault.authority_file.read_text())
                yield f'uri = "akv://{here}"\nauth = "env"\nauthority = "https://{here}"'
        case "vault":
            batchconnect.setenv(VAULT_TOKEN=f"{CANARY}-sign-in")
            with repeating() as here:
                yield f'uri = "vault://{here}/secret"\nauth = "token"'
        case "aws":
            batchconnect.setenv(
                AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY=f"{CANARY}-sign-in"
            )
            with repeating() as here:
                yield f'uri = "aws-sm://eu-central-1"\nauth = "env"\nendpoint = "http://{here}"'
        case _:
            body = f"import sys\nprint('{CANARY}')\nsys.exit('{CANARY}')\n"
            batchconnect.write("store.py", body)
            yield 'uri = "exec:"\ncommand = ["python3", "store.py"]'


def told_in(folder: Path) -> list[Path]:
    """Files of ours that hold the canary."""
    written = (path for path in (folder / "reports").rglob("*") if path.is_file())
    return [path for path in written if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("options", [("--log-json", "-v"), ("-v",), ("--json",)])
def test_a_store_that_repeats_secrets_makes_none_of_them_known(
    batchconnect: CommandLine,
    practice: Practice,
    section: str,
    options: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In its log for programs, on the screen, in no file, and by no logger of its library at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    ca = ("--ca-bundle", "ca.pem") if (batchconnect.folder / "ca.pem").exists() else ()
    batchconnect.write("batchconnect.toml", f"[stores.kv]\n{section}\nsheets = true\n")
    rows = [
        cells(number, servicePrincipalKey=f"kv:s-{status}")
        for number, status in enumerate(STATUSES, start=1)
    ]
    sheet = batchconnect.sheet([*rows, *many(8)[7:]])

    done = batchconnect("run", sheet, *FAST, "--patience", "1", *ca, *options)

    assert done.code == ExitCode.UNFINISHED, done
    assert "kv" in done.out + done.err
    assert CANARY not in done.out + done.err
    assert told_in(batchconnect.folder) == []
    assert CANARY not in caplog.text
    assert len(practice.ask(lambda simulator: simulator.connections())) == 1


FIRST_REQUEST = """
import logging, sys
from pathlib import Path
from random import Random
import anyio
from batchconnect.model.reference import Place
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.opened import opened_stores

async def main(url):
    kinds = {"kv": (StoreKind.VAULT, "secret", "token"), "sm": (StoreKind.AWS, "eu-central-1", "env")}
    from batchconnect.model.secret import Secret
    stores = [
        StoreProfile(name=name, kind=kind, url=url, path=path, auth=auth,
                     secrets={"token": lambda: Secret("canary~token")})
        for name, (kind, path, auth) in kinds.items()
    ]
    async with opened_stores(stores, proxy=None, ca_bundle=None, patience_s=1, rng=Random(0),
                             on_event=lambda event: None, hold=lambda secret: None) as lines:
        for name in kinds:
            print(name, await lines[name].look_up(Place("s-403")))

logging.basicConfig(level=logging.DEBUG)
anyio.run(main, sys.argv[1])
logging.getLogger("botocore.parsers").debug("a line of the program's own")
"""


def test_a_program_that_logs_all_hears_nothing_of_the_very_first_request_either() -> None:
    """The libraries make their loggers as late as they can."""
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": f"{CANARY}-key"}
    with repeating() as here:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_REQUEST, f"http://{here}"],
            capture_output=True, text=True, check=True, env=environ, timeout=60,
        )  # fmt: skip

    assert "kv " in done.stdout
    assert "sm Refusal.FORBIDDEN" in done.stdout
    assert "canary" not in done.stdout + done.stderr
    assert "a line of the program's own" in done.stderr


def store_with(batchconnect: CommandLine, practice: Practice, *secrets: str) -> Path:
    """
    Put the client secret into a store that gives one after the other, the last again and again.

    Returns:
        A file of as many bytes as it was asked.
    """
    asked = batchconnect.folder / "asked"
    body = f"""
import json, pathlib, sys
asked = pathlib.Path({str(asked)!r})
before = len(asked.read_text()) if asked.exists() else 0
asked.write_text("x" * (before + 1))
given = {list(secrets)!r}
names = [one["name"] for one in json.load(sys.stdin)["secrets"]]
value = given[min(before, len(given) - 1)]
json.dump({{"secrets": [{{"name": name, "value": value}} for name in names]}}, sys.stdout)
"""
    batchconnect.write("store.py", body)
    url = practice.simulator.url
    for name in practice.environment():
        batchconnect.delenv(name)
    batchconnect.write(
        "batchconnect.toml",
        f'platform_url = "{url}"\nims_url = "{url}"\n'
        '[stores.kv]\nuri = "exec:"\ncommand = ["python3", "store.py"]\n'
        '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "client-acme"\n'
        'client_secret = "kv:adobe"\nsandbox = "dev"\n',
    )
    return asked


def run_with(batchconnect: CommandLine, practice: Practice, *secrets: str) -> tuple[Done, int]:
    """What `run` says with such a store, and how often the store was asked."""
    asked = store_with(batchconnect, practice, *secrets)
    done = batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    return done, len(asked.read_text())


def test_no_command_shows_what_a_store_gave_for_the_settings(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Nor repeats it where somebody has put it into a file's name, or into what stands in a sandbox."""
    store_with(batchconnect, practice, CLIENT_SECRET)
    place = batchconnect.folder / f"{CLIENT_SECRET}.csv"
    batchconnect.sheet(many(1)).rename(place)
    practice.ask(
        lambda simulator: simulator.plant(
            Planted(org_id=ACME, sandbox="dev", name=f"Of {CLIENT_SECRET}")
        )
    )
    plan = f"{batchconnect.folder}/plan.json"

    told = [
        batchconnect(*command)
        for command in (
            ("plan", place.name),
            ("plan", place.name, "--json"),
            ("plan", place.name, "--out", plan),
            ("run", place.name, *FAST),
            ("export", "out.csv", "--org", "acme"),
            ("export", "--against", place.name, "--org", "acme"),
            ("explore",),
            ("orgs", "--json"),
        )
    ]

    assert {done.code for done in told} <= {0, 4}, told
    assert "next:   batchconnect run '***.csv'" in told[0].out
    assert "name: it repeats a credential" in told[4].err
    for done in told:
        assert CLIENT_SECRET not in done.out + done.err
    assert CLIENT_SECRET not in (batchconnect.folder / "out.csv").read_text()


def test_a_client_secret_that_was_renewed_meanwhile_is_read_again_by_the_same_command(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """IMS says `invalid_client`: the store is asked once more, and the command goes on."""
    done, asked = run_with(batchconnect, practice, f"{CANARY}-old", CLIENT_SECRET)

    assert done.code == ExitCode.OK, done
    assert asked == 2
    assert CANARY not in done.out + done.err


def test_a_client_secret_that_stays_wrong_is_read_twice_and_no_more(
    batchconnect: CommandLine, practice: Practice
) -> None:
    done, asked = run_with(batchconnect, practice, f"{CANARY}-old")

    assert done.code == ExitCode.STOPPED, done
    assert asked == 2
    assert "invalid_client" in done.out
    assert CANARY not in done.out + done.err
