"""
Canary secrets through every path of failure: in no file, no log, no ledger byte, and on no terminal.

The fixture `place` searches for them after every acceptance test; here are the paths that no other test
goes, and a proof that the search would find them.
"""

import orjson
import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Answer, Request
from tests.acceptance.place import CANARY, CLIENT_SECRET, Place, cells, many
from tests.acceptance.practice import Practice

pytestmark = pytest.mark.acceptance

AWKWARD = {
    "escaped in JSON": f'{CANARY}"quoted"\\back',
    "ampersands": f"{CANARY}a&b=c%20d+e",
    "umlaut": f"{CANARY}schlüssel-ß",
    "long": CANARY + "0123456789abcdef" * 640,
}


def test_the_search_would_find_a_secret(place: Place) -> None:
    """As it is, JSON-escaped, and within a longer base64 text."""
    for name, content in (
        ("plain.log", f"key={CANARY}x"),
        ("base64.log", "aGVhZGVyOmNhbmFyeX50YWls"),
    ):
        (place.folder / name).write_text(content)
        assert len(place.leaks()) == 1, name
        (place.folder / name).unlink()


@pytest.mark.parametrize("options", [("-v",), ("--log-json", "-v"), ("--json",)])
def test_a_service_that_repeats_every_secret_makes_none_of_them_known(
    place: Place, practice: Practice, options: tuple[str, ...]
) -> None:
    """Key, token and client secret, as text, in JSON, with every status a row can meet."""
    kinds = iter([400, 422, 500, 409, 200, 403] * 10)

    def echo(request: Request) -> Answer:
        key = request.json["auth"]["params"]["servicePrincipalKey"]
        text = f"bad {key} {request.headers['authorization']} {CLIENT_SECRET} {orjson.dumps(key).decode()}"
        status = next(kinds)
        if status == 403:
            return answers.json_answer(403, {"error_code": "1001", "message": text})
        return answers.flow(f"1308-{status}", f"Title {key}", text)

    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=echo(request)))
        if request.is_create
        else None
    )
    rows = [
        cells(number, name=name, servicePrincipalKey=key)
        for number, (name, key) in enumerate(AWKWARD.items(), start=1)
    ]
    pace = ("--rate", "20", "--settle", "0.5", "--on-doubt", "hold")
    done = place.run("run", place.sheet([*rows, *many(8)[4:]]), *pace, *options)

    assert done.code in {4, 6, 7}, done
    assert "created" not in place.statuses()


def test_a_sign_in_that_repeats_the_secret_does_not_make_it_known(
    place: Place, practice: Practice
) -> None:
    """IMS's error text holds what was sent; the incident does not."""
    echo = answers.json_answer(
        400, {"error": "invalid_client", "error_description": f"wrong secret {CLIENT_SECRET}"}
    )
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=echo))
        if request.is_token_request
        else None
    )
    told = place.run_each(
        ("run", place.sheet(many(2)), "-v"),
        ("orgs", "--sandbox", "dev"),
        ("plan", "clients.csv"),
        ("status",),
        ("report",),
        ("rerun", "--json"),
    )

    assert [done.code for done in told] == [7, 7, 7, 0, 0, 7], told
    assert "invalid_client" in told[0].out


def test_a_key_in_a_wrong_column_is_not_shown(place: Place, practice: Practice) -> None:
    """Columns get swapped: refused cells of credential columns show their length alone."""
    rows = [
        cells(1, servicePrincipalId=f"{CANARY}swapped", servicePrincipalKey="0d1ff3c1-7c0a"),
        cells(2, tenant=f"{CANARY}swapped too"),
        cells(3, servicePrincipalKey=f"{CANARY}two\nlines"),
        cells(4, servicePrincipalKey=f"env:{CANARY}NAME"),
        cells(5, **{"old secret": f"{CANARY}carried", "account manager": "Ann"}),
    ]
    told = place.run_each(
        ("validate", place.sheet(rows)),
        ("validate", "clients.csv", "--json"),
        ("run", "clients.csv", "-v"),
        ("run", "clients.csv", "--skip-invalid", "--rate", "20"),
    )

    assert [done.code for done in told] == [3, 3, 3, 4], told
    assert "Ann" in (place.latest / "results.csv").read_text(encoding="utf-8-sig")


def test_references_of_a_sheet_are_followed_only_when_allowed(
    place: Place, practice: Practice
) -> None:
    """`env:NAME` with `--allow-refs`, `file:PATH` below `--refs-dir`; the values arrive and stay in."""
    place.environ["TENANT_KEY"] = f"{CANARY}of the environment"
    secrets = place.folder / "secrets"
    secrets.mkdir(mode=0o700)
    inside = place.write("secrets/one", f"{CANARY}of the file")
    place.write("outside", f"{CANARY}of nobody")
    rows = [
        cells(1, servicePrincipalKey="env:TENANT_KEY"),
        cells(2, servicePrincipalKey="file:one"),
        cells(3, servicePrincipalKey="literal:env:TENANT_KEY"),
    ]
    sheet = place.sheet(rows)
    refs = ("--allow-refs", "--refs-dir", "secrets")
    refused = place.run("run", sheet)
    done = place.run("run", sheet, *refs, "--rate", "20")
    outside = place.sheet([cells(4, servicePrincipalKey="file:../outside")], "outside.csv")
    escaped = place.run("run", outside, *refs)

    assert refused.code == 3, refused
    assert done.code == 0, done
    # By name, for a file is read beside the rows that wait for none.
    assert practice.keys() == {
        "Client 001": f"{CANARY}of the environment",
        "Client 002": inside.read_text(),
        "Client 003": "env:TENANT_KEY",
    }
    assert escaped.code == 3, escaped


def test_files_are_private(place: Place, practice: Practice) -> None:
    """Folders 0700, files 0600, the ledger and its companions too."""
    done = place.run("run", place.sheet(many(1)), "--rate", "20")
    modes = {
        path.relative_to(place.folder): oct(path.stat().st_mode & 0o777)
        for path in place.reports.rglob("*")
        if not path.is_symlink()
    }

    assert done.code == 0, done
    assert {"0o600", "0o700"} == set(modes.values()), modes
