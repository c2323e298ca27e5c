"""A notice reaches a webhook or a mailbox, through proxy and bundle; and whatever fails is told in a few words."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.model.notice import Mood, Notice
from batchconnect.model.secret import Secret
from batchconnect.notify import telling
from batchconnect.notify.address import check_address, spellings
from batchconnect.notify.telling import tell
from tests.notify.channel import PEM, mailbox, proxy, webhook

NOTICE = Notice(
    title="batchconnect run: done", body="2 rows: 2 created\nrun r-1", mood=Mood.SUCCESS
)

pytestmark = pytest.mark.slow


def told(url: str, **named: Any) -> str | None:
    """Why it was not told."""
    return tell(NOTICE, Secret(url), **{"proxy": None, "ca_bundle": None, **named})


def test_a_webhook_gets_it_as_json() -> None:
    """By TLS, trusted through the bundle."""
    with webhook() as hook:
        assert told(hook.url, ca_bundle=PEM) is None

        ((path, document),) = hook.posts
        assert path == "/hooks/FAKE-token"
        assert (document["title"], document["message"]) == (NOTICE.title, NOTICE.body)
        assert document["type"] == "success"


def test_a_mailbox_gets_it_as_a_mail() -> None:
    with mailbox() as (port, lines):
        why = told(f"mailto://127.0.0.1:{port}?from=bc@example.com&to=ops@example.com")

        assert why is None
        assert any(line.upper().startswith("RCPT TO:<OPS@EXAMPLE.COM>") for line in lines)
        assert any("batchconnect run: done" in line for line in lines)


def test_a_webhook_is_reached_through_the_proxy() -> None:
    """Which sees a tunnel to the host alone; and what is refused there is told."""
    with proxy() as (address, asked):
        why = told("https://hooks.example.test/FAKE-token", proxy=Secret(address))

    assert [line.rpartition(" ")[0] for line in asked] == ["CONNECT hooks.example.test:443"]
    assert why == "it could not be reached, or did not take it"


def test_nobody_is_trusted_without_the_bundle() -> None:
    with webhook() as hook:
        why = told(hook.url)

        assert why == "it could not be reached, or did not take it"
        assert hook.posts == []


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_is_told_by_its_status_and_no_more(status: int) -> None:
    """Nothing of the address, which is a credential."""
    with webhook() as hook:
        hook.status = status
        why = told(hook.url, ca_bundle=PEM)

        assert why == f"it was answered with HTTP status {status}"


def test_one_that_does_not_answer_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that tells is ended; nothing here waits for it."""
    monkeypatch.setattr(telling, "LONGEST_S", 0.05)

    assert told("https://127.0.0.1:9/x") == "no answer within 0.05 s"


def test_what_is_not_installed_names_the_line_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should it be gone since the command looked."""
    (why,) = [telling._WORDS[answer] for answer in (_answer_without_apprise(),)]

    assert "pip install 'batchconnect[notify]'" in why


def _answer_without_apprise() -> str:
    child = Path(telling.__file__).with_name("child.py")
    block = "import runpy, sys; sys.modules['apprise'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", block, str(child)],
        input='{"urls": [], "title": "", "body": "", "mood": "success"}',
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "file:///etc/hosts",
        "slack://a/b/c",
        "json://localhost",
        "mailto:ops@example.com",
        "https://",
        "https://[",
        "ops@example.com",
        "",
    ],
)
def test_an_address_of_another_kind_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match=r"url of \[notify.ops\] must be") as caught:
        check_address(Secret(url), name="ops")

    shown = f"{caught.value} {caught.value.hint}".split()
    assert url in {"", "https://"} or url not in shown


def test_mail_goes_by_tls_but_to_this_machine() -> None:
    """And a webhook is first tried as the service that it may belong to."""
    for url in ("mailto://u:p@smtp.example.com?to=a@example.com", "https://hooks.example.com/x"):
        check_address(Secret(url), name="ops")

    assert spellings(Secret("mailto://u:p@smtp.example.com")) == ("mailtos://u:p@smtp.example.com",)
    assert spellings(Secret("mailto://127.0.0.1:25")) == ("mailto://127.0.0.1:25",)
    assert spellings(Secret("https://h.example/x")) == (
        "https://h.example/x",
        "jsons://h.example/x",
    )
