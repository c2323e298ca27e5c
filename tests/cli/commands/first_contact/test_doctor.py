"""`doctor` names the cause of whatever keeps a first contact from coming about, and changes nothing."""

import errno
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.doctor import Patient, diagnose
from batchconnect.settings import load_settings
from batchconnect.transport.peer import Way, peer_of
from tests.acceptance.place import CLIENT_SECRET
from tests.acceptance.practice import SECRETS_OF_TWO, Practice
from tests.cli.commands.first_contact.stand_ins import (
    CA,
    EXPIRED,
    GATEWAY,
    PORTAL,
    Serve,
    close_dns,
    listening,
    over_tls,
    proxying,
    saying,
    settings,
)
from tests.command_line import CommandLine, Done

JSON_403 = b'{"error_code": "403000", "message": "Api Key is required"}'
ADOBE = saying("403 Forbidden", JSON_403, kind="application/json")
"""What the gateway says to who brings no credential."""


@pytest.fixture
def practice(practice: Practice) -> Iterator[Practice]:
    """What is asked without a credential is none of the documented requests, and so it departs from them."""
    yield practice
    practice.departures.clear()


def failed(done: Done) -> dict[str, dict[str, Any]]:
    """The checks that failed, by topic; of several, the first."""
    found: dict[str, dict[str, Any]] = {}
    for check in done.json["checks"]:
        if check["verdict"] == "failed":
            found.setdefault(check["topic"], check)
    return found


@contextmanager
def at(batchconnect: CommandLine, serve: Serve, *, scheme: str = "http") -> Iterator[str]:
    """Both hosts are this server."""
    with listening(serve) as port:
        url = f"{scheme}://127.0.0.1:{port}"
        batchconnect.setenv(**settings(url))
        yield url


def test_a_machine_that_is_in_order(batchconnect: CommandLine, practice: Practice) -> None:
    """Every step ok; nothing is created, no folder is left, and no secret is told."""
    batchconnect.setenv(BATCHCONNECT_SANDBOX="dev")

    done = batchconnect("doctor")
    told = batchconnect("doctor", "--json")

    assert done.code == 0, done
    assert "0 failed" in done.out
    assert "signed in, spec and listing readable" in " ".join(done.out.split())
    assert told.json["ok"]
    assert {check["topic"] for check in told.json["checks"]} >= {
        *("settings", "folder", "ledger", "trust", "answer", "clock", "sign-in"),
    }
    assert set(told.json["versions"]) == {"batchconnect", "python", "openssl", "aiohttp", "system"}
    assert practice.creates() == []
    assert [*batchconnect.folder.iterdir()] == []
    assert CLIENT_SECRET not in done.out + done.err + told.out
    assert max(map(len, done.out.splitlines())) <= 80


# -- the nine --------------------------------------------------------------------------------------


def test_a_wrong_authority(batchconnect: CommandLine) -> None:
    """Who made the certificate is named, and what to name in turn; with the bundle it is in order, and said."""
    with at(batchconnect, over_tls(ADOBE, GATEWAY), scheme="https"):
        done = batchconnect("doctor", "--json")
        mended = batchconnect("doctor", "--json", "--ca-bundle", CA)

    check = failed(done)["tls"]
    assert (done.code, check["code"]) == (4, "tls")
    assert "CN=Globex Web Gateway CA, O=Globex" in check["what"]
    assert "--ca-bundle FILE.pem" in check["remedy"]
    assert "tls" not in failed(mended)
    assert [one["verdict"] for one in mended.json["checks"] if one["topic"] == "tls"] == [
        "note"
    ] * 2


@pytest.mark.slow
def test_a_bundle_of_another_authority(batchconnect: CommandLine) -> None:
    """That it is the wrong one is said."""
    other = Path(__file__).parents[3] / "transport" / "loopback.pem"
    with at(batchconnect, over_tls(ADOBE, GATEWAY), scheme="https"):
        done = batchconnect("doctor", "--json", "--ca-bundle", other)

    assert "does not vouch for it either" in failed(done)["tls"]["remedy"]


@pytest.mark.slow
def test_an_intercepting_proxy(batchconnect: CommandLine) -> None:
    """Adobe's very names, behind a proxy whose box answers in their place."""
    batchconnect.setenv(**settings())
    with (
        listening(over_tls(ADOBE, GATEWAY)) as box,
        listening(proxying(to=box)) as port,
    ):
        done = batchconnect("doctor", "--json", "--proxy", f"http://127.0.0.1:{port}")

    checks = [check for check in done.json["checks"] if check["code"] == "tls"]
    assert done.code == 4
    assert [check["subject"] for check in checks] == ["platform.adobe.io", "ims-na1.adobelogin.com"]
    assert all("Globex Web Gateway CA" in check["what"] for check in checks)


def test_a_proxy_that_asks_for_a_sign_in(batchconnect: CommandLine) -> None:
    """407; the password that was tried is told nowhere."""
    batchconnect.setenv(**settings())
    with listening(proxying(refusal="407 Proxy Authentication Required")) as port:
        proxy = f"http://user:canary~proxy-pw@127.0.0.1:{port}"
        batchconnect.setenv(CORP_PROXY=proxy)
        done = batchconnect("doctor", "--json", "--proxy", "env:CORP_PROXY")

    assert (done.code, failed(done)["proxy"]["code"]) == (4, "http-407")
    assert "canary~proxy-pw" not in done.out + done.err


def test_a_captive_portal(batchconnect: CommandLine) -> None:
    """A page where JSON is due; the credential is not blamed, and not tried."""
    with at(batchconnect, saying("200 OK", PORTAL)):
        done = batchconnect("doctor", "--json")

    check = failed(done)["answer"]
    assert (done.code, check["code"]) == (4, "foreign_answer")
    assert "Wi-Fi" in check["remedy"]
    assert [one["verdict"] for one in done.json["checks"] if one["topic"] == "sign-in"] == [
        "skipped"
    ]
    assert "rotated" not in done.out


@pytest.mark.parametrize(("days", "word"), [(-30, "30 days behind"), (30, "30 days ahead of")])
def test_a_clock_that_is_a_month_off(batchconnect: CommandLine, days: int, word: str) -> None:
    """Measured against the service's own `Date`."""
    with at(batchconnect, ADOBE):
        found = diagnosed(os.environ, now=datetime.now(UTC) + timedelta(days=days))

    check = next(one for one in found if one.topic == "clock")
    assert (check.verdict, check.code) == (Verdict.FAILED, "clock")
    assert f"this machine's clock is {word} the host's" in check.what


@pytest.mark.slow
def test_a_clock_by_which_no_certificate_is_valid(batchconnect: CommandLine) -> None:
    """The handshake fails, and yet the other side's time is asked for: the clock is named, and by how much."""
    with at(batchconnect, over_tls(ADOBE, EXPIRED), scheme="https"):
        found = diagnosed(os.environ, now=datetime.now(UTC) - timedelta(days=30), ca_bundle=CA)
        right = diagnosed(os.environ, now=datetime.now(UTC), ca_bundle=CA)

    off, ran_out = (next(one for one in checks if one.code == "clock") for checks in (found, right))
    assert "30 days behind the host's" in off.what
    assert "valid from 2020-01-01 to 2021-01-01" in off.what
    assert "this machine's clock agrees with the host's" in ran_out.what
    assert "has to renew its certificate" in ran_out.remedy


def test_closed_dns(batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hosts; a proxy that others would use is offered."""
    close_dns(monkeypatch)
    batchconnect.setenv(**settings(), HTTPS_PROXY="http://proxy.example:8080")

    done = batchconnect("doctor", "--json")

    check = failed(done)["dns"]
    assert (done.code, check["code"]) == (4, "dns")
    assert "--proxy env:HTTPS_PROXY" in check["remedy"]


def test_an_ims_that_fails(batchconnect: CommandLine) -> None:
    """500: it says nothing against the credential."""
    with at(batchconnect, saying("500 Internal Server Error")):
        done = batchconnect("doctor", "--json")

    ims = [check for check in done.json["checks"] if check["code"] == "no_token"]
    assert done.code == 4
    assert len(ims) == 1
    assert "nothing against the credential" in ims[0]["remedy"]


def test_a_folder_that_is_read_only(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would stop a run at its first intent; another folder is what helps."""
    reports = batchconnect.folder / "reports"
    reports.mkdir(mode=0o700)
    opened = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and str(path).startswith(str(reports)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)

    done = batchconnect("doctor", "--json")

    check = failed(done)["folder"]
    assert (done.code, check["subject"]) == (4, str(reports))
    assert "nothing can be written there: Read-only file system" in check["what"]
    assert "--ledger" in check["remedy"]


def test_a_volume_that_refuses_chmod(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on there, so it is a warning; `--strict` takes it for an error."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chmod", refuse)

    done = batchconnect("doctor", "--json")
    strict = batchconnect("doctor", "--strict")

    warned = [check for check in done.json["checks"] if check["verdict"] == "warning"]
    assert (done.code, strict.code) == (0, 4)
    assert ["refuses chmod" in check["what"] for check in warned] == [True]


# -- and the rest ----------------------------------------------------------------------------------


def test_a_form_that_python_insists_on(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system vouches, but for the form: the box's authority has to be named, and then it is in order."""
    box = Path(__file__).parents[3] / "transport"
    monkeypatch.setenv("SSL_CERT_FILE", str(box / "inspection_box_ca.pem"))
    usual = ssl.create_default_context

    def strict(*rest: Any, **more: Any) -> ssl.SSLContext:
        context = usual(*rest, **more)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", strict())
    with at(batchconnect, over_tls(ADOBE, box / "inspection_box.pem"), scheme="https"):
        done = batchconnect("doctor", "--json")
        mended = batchconnect("doctor", "--json", "--ca-bundle", box / "inspection_box_ca.pem")

    assert "breaks a rule of form that this Python insists on" in failed(done)["tls"]["what"]
    assert "Inspection box of a test" in failed(done)["tls"]["remedy"]
    assert "tls" not in failed(mended)
    assert "although it breaks a rule of form" in mended.out


def test_settings_that_cannot_be_used(batchconnect: CommandLine) -> None:
    """Exit 2, and the rest is looked at all the same."""
    batchconnect.write(
        "batchconnect.toml",
        '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "a"\n'
        'client_secret = "env:NOT_SET"\nplatform_url = "http://127.0.0.1:9"\nims_url = "http://127.0.0.1:9"\n',
    )

    done = batchconnect("doctor", "--json")

    assert done.code == 2
    assert "client_secret in [orgs.acme]" in failed(done)["settings"]["what"]
    assert failed(done)["connection"]["code"] == "refused"
    assert done.json["checks"][-1]["verdict"] == "skipped"


def test_a_ledger_that_is_none(batchconnect: CommandLine, practice: Practice) -> None:
    """A run would not begin: its own words, and its hint."""
    reports = batchconnect.folder / "reports"
    reports.mkdir(mode=0o700)
    (reports / "ledger.sqlite3").write_bytes(b"no ledger" * 200)

    done = batchconnect("doctor", "--json")

    assert done.code == 4
    assert failed(done)["ledger"]["code"] == "ledger"


def test_an_org_that_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """The way is in order, the credential is not: there the remedy is about it."""
    practice.ask(
        lambda simulator: simulator.deny("AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg", "invalid_client")
    )

    done = batchconnect("doctor", "--json")

    assert (done.code, [*failed(done)]) == (4, ["sign-in"])
    assert failed(done)["sign-in"]["code"] == "invalid_client"
    assert "secret may have been rotated" in failed(done)["sign-in"]["remedy"]


def test_a_store_that_is_not_reached(batchconnect: CommandLine, practice: Practice) -> None:
    """A store of the settings is a check as well; the orgs beside it are signed in to."""
    with listening(ADOBE) as port:
        pass
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO, VT="t-1")
    for name in practice.environment():
        batchconnect.delenv(name)
    batchconnect.write(
        "batchconnect.toml",
        practice.two_orgs()
        + f'[stores.corp]\nuri = "vault://127.0.0.1:{port}/kv"\nauth = "token"\ntoken = "env:VT"\n'
        "tls = false\n",
    )

    done = batchconnect("doctor", "--json", "--sandbox", "dev")

    assert (done.code, [*failed(done)]) == (4, ["store"]), done
    assert failed(done)["store"]["subject"] == "corp"


def test_in_the_simulator(batchconnect: CommandLine) -> None:
    """No host is looked at; the places are, and nothing is left of it."""
    done = batchconnect("doctor", "--simulate", "--org", "acme", "--sandbox", "dev", "--json")

    assert done.code == 0, done
    assert done.json["checks"][-1]["topic"] == "sign-in"


def test_what_is_seen_of_a_stranger_needs_no_trust() -> None:
    """Names, dates and time of a certificate that nobody vouches for and that ran out."""
    with listening(over_tls(ADOBE, EXPIRED)) as port:
        peer = anyio.run(peer_of, Way(host="127.0.0.1", port=port))

    assert peer.issuer == "CN=Globex Web Gateway CA, O=Globex"
    assert peer.ends == datetime(2021, 1, 1, tzinfo=UTC)
    assert peer.date is not None


def diagnosed(
    environ: Mapping[str, str], *, now: datetime, ca_bundle: Path | None = None
) -> list[Check]:
    """A diagnosis by another clock."""
    options = RunOptions(ca_bundle=ca_bundle)
    loaded = load_settings(path=None, environ=environ, options=options)
    patient = Patient(
        settings=loaded,
        trouble=None,
        options=with_defaults(loaded.options),
        sandbox=None,
        environ=environ,
        on_event=lambda _event: None,
        hold=lambda _secret: None,
        now=lambda: now,
    )
    return [*anyio.run(diagnose, patient).checks]
