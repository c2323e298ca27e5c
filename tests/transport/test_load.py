"""One server fault is an accident, two are overload."""

from batchconnect.transport.load import ISOLATED_ANSWERS, ISOLATED_S, Faults


def test_a_single_fault_is_isolated() -> None:
    """The first fault says nothing about the load."""
    assert not Faults().failed(0.0)


def test_a_second_fault_soon_after_is_overload() -> None:
    """Two among a few answers are no accident."""
    faults = Faults()
    faults.failed(0.0)
    faults.answered()

    assert faults.failed(1.0)


def test_faults_far_apart_in_answers_are_isolated() -> None:
    """Twenty good answers between two faults: both were accidents."""
    faults = Faults()
    faults.failed(0.0)
    for _ in range(ISOLATED_ANSWERS):
        faults.answered()

    assert not faults.failed(1.0)


def test_faults_far_apart_in_time_are_isolated() -> None:
    """A fault of half a minute ago says nothing about now."""
    faults = Faults()
    faults.failed(0.0)

    assert not faults.failed(ISOLATED_S + 0.1)
