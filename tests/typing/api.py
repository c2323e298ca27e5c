"""Checked by mypy, never executed: how programs use the public face."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import assert_type

import pandas as pd

import batchconnect
from batchconnect import (
    Event,
    Export,
    OrgChecks,
    Plan,
    Report,
    Result,
    RunOptions,
    Settings,
    Status,
    Stop,
    Undo,
    Validation,
)


async def from_a_path(path: Path) -> None:
    """The shortest way."""
    assert_type(await batchconnect.onboard(path), Report)
    assert_type(await batchconnect.onboard("clients.xlsx"), Report)


async def from_rows_and_frames(frame: pd.DataFrame) -> None:
    """Rows may come from anywhere."""

    def rows() -> Iterator[Mapping[str, object]]:
        yield {"name": "Acme"}

    await batchconnect.onboard([{"name": "Acme"}])
    await batchconnect.onboard(rows())
    await batchconnect.onboard(frame)


async def with_everything(stop: Stop) -> None:
    """Each argument by name."""

    def hear(event: Event) -> None:
        event.__hash__()

    settings: Settings = batchconnect.load_settings(path=Path("s.toml"), environ={})
    report = await batchconnect.onboard(
        "clients.csv",
        settings=settings,
        ledger="ledger.sqlite3",
        reports=Path("reports"),
        on_event=hear,
        options=RunOptions(simulate=True, max_rows=5, reports="here"),
        stop=stop,
    )
    stop.ask("enough")
    assert_type(report.rows, tuple[Result, ...])
    assert_type(report.counts, Mapping[Status, int])
    assert_type(report.exit_code, int)
    assert_type(report.folder, Path | None)
    assert_type(report.to_pandas(), pd.DataFrame)


def options() -> None:
    """Texts are converted where they are meant; what is None is not chosen."""
    chosen = RunOptions(
        on_doubt="hold",
        max_failures="5%",
        only="org=acme",
        ledger="l.sqlite3",
        proxy=batchconnect.Secret("http://proxy.test:3128"),
    )
    assert_type(chosen.concurrency, int | None)
    assert_type(chosen.only, Sequence[str] | None)
    RunOptions(max_failures=20, only=["org=acme", "sandbox=dev"], ca_bundle=Path("ca.pem"))


def without_a_loop() -> Report:
    """The twin takes the same, and may fail in the same ways."""
    try:
        return batchconnect.onboard_sync([{"name": "Acme"}], settings="batchconnect.toml")
    except batchconnect.BatchConnectError as error:
        assert_type(error.hint, str | None)
        raise


async def each_command() -> None:
    """What each gives, awaited and by its twin."""
    assert_type(await batchconnect.validate("clients.csv"), Validation)
    assert_type(await batchconnect.plan([{"name": "Acme"}], rotates=True), Plan)
    assert_type(await batchconnect.export(sandboxes="dev", every=True), Export)
    assert_type(batchconnect.rerun_sync(sheet="fixed.csv", reports="r"), Report)
    assert_type(batchconnect.rotate_sync("clients.csv", failing=True), Report)
    assert_type(batchconnect.reconcile_sync("2026", ledger=Path("l")), Report)
    assert_type(batchconnect.verify_sync(), Report)
    assert_type(batchconnect.undo_sync("2026", yes=2).raise_for_failures(), Undo)
    assert_type(batchconnect.orgs_sync(options=RunOptions(only="org=acme")), OrgChecks)
    assert_type(batchconnect.validate_sync("clients.csv").to_pandas(), pd.DataFrame)
    assert_type(batchconnect.__version__, str)


def wrong() -> None:
    """What a checker has to find."""
    batchconnect.onboard_sync("clients.csv", "settings.toml")  # type: ignore[call-arg]  # by name only
    batchconnect.onboard_sync([5])  # type: ignore[arg-type]  # no mapping
    batchconnect.undo_sync(yes=2)  # type: ignore[call-arg]  # of which run?
    batchconnect.validate_sync("clients.csv", on_doubt="hold")  # type: ignore[call-arg]  # an option
    RunOptions(simulated=True)  # type: ignore[call-arg]  # misspelled
    RunOptions(concurrency="64")  # type: ignore[arg-type]  # no number
    RunOptions(rate=True)  # a checker takes it for 1.0; it is refused when it runs
