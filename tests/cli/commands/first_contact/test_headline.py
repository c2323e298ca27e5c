"""What stops the first look is the headline, with its own title and remedy, whichever command met it."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from batchconnect.model.outcome import Status
from batchconnect.model.remedies import hint_for, look_hint_for, title_for
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.practice import Practice
from tests.cli.commands.first_contact.stand_ins import (
    CA,
    EARLY,
    EXPIRED,
    GATEWAY,
    PORTAL,
    close_dns,
    listening,
    over_tls,
    proxying,
    saying,
    settings,
)
from tests.command_line import FAST, CommandLine, Done, many
from tests.fast_lane import few

Options = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which nobody is reached."""

    code: str
    exit_code: int
    """Of a run: 7 where somebody has to act first, 4 where it may pass."""
    begin: Callable[[CommandLine, pytest.MonkeyPatch], AbstractContextManager[Options]]


def _behind(pem: object, *options: str) -> Callable[..., AbstractContextManager[Options]]:
    @contextmanager
    def begin(batchconnect: CommandLine, _patch: pytest.MonkeyPatch) -> Iterator[Options]:
        with listening(over_tls(saying("200 OK", b"{}"), pem)) as port:  # type: ignore[arg-type]
            batchconnect.setenv(**settings(f"https://127.0.0.1:{port}"))
            yield options

    return begin


def _answering(status: str, body: bytes = b"") -> Callable[..., AbstractContextManager[Options]]:
    @contextmanager
    def begin(batchconnect: CommandLine, _patch: pytest.MonkeyPatch) -> Iterator[Options]:
        with listening(saying(status, body)) as port:
            batchconnect.setenv(**settings(f"http://127.0.0.1:{port}"))
            yield ()

    return begin


def _proxied(refusal: str) -> Callable[..., AbstractContextManager[Options]]:
    @contextmanager
    def begin(batchconnect: CommandLine, _patch: pytest.MonkeyPatch) -> Iterator[Options]:
        with listening(proxying(refusal=refusal)) as port:
            batchconnect.setenv(**settings())
            yield ("--proxy", f"http://127.0.0.1:{port}")

    return begin


@contextmanager
def _inspected(batchconnect: CommandLine, _patch: pytest.MonkeyPatch) -> Iterator[Options]:
    with (
        listening(over_tls(saying("200 OK", b"{}"), GATEWAY)) as box,
        listening(proxying(to=box)) as port,
    ):
        batchconnect.setenv(**settings())
        yield ("--proxy", f"http://127.0.0.1:{port}")


@contextmanager
def _without_dns(batchconnect: CommandLine, patch: pytest.MonkeyPatch) -> Iterator[Options]:
    close_dns(patch)
    batchconnect.setenv(**settings())
    yield ()


@contextmanager
def _closed_port(batchconnect: CommandLine, _patch: pytest.MonkeyPatch) -> Iterator[Options]:
    with listening(saying("200 OK")) as port:
        pass
    batchconnect.setenv(**settings(f"http://127.0.0.1:{port}"))
    yield ()


TROUBLES = {
    "wrong CA": Trouble("tls", 7, _behind(GATEWAY)),
    "intercepting proxy": Trouble("tls", 7, _inspected),
    "expired": Trouble("clock", 7, _behind(EXPIRED, "--ca-bundle", str(CA))),
    "not valid yet": Trouble("clock", 7, _behind(EARLY, "--ca-bundle", str(CA))),
    "proxy sign-in": Trouble("http-407", 7, _proxied("407 Proxy Authentication Required")),
    "proxy refusal": Trouble("proxy_refused", 7, _proxied("403 Forbidden")),
    "proxy in the dark": Trouble("proxy", 4, _proxied("502 Bad Gateway")),
    "captive portal": Trouble("foreign_answer", 7, _answering("200 OK", PORTAL)),
    "portal elsewhere": Trouble("foreign_answer", 7, _answering("302 Found")),
    "filter's page": Trouble("foreign_answer", 7, _answering("403 Forbidden", PORTAL)),
    "filter's sign-in": Trouble("foreign_answer", 7, _answering("401 Unauthorized", PORTAL)),
    "closed DNS": Trouble("dns", 4, _without_dns),
    "closed port": Trouble("refused", 4, _closed_port),
    "IMS 500": Trouble("no_token", 4, _answering("500 Internal Server Error")),
    "IMS 503 page": Trouble("no_token", 4, _answering("503 Service Unavailable", PORTAL)),
    "IMS 429": Trouble("no_token", 4, _answering("429 Too Many Requests")),
}

LIES = (
    "could not be listed",
    "rotated",
    "product profile",
    "client_secret of this org",
    "may exist",
)
"""What was said before, and is not known."""


@pytest.fixture(params=list(TROUBLES.values()), ids=list(TROUBLES))
def met(
    request: pytest.FixtureRequest, batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Trouble, Options]]:
    """Each trouble, with the options that a command needs to meet it."""
    trouble: Trouble = request.param
    with trouble.begin(batchconnect, monkeypatch) as options:
        yield trouble, ("--patience", "0", *options)


def flat(text: str) -> str:
    """Without line breaks, which fall where the screen ends."""
    return " ".join(text.split())


def remedy(code: str) -> str:
    """What a person is told to do."""
    return hint_for(code, Status.NOT_ATTEMPTED)


def test_a_run_tells_the_cause(batchconnect: CommandLine, met: tuple[Trouble, Options]) -> None:
    """On the screen, in the incident, in failed.csv and on the page; nothing was sent, and no row is lost."""
    trouble, options = met
    sheet = batchconnect.sheet(many(2))

    done = batchconnect("run", sheet, *options)

    report = batchconnect.folder / "reports" / "latest"
    incident = json.loads((report / "summary.json").read_text())["incidents"]
    failed = list(csv.DictReader(io.StringIO((report / "failed.csv").read_text("utf-8-sig"))))
    page = (report / "report.html").read_text()
    assert done.code == trouble.exit_code
    assert [(one["code"], one["rows"]) for one in incident] == [(trouble.code, 2)]
    assert incident[0]["title"] == title_for(trouble.code)
    assert incident[0]["hint"] == remedy(trouble.code)
    assert [row["status"] for row in failed] == ["not_attempted"] * 2
    assert {row["hint"] for row in failed} == {remedy(trouble.code)}
    assert all(row["error"].startswith(f"{trouble.code}: ") for row in failed)
    assert f"! {title_for(trouble.code)} ({trouble.code}): 2 rows" in flat(done.out)
    # A rerun is named with the options of this run that it does not remember.
    told = re.sub(r"`batchconnect rerun [^`]*`", "`batchconnect rerun`", flat(done.out))
    assert remedy(trouble.code) in told
    assert title_for(trouble.code).replace("'", "&#39;") in page
    assert not [lie for lie in LIES if lie in done.out + done.err]


@pytest.mark.parametrize("command", few(["plan", "orgs"], 1))
def test_a_look_tells_the_cause(
    batchconnect: CommandLine, met: tuple[Trouble, Options], command: str
) -> None:
    """Nothing could be looked at: exit 7, with the same headline and remedy as a run's."""
    trouble, options = met
    sheet = (batchconnect.sheet(many(2)),) if command == "plan" else ()

    done = batchconnect(command, *sheet, *options)
    told = batchconnect(command, *sheet, *options, "--json")

    places = told.json["sandboxes" if command == "plan" else "orgs"]
    assert done.code == 7
    assert f"! {title_for(trouble.code)} ({trouble.code}): 1 " in flat(done.out)
    assert look_hint_for(trouble.code) in flat(done.out)
    assert [one["remedy"] for one in places] == [look_hint_for(trouble.code)]
    assert "rerun" not in done.out
    assert command == "orgs" or "next:   batchconnect doctor" in done.out
    assert not [lie for lie in LIES if lie in done.out + done.err]


@pytest.mark.parametrize("name", ["wrong CA", "captive portal", "closed port", "IMS 500"])
def test_an_approved_plan_is_held_against_nothing_then(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is not read has not changed: the cause and its remedy, never "plan again"."""
    trouble = TROUBLES[name]
    sheet = batchconnect.sheet(many(2))
    assert batchconnect("plan", sheet, "--out", "plan.json").code == 0
    with trouble.begin(batchconnect, monkeypatch) as options:
        done = batchconnect("run", "--plan", "plan.json", "--patience", "0", *options)

    assert done.code == 7, done
    assert title_for(trouble.code) in flat(done.err)
    assert look_hint_for(trouble.code) in flat(done.err)
    assert "not as planned" not in done.err
    assert practice.creates() == []


LATER = ("wrong CA", "captive portal", "filter's page", "closed port", "IMS 500")
"""Troubles that may come up on the way to the very host of an earlier run."""


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [TROUBLES[name] for name in LATER], ids=LATER)
def test_a_command_about_an_earlier_run_tells_the_cause(
    batchconnect: CommandLine,
    practice: Practice,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Trouble,
) -> None:
    """Whatever is asked about what a run made: the cause and its remedy, no lie, and nothing is changed."""
    practice.by_name(Client_002=Decision(apply_after_s=None, reply=Reset()))
    sheet = batchconnect.sheet(many(2))
    first = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold", "--json")
    batchconnect("run", batchconnect.sheet(many(1), "one.csv"), *FAST)
    doubtful, whole = first.json["run_id"], batchconnect("runs", "--json").json["runs"][0]["run_id"]
    told: dict[str, Done] = {}
    with trouble.begin(batchconnect, monkeypatch) as options:
        for words in (
            ("verify", first.json["run_id"]),
            ("rotate", "one.csv"),
            ("reconcile", doubtful),
            ("undo", doubtful),
            ("undo", doubtful, "--yes", "1"),
            ("export", "out.csv", "--run", doubtful),
            ("export", "again.csv"),
            ("explore", whole),
            ("rerun", doubtful),
        ):
            told[" ".join(words)] = batchconnect(*words, "--patience", "0", *options)

    for command, done in told.items():
        assert done.code != 0, command
        assert title_for(trouble.code) in flat(done.out + done.err), (command, done)
        assert remedy(trouble.code).split(". ")[0] in flat(done.out + done.err), (command, done)
        assert not [lie for lie in LIES if lie in done.out + done.err], (command, done)
    assert len(practice.connections()) == 1
