"""What tests of the stores may ask for."""

from collections.abc import Iterator

import pytest

from tests.stores.bao import Bao, served_bao


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """An OpenBao server; whoever writes to it uses names of his own."""
    with served_bao(tmp_path_factory.mktemp("bao")) as server:
        yield server
