"""
Keys that stand in stores, by the real command against real servers: OpenBao twice, Secrets Manager by moto.

A forbidden secret, a missing one, one without the field, and a store that is down for twenty seconds: each is
told, every other row is created, nothing is in doubt, and a rerun brings the rest home.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from batchconnect.model.errors import ExitCode
from tests.acceptance.place import CLIENT_SECRET, Place, cells, until
from tests.acceptance.practice import Practice
from tests.stores.bao import Bao, served_bao
from tests.stores.door import door_to

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
KEY = "canary~key-of-{}"


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with served_bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def results(place: Place) -> list[dict[str, str]]:
    text = (place.reports / "latest" / "results.csv").read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def no_file_holds(place: Place, *secrets: str) -> None:
    """Neither reports nor ledger nor anything that was said."""
    for folder in (place.reports, place.said):
        for path in folder.rglob("*"):
            if path.is_file() and path not in place.inputs:
                raw = path.read_bytes()
                for secret in secrets:
                    assert secret.encode() not in raw, path


def test_forty_rows_of_three_stores_one_of_which_is_down_for_a_while(
    place: Place, practice: Practice, bao: Bao, aws: str
) -> None:
    env = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "FAKE~secret-access-key",
        "BAO_TOKEN": bao.token("clients"),
    }
    place.environ.update(env)
    bao.policy("clients", 'path "secret/data/clients/*" { capabilities = ["read"] }')
    client = boto3.client(
        "secretsmanager",
        region_name="eu-central-1",
        endpoint_url=aws,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    texts = {}
    for number in range(1, 41):
        key = KEY.format(f"{number:04d}")
        if number <= 14:
            bao.put(f"clients/{number}", key=key)
            texts[number] = f"kv:clients/{number}"
        elif number <= 26:
            client.create_secret(Name=f"bc/{number}", SecretString=key)
            texts[number] = f"sm:bc/{number}"
        else:
            bao.put(f"clients/{number}", key=key, id="x")
            texts[number] = f"late:clients/{number}#key"
    bao.put("other/3", key=KEY.format("0003"))
    texts[3] = "kv:other/3"  # forbidden
    texts[7] = "kv:clients/gone"  # missing
    texts[30] = "late:clients/30#kez"  # no such field
    rows = [cells(number, servicePrincipalKey=texts[number]) for number in range(1, 41)]
    sheet = place.sheet(rows)

    with door_to(bao.port) as door:
        place.settings(
            "\n".join(
                f'[stores.{name}]\nuri = "{uri}"\nsheets = true\n{rest}\n'
                for name, uri, rest in (
                    ("kv", f"vault://{bao.address}/secret", 'auth = "token"\ntoken = "env:BAO_TOKEN"'),
                    ("late", f"vault://127.0.0.1:{door.port}/secret", 'auth = "token"\ntoken = "env:BAO_TOKEN"'),
                    ("sm", "aws-sm://eu-central-1", f'auth = "env"\nendpoint = "{aws}"'),
                )
            )
        )  # fmt: skip
        running = place.start("run", sheet, "--rate", "5", "-v")
        until(lambda: practice.ask(lambda simulator: len(simulator.connections())) >= 5)
        door.shut()
        until(lambda: "store late: does not answer" in running.told)
        until(
            lambda: practice.ask(lambda simulator: len(simulator.connections())) >= 23,
            patience_s=60,
        )
        door.open()
        done = running.done(120)

        assert done.code == ExitCode.UNFINISHED, done
        found = {int(row["row"]) - 1: row for row in results(place)}
        assert {
            number: row["error_code"] for number, row in found.items() if row["status"] != "created"
        } == {3: "secret_forbidden", 7: "secret_not_found", 30: "secret_no_field"}
        assert "in_doubt" not in done.out
        told = " ".join(done.out.split())
        for words in (
            "the store `kv` forbids us to read the secret",
            "the store `kv` does not hold the secret",
            "the secret `late:clients/30` has no field",
        ):
            assert words in told
        assert (found[1]["key_reference"], found[1]["key_version"]) == ("kv:clients/1", "1")
        assert found[20]["key_reference"] == "sm:bc/20"

        bao.policy("clients", 'path "secret/data/*" { capabilities = ["read"] }')
        bao.put("clients/gone", key=KEY.format("0007"))
        bao.put("clients/30", kez=KEY.format("0030"))
        again = place.run("rerun")

    assert again.code == ExitCode.OK, again
    assert {row["status"] for row in results(place)} == {"created"}
    received = practice.ask(
        lambda simulator: {simulator.received_key(one.id) for one in simulator.connections()}
    )
    assert received == {KEY.format(f"{number:04d}") for number in range(1, 41)}
    no_file_holds(place, "canary~key-of", env["BAO_TOKEN"], env["AWS_SECRET_ACCESS_KEY"])


def test_a_key_that_was_rotated_in_its_store_reaches_adobe_by_rotate_changed_alone(
    place: Place, practice: Practice, bao: Bao
) -> None:
    place.environ["VAULT_TOKEN"] = bao.root
    for number in (1, 2, 3):
        bao.put(f"rotated/{number}", key=KEY.format(f"{number}-first"))
    place.settings(
        f'[stores.kv]\nuri = "vault://{bao.address}/secret"\nauth = "token"\nsheets = true\n'
    )
    sheet = place.sheet(cells(n, servicePrincipalKey=f"kv:rotated/{n}") for n in (1, 2, 3))
    run = place.run("run", sheet, "--rate", "50")
    bao.put("rotated/2", key=KEY.format("2-second"))

    changed = place.run("rotate", sheet, "--changed", "--rate", "50")
    statuses = [row["status"] for row in results(place)]
    again = place.run("rotate", sheet, "--changed", "--rate", "50")

    assert (run.code, changed.code, again.code) == (0, 0, 0), (run, changed, again)
    assert statuses == ["unchanged", "updated", "unchanged"]
    assert {row["status"] for row in results(place)} == {"unchanged"}
    received = practice.ask(
        lambda simulator: {simulator.received_key(one.id) for one in simulator.connections()}
    )
    assert received == {KEY.format("1-first"), KEY.format("2-second"), KEY.format("3-first")}
    no_file_holds(place, "canary~key-of", bao.root)


def test_the_example_of_the_readme_runs_with_keys_from_a_store(place: Place, bao: Bao) -> None:
    """The same sheet, each key in OpenBao in place of its cell; the same command, the same end."""
    readme = (ROOT / "README.md").read_text("utf-8")
    command = re.search(r"batchconnect (run inputs/tenants\.csv --simulate)", readme)
    assert command is not None
    text = (ROOT / "inputs" / "tenants.csv").read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    for number, row in enumerate(rows):
        bao.put(f"readme/{number}", key=row["servicePrincipalKey"])
        row["servicePrincipalKey"] = f"kv:readme/{number}"
    (place.folder / "inputs").mkdir()
    place.sheet(rows, "inputs/tenants.csv")
    place.settings(
        f'[stores.kv]\nuri = "vault://{bao.address}/secret"\nauth = "token"\nsheets = true\n'
        'prefix = "readme/"\n'
    )
    for name in [name for name in place.environ if name.startswith("BATCHCONNECT_")]:
        del place.environ[name]

    done = place.run(*command[1].split(), env={"VAULT_TOKEN": bao.root})

    assert done.code == ExitCode.OK, done
    assert f"{len(rows)} created" in done.out


def test_keys_that_end_are_listed_for_cron(place: Place, practice: Practice, bao: Bao) -> None:
    """Of a sheet, of a run, and in the run's own end; a key that is gone is listed as well."""
    place.environ["VAULT_TOKEN"] = bao.root
    bao.put("ends/1", key=KEY.format("ends-0001"))
    bao("POST", "secret/metadata/ends/2", {"delete_version_after": "240h"})
    bao.put("ends/2", key=KEY.format("ends-0002"))
    place.settings(
        f'[stores.kv]\nuri = "vault://{bao.address}/secret"\nauth = "token"\nsheets = true\n'
    )
    rows = [cells(1, servicePrincipalKey="kv:ends/1"), cells(2, servicePrincipalKey="kv:ends/2")]
    sheet = place.sheet([*rows, cells(3)])

    before = place.run("plan", sheet)
    run = place.run("run", sheet, "--rate", "50")
    of_sheet = place.run("expiring", sheet)
    of_run = place.run("expiring", "--json")
    soon = place.run("expiring", sheet, "--within", "12h")
    bao("DELETE", "secret/data/ends/1")
    gone = place.run("expiring", "--within", "12h")
    shut = place.run("expiring", env={"VAULT_TOKEN": "s.deadbeefdeadbeefdeadbeef"})
    odd = place.run("expiring", "--within", "soon")

    assert "1 key expires within 30 days" in before.out
    assert "1 key expires within 30 days" in run.out
    assert [row["key_expires"][:2] for row in results(place)] == ["", "20", ""]
    assert of_sheet.code == ExitCode.UNFINISHED
    assert "kv:ends/2  row 3 (Client 002)" in of_sheet.out
    assert "1 key of 2 ending within 30 days; 1 whose store tells no end" in " ".join(
        of_sheet.out.split()
    )
    assert of_run.code == ExitCode.UNFINISHED
    assert [one["key_reference"] for one in of_run.json["ending"]] == ["kv:ends/2"]
    assert (soon.code, gone.code, shut.code, odd.code) == (0, 4, 7, 2), (soon, gone, shut, odd)
    assert "row 2 (Client 001): kv:ends/1" in gone.out
    assert all(len(line) <= 80 for line in of_sheet.out.splitlines() + gone.out.splitlines())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("closed:clients/1", "store_not_open"),
        ("kv:admin/root", "reference_outside_prefix"),
        ("kv:clients/../admin/root", "reference_invalid"),
        ("vault://evil.example.com/secret/x", "reference_unknown_store"),
    ],
)
def test_what_a_sheet_may_not_name_is_refused_offline_with_its_cell(
    place: Place, text: str, code: str
) -> None:
    """No server is asked: there is none."""
    place.settings(
        '[stores.kv]\nuri = "vault://127.0.0.1:9/secret"\nauth = "token"\nsheets = true\n'
        'prefix = "clients/"\n'
        '[stores.closed]\nuri = "vault://127.0.0.1:9/secret"\nauth = "token"\n'
    )
    sheet = place.sheet([cells(1, servicePrincipalKey=text)])

    done = place.run("validate", sheet, "--json")

    assert done.code == ExitCode.SHEET
    (problem,) = [one for one in done.json["problems"] if one["severity"] == "error"]
    assert (problem["code"], problem["cell"]) == (code, "G2")
    assert text not in done.out + done.err


def test_a_client_secret_in_a_store_is_read_again_when_it_is_refused(
    place: Place, practice: Practice, bao: Bao
) -> None:
    """It may have been renewed while the run was at work."""
    place.environ["VAULT_TOKEN"] = bao.root
    url = practice.simulator.url
    bao.put("adobe/acme", secret="canary~a-wrong-one")
    place.settings(
        f'platform_url = "{url}"\nims_url = "{url}"\n'
        f'[stores.kv]\nuri = "vault://{bao.address}/secret"\nauth = "token"\n'
        '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "client-acme"\n'
        'client_secret = "kv:adobe/acme"\nsandbox = "dev"\n'
    )
    for name in [name for name in place.environ if name.startswith("BATCHCONNECT_")]:
        del place.environ[name]

    wrong = place.run("orgs")
    bao.put("adobe/acme", secret=CLIENT_SECRET)
    right = place.run("orgs")
    gone = place.run("orgs", env={"VAULT_TOKEN": "s.deadbeefdeadbeefdeadbeef"})

    assert wrong.code == ExitCode.STOPPED
    assert right.code == ExitCode.OK, right
    assert gone.code == ExitCode.STOPPED
    assert "The store `kv` does not take our sign-in" in " ".join(gone.out.split())
    assert "canary" not in wrong.out + wrong.err + right.out + gone.out
