"""Who gives a command, and in which process, wherever that runs."""

import getpass
import os
import platform

import pytest

from batchconnect.model.who import operator, process_name


def test_the_operator_of_a_bare_container_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)

    assert operator().isdigit()
    assert process_name().startswith(f"{operator()}@")


def test_two_processes_never_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers each may be number 1, and all may have one machine's name."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(platform, "node", lambda: "worker")
    names = {process_name() for _ in range(1000)}

    assert len(names) == 1000
    assert all("@worker/1-" in name for name in names)
    assert min(len(name.rpartition("-")[2]) for name in names) == 16
