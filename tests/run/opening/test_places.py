"""Where a run keeps what it writes."""

from pathlib import Path

from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.opening.places import home_of, ledger_place


def test_the_ledger_lies_among_the_reports() -> None:
    """Its path is absolute: it is printed, and another folder is not another ledger."""
    elsewhere = with_defaults(RunOptions(ledger="my.db"))

    assert ledger_place(with_defaults()) == Path.cwd() / "reports" / "ledger.sqlite3"
    assert ledger_place(elsewhere) == Path.cwd() / "my.db"


def test_what_is_simulated_never_mixes_with_what_is_real() -> None:
    """A rehearsal does not touch the ledger that `--ledger` names."""
    real = RunOptions(reports="out", ledger="my.db")
    rehearsal = with_defaults(RunOptions(simulate=True), real)

    assert home_of(rehearsal) == Path("out/simulated")
    assert ledger_place(rehearsal) == Path.cwd() / "out" / "simulated" / "ledger.sqlite3"
    assert home_of(with_defaults(real)) == Path("out")
