"""The address of a team's ledger is shown without its password, wherever that stands."""

import pytest

from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret

CANARY = "c4n4ry%2Fpass"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://me:{CANARY}@db/ledger", "postgresql://me@db/ledger"),
        (
            f"postgres://me:{CANARY}@db:6432/ledger?sslmode=require",
            "postgresql://me@db:6432/ledger?sslmode=require",
        ),
        (f"postgresql://me@a:1,b:2/l?password={CANARY}&host=x", "postgresql://me@a:1,b:2/l?host=x"),
        (f"postgresql://db/l?sslpassword={CANARY}&options=-csecret", "postgresql://db/l"),
        (f"postgresql://:{CANARY}@/l", "postgresql://@/l"),
        (f"postgresql://me:{CANARY}:x@[::1]:5432/l", "postgresql://me@[::1]:5432/l"),
        ("postgresql:///l?host=/run/postgresql", "postgresql:///l?host=/run/postgresql"),
    ],
)
def test_it_is_shown_without_its_password(url: str, shown: str) -> None:
    """In a message, a repr, a format."""
    address = LedgerAddress(Secret(url))

    assert (str(address), f"{address}") == (shown, shown)
    assert "c4n4ry" not in repr(address)
    assert all("c4n4ry/pass" in one.reveal() for one in address.passwords)
    assert bool(address.passwords) == (CANARY in url)


@pytest.mark.parametrize("text", ["ledger.sqlite3", "/var/postgresql", "postgresql", "mysql://x/y"])
def test_what_is_no_such_address_is_none(text: str) -> None:
    """It is a file's path."""
    assert LedgerAddress.of(text) is None


@pytest.mark.parametrize(
    "url", ["postgresql://me:{}@db/l", "postgresql://me:{}@a:1,b/l?sslmode=require"]
)
@pytest.mark.parametrize("sign", [sign for sign in map(chr, range(33, 127)) if not sign.isalnum()])
def test_no_sign_in_a_password_lets_a_part_of_it_be_taken_for_another(url: str, sign: str) -> None:
    """Either it is known as the password whole, as libpq takes it, or nothing of the address is shown."""
    from psycopg.conninfo import conninfo_to_dict

    address = LedgerAddress(Secret(url.format(f"c4n{sign}4ry{sign}tail")))

    assert not any(part in str(address) for part in ("c4n", "4ry", "tail"))
    if address.is_readable and sign != "%":
        taken = conninfo_to_dict(address.url.reveal())["password"]
        assert [one.reveal() for one in address.passwords] == [taken]
    elif not address.is_readable:
        assert address.passwords == (address.url,)
