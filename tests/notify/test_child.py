"""What the process that tells answers with: one word, whatever Apprise says, and nothing of the address."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from batchconnect.notify import child
from tests.notify.channel import mailbox, proxy

pytestmark = [
    pytest.mark.slow,  # Apprise alone takes a second to import
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what it imports
]


@pytest.fixture(autouse=True)
def logger() -> Iterator[None]:
    """Apprise's is one for a process; here the process goes on."""
    log = logging.getLogger("apprise")
    before = (log.handlers, log.propagate, log.level)
    yield
    log.handlers, log.propagate, log.level = before


def answered(monkeypatch: pytest.MonkeyPatch, *urls: str) -> str:
    """What it writes of a notice to the first of these addresses that is one."""
    given = {"urls": urls, "title": "done", "body": "2 rows: 2 created", "mood": "success"}
    answer = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(given)))
    monkeypatch.setattr(sys, "stdout", answer)
    child.main()
    return answer.getvalue()


def test_what_was_taken_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first spelling of the address that Apprise knows."""
    with mailbox() as (port, lines):
        mail = f"mailto://127.0.0.1:{port}?from=bc@example.com&to=ops@example.com"
        assert answered(monkeypatch, "nobody-knows://this", mail) == "sent"

    assert any("2 rows: 2 created" in line for line in lines)


def test_an_address_that_nobody_knows_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(monkeypatch, "nobody-knows://this") == "unknown"


def test_a_refusal_is_its_status(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of what Apprise says of it may tell the address: it is logged nowhere."""
    with proxy() as (address, asked):
        to = address.replace("http://", "json://")
        assert answered(monkeypatch, f"{to}/FAKE-token") == "502"

    assert asked
    assert "FAKE-token" not in caplog.text


def test_where_nobody_listens_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as (address, _):
        gone = address.replace("http://", "json://")
    assert answered(monkeypatch, gone) == "failed"


def test_without_apprise_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert answered(monkeypatch, "json://127.0.0.1") == "missing"
