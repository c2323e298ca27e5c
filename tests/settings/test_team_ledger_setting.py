"""Where the address of a team's ledger may stand, and where its password may not."""

from pathlib import Path

import pytest

from batchconnect.model.errors import BatchConnectError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.options import RunOptions
from batchconnect.settings import load_settings

PLAIN = "postgresql://me@db/ledger"
CANARY = "c4n4ry~password"
WITH_PASSWORD = f"postgresql://me:{CANARY}@db/ledger"


def address_of(path: Path | None, **environ: str) -> LedgerAddress:
    settings = load_settings(path=path, environ=environ, resolve_secrets=False)
    assert isinstance(settings.options.ledger, LedgerAddress)
    assert all(CANARY not in repr(each) for each in (settings, settings.options))
    return settings.options.ledger


def file(folder: Path, ledger: str) -> Path:
    path = folder / "batchconnect.toml"
    path.write_text(f'ledger = "{ledger}"\n')
    return path


def test_an_address_without_a_password_may_stand_anywhere(tmp_path: Path) -> None:
    """In the file, in the variable, and as an option."""
    found = [address_of(file(tmp_path, PLAIN)), address_of(None, BATCHCONNECT_LEDGER=PLAIN)]

    assert [str(each) for each in found] == [PLAIN, PLAIN]
    assert str(RunOptions(ledger=PLAIN).ledger) == PLAIN


def test_a_password_may_stand_in_the_variable_and_where_a_reference_leads(tmp_path: Path) -> None:
    """The redactor is told of it."""
    (tmp_path / "address").write_text(f"{WITH_PASSWORD}\n")
    found = [
        address_of(None, BATCHCONNECT_LEDGER=WITH_PASSWORD),
        address_of(file(tmp_path, "env:TEAM"), TEAM=WITH_PASSWORD),
        address_of(file(tmp_path, "file:address")),
    ]
    settings = load_settings(
        path=None, environ={"BATCHCONNECT_LEDGER": WITH_PASSWORD}, resolve_secrets=False
    )

    assert [str(each) for each in found] == [PLAIN] * 3
    assert {one.reveal() for each in found for one in each.passwords} == {CANARY}
    assert CANARY in {secret.reveal() for secret in settings.secrets}


def test_a_password_in_the_open_is_refused_without_being_shown(tmp_path: Path) -> None:
    """In a file, and as an option: command lines are seen by everybody."""
    said = []
    for attempt in (
        lambda: address_of(file(tmp_path, WITH_PASSWORD)),
        lambda: RunOptions(ledger=WITH_PASSWORD),
        lambda: address_of(file(tmp_path, "env:TEAM"), TEAM=f"mysql://me:{CANARY}@db"),
    ):
        with pytest.raises(BatchConnectError) as caught:
            attempt()
        said.append(f"{caught.value.message} {caught.value.hint}")

    assert CANARY not in "".join(said)
    assert "without a password" in said[0]
    assert "without a password" in said[1]
    assert "no address of a ledger" in said[2]
