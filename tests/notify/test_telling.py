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
        "https://h.example:99999/x",
        "mailto://a@smtp.example.com@127.0.0.1",
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
        {"schema": "jsons", "host": "h.example", "fullpath": "/x"},
    )


OWN = "token=a%2Fb+c&verify=no&method=GET&+X=1&-y=2&:z=3&a=1&a=2&redirect=no&bare"
"""Each of these is a word of Apprise's, or written as one, or such that a reading of it would change it."""


def test_what_a_webhook_s_address_holds_is_its_own() -> None:
    """Its query and path arrive byte for byte, by POST, with the sign-in that is written in it."""
    with webhook() as hook:
        address = hook.url.replace("https://", "HTTPS://u:p%40ss@") + f"//x%2Fy?{OWN}"
        check_address(Secret(address), name="ops")
        why = told(address, ca_bundle=PEM)

        assert why is None
        ((path, document),) = hook.posts
        assert path == f"/hooks/FAKE-token//x%2Fy?{OWN}"
        assert document["title"] == NOTICE.title
        assert hook.authorizations == ["Basic dTpwQHNz"]


@pytest.mark.parametrize("query", ["verify=no", "x=1&VERIFY=false", "x;verify=0", "%76erify=no"])
def test_nothing_in_a_webhook_s_address_switches_the_look_at_its_certificate_off(
    query: str,
) -> None:
    """Of a service that Apprise knows neither."""
    with webhook() as hook:
        assert told(f"{hook.url}?{query}") == "it could not be reached, or did not take it"
        assert hook.posts == []

    known, _other = spellings(Secret(f"https://discord.com/api/webhooks/1/FAKE?{query}&y=2"))
    assert isinstance(known, str)
    assert "erify" not in known.lower()
    assert known.endswith("y=2")


@pytest.mark.parametrize("query", ["verify=no", "to=a@b.example&Mode=Insecure", "mode=insecure"])
def test_an_address_of_mail_that_switches_tls_off_is_refused(query: str) -> None:
    """What is told leaves the machine by TLS; on this machine there is none to switch off."""
    with pytest.raises(SettingsError, match="how far TLS is to be trusted"):
        check_address(Secret(f"mailto://smtp.example.com?{query}"), name="ops")
    with pytest.raises(SettingsError, match="how far TLS is to be trusted"):
        check_address(Secret(f"mailto://127.0.0.1?smtp=h.example&{query}"), name="ops")

    check_address(Secret(f"mailto://127.0.0.1:25?{query}"), name="ops")


@pytest.mark.parametrize(
    ("address", "is_by_tls"),
    [
        ("MAILTO://smtp.example.com?to=a@b.example", True),
        (" mailto://smtp.example.com\n", True),
        ("mailto://127.0.0.1?smtp=smtp.example.com", True),
        ("mailto://127.0.0.1#?smtp=smtp.example.com", False),
        ("Mailto://localhost:25", False),
    ],
)
def test_mail_is_spelled_for_where_it_goes(address: str, is_by_tls: bool) -> None:
    """As Apprise reads the address, in whatever case it is written."""
    check_address(Secret(address), name="ops")
    (spelled,) = spellings(Secret(address))

    assert isinstance(spelled, str)
    assert spelled.startswith("mailtos://" if is_by_tls else "mailto://")
    assert "#" not in spelled
