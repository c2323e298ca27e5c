"""`rotate --changed`: a key is sent only where its store shows that it is another one than the connection has."""

import pytest

from batchconnect.lane.decision import SendKey
from batchconnect.model.outcome import Unchanged
from batchconnect.model.reference import KeyOrigin

BEFORE = KeyOrigin(reference="kv:acme", version="7")


def send_key(*, only_changed: bool = True, key_before: KeyOrigin | None = BEFORE) -> SendKey:
    return SendKey(
        connection_id="c", is_adopted=False, only_changed=only_changed, key_before=key_before
    )


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "no_version"),
        (KeyOrigin(reference="env:KEY"), "no_version"),
        (KeyOrigin(reference="kv:acme", version="7"), "same_version"),
        (KeyOrigin(reference="kv:acme@7", version="7"), "same_version"),
        (KeyOrigin(reference="kv:acme", version="8"), None),
        (KeyOrigin(reference="kv:beta", version="7"), None),
        (KeyOrigin(reference="kv:acme#next", version="7"), None),
        (KeyOrigin(reference="other:acme", version="7"), None),
    ],
)
def test_only_another_version_or_another_secret_is_sent(
    key: KeyOrigin | None, code: str | None
) -> None:
    """A version means something within its secret alone, however it was asked for."""
    told = send_key().unless_changed(key)

    assert getattr(told, "code", None) == code
    assert not isinstance(told, Unchanged) or told.connection_id == "c"


def test_a_key_that_is_not_sent_says_why() -> None:
    """And what to do where no version tells."""
    unknown, same = send_key().unless_changed(None), send_key().unless_changed(BEFORE)

    assert unknown is not None
    assert unknown.detail.endswith("without --changed it is sent.")
    assert same is not None
    assert same.detail == "Its connection has this version of its key."


def test_without_the_option_it_is_sent_and_so_is_one_whose_last_version_nobody_knows() -> None:
    same = KeyOrigin(reference="kv:acme", version="7")

    assert send_key(only_changed=False).unless_changed(same) is None
    assert send_key(key_before=None).unless_changed(same) is None
