"""A store whose library is not installed: the command says what to install, and an incident is all that it costs."""

import sys

import pytest

from batchconnect.model.errors import ExitCode
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

pytestmark = pytest.mark.slow

STORES = {
    "azure": ("azure.core.credentials", 'uri = "akv://acme-clients"\nauth = "env"'),
    "vault": ("hvac", 'uri = "vault://127.0.0.1:9/secret"\nauth = "token"\ntoken = "literal:FAKE"'),
    "aws": ("boto3", 'uri = "aws-sm://eu-central-1"\nauth = "env"'),
}
"""By extra: what its client imports first, and its section of the settings."""


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An extra whose library cannot be imported, as where it is not installed."""
    extra: str = request.param
    library, _ = STORES[extra]
    monkeypatch.delitem(sys.modules, f"batchconnect.stores.{extra}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)  # Python refuses to import it
    return extra


@pytest.mark.parametrize("without", STORES, indirect=True)
def test_a_missing_extra_is_named_by_its_pip_line_wherever_the_store_is_asked(
    batchconnect: CommandLine, practice: Practice, without: str
) -> None:
    """`validate` asks no store, so it needs none; `orgs`, `plan` and `run` name the line, and nothing is sent."""
    library, section = STORES[without]
    batchconnect.write("batchconnect.toml", f"[stores.kv]\n{section}\nsheets = true\n")
    (row,) = many(1)
    sheet = batchconnect.sheet([{**row, "servicePrincipalKey": "kv:acme-key"}])
    pip = f"pip install 'batchconnect[{without}]'"

    checked = batchconnect("validate", sheet)
    done = {
        name: batchconnect(name, *more, *FAST) for name, *more in (("plan", sheet), ("run", sheet))
    }
    orgs = batchconnect("orgs")

    assert checked.code == ExitCode.OK, checked
    for one in (*done.values(), orgs):
        told = " ".join(one.out.split())
        assert one.code == ExitCode.UNFINISHED, one
        assert f"It needs a library that is not installed ({library})." in told
        assert pip in told
        assert "Traceback" not in one.out + one.err
    assert not practice.ask(lambda simulator: simulator.connections())
