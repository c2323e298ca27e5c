"""`simulate`: IMS and Flow Service on loopback, until a signal."""

import signal

import pytest

from tests.command_line import CommandLine, signalled


def test_it_says_what_other_clients_need(batchconnect: CommandLine) -> None:
    """Lines for a shell; Ctrl-C ends it with exit 0."""
    with signalled(signal.SIGINT):
        done = batchconnect("simulate", "--fault", "flaky", "--seed", "7", "--rate", "5")

    assert done.code == 0
    assert "serving IMS and Flow Service on http://127.0.0.1:" in done.out
    assert "(profile flaky)" in done.out
    assert "export BATCHCONNECT_PLATFORM_URL=http://127.0.0.1:" in done.out


def test_programs_get_the_same_as_a_document(batchconnect: CommandLine) -> None:
    """SIGTERM ends it as well; the state is kept where it was asked for."""
    with signalled(signal.SIGTERM):
        done = batchconnect("simulate", "--json", "--state", "state.sqlite3")

    assert done.code == 0
    assert done.json["url"] == done.json["environment"]["BATCHCONNECT_IMS_URL"]
    assert (batchconnect.folder / "state.sqlite3").exists()


@pytest.mark.parametrize("command", [("simulate",), ("run", "x.csv", "--simulate"), ("orgs",)])
def test_an_unknown_fault_profile_is_a_mistake(
    batchconnect: CommandLine, command: tuple[str, ...]
) -> None:
    """Told with those that there are, before anything is opened."""
    done = batchconnect(*command, "--fault", "bad")

    assert done.code == 2
    assert "--fault must be one of ambiguous, badday" in done.err
    assert "badday" in done.err


def test_a_state_that_is_none_is_refused(batchconnect: CommandLine) -> None:
    """The file is left as it is."""
    path = batchconnect.write("junk.sqlite3", "no database")

    done = batchconnect("simulate", "--state", path)

    assert done.code == 2
    assert "junk.sqlite3 is no state of the simulator" in done.err
    assert path.read_text() == "no database"


def test_a_port_that_is_taken_is_told(batchconnect: CommandLine) -> None:
    """Not as a traceback."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = batchconnect("simulate", "--port", taken.getsockname()[1])

    assert done.code == 2
    assert "the simulator cannot be served" in done.err
