"""Whom a command tells how it ended, beside the person who gave it: a metrics file, a channel, a mailbox."""

import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self, assert_never

import anyio

from batchconnect.cli.options import Given
from batchconnect.cli.screen.console import Console
from batchconnect.model.errors import BatchConnectError, ExitCode, UsageError
from batchconnect.model.notice import Notice, NoticeProfile
from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.notify.address import check_address
from batchconnect.notify.telling import check_installed, tell
from batchconnect.options import MergedOptions
from batchconnect.reports.new_file import try_place, write_over
from batchconnect.reports.notice import notice_of, notice_of_error
from batchconnect.reports.summary import Summary
from batchconnect.settings import Settings
from batchconnect.stores.opened import opened_stores
from batchconnect.stores.resolver import STORES_ALONE, StoreResolver

_PATIENCE_S: Final = 20.0
"""How long a store in trouble is waited for: the run is over, and its exit code is waited for."""
_ENDING: Final = ".prom"
"""What a textfile collector reads; other files of its folder it leaves alone."""
_READABLE: Final = 0o644
"""The collector is another user, and no secret and no row is in the file."""


class Ending:
    """
    Tells it at the end of its block, also where that ends with an error of ours.

    What was asked for and cannot be, is refused at once; what cannot be told at the end is a warning.

    Args:
        given: `--metrics`, `--notify`.
        console: Where a warning is said.
        command: As it was given, for a notice without a run.

    Raises:
        UsageError: The file cannot be written, or what one of them needs is not installed.
    """

    def __init__(self, given: Given, console: Console, *, command: str) -> None:
        self.summary: Summary | None = None
        """The run, once it is over."""
        self.code: ExitCode | None = None
        """How the command ends, where there is no run to tell of and no error is raised."""
        self._console = console
        self._command = command
        self._metrics = given.metrics
        self._names: Sequence[str] = tuple(dict.fromkeys(given.notify or ()))
        self._chosen: list[tuple[NoticeProfile, Secret | Reference]] = []
        self._settings: Settings | None = None
        self._options: MergedOptions | None = None
        if self._metrics is not None:
            _check_metrics(self._metrics)
        if self._names:
            check_installed()

    def reach(self, settings: Settings, options: MergedOptions) -> None:
        """
        Find the addresses, before anything is sent; those that stand in a store are looked up at the end.

        Raises:
            UsageError: The settings have no such name.
            SettingsError: One leads nowhere, or is of no kind that a notice goes to.
        """
        self._settings, self._options = settings, options
        known = {one.name: one for one in settings.notices}
        for name in self._names:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.5)
                raise UsageError(
                    f"--notify {name}: the settings have no [notify.{name}]"
                    f"{f'; [notify.{near[0]}] is one' if near else ''}",
                    hint='Write into batchconnect.toml: [notify.NAME], and url = "env:VARIABLE" below it.',
                )
            profile = known[name]
            if options.simulate:
                continue  # nobody is told: practice needs no credential
            if isinstance(profile.url, Reference):
                self._chosen.append((profile, profile.url))
            else:
                url = profile.url()
                check_address(url, name=name)
                self._chosen.append((profile, url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, BatchConnectError):
            return
        code = self.code if error is None else error.exit_code
        if self.summary is None and code is None:
            return  # a plan was shown: nothing ended
        if self._metrics is not None:
            self._write_metrics(self._metrics, int(code or 0))
        if self._names and self._options is not None:
            summary = self.summary
            notice = (
                notice_of(summary)
                if summary is not None
                else notice_of_error(self._command, int(code or 0))
            )
            self._tell(notice)

    def _write_metrics(self, path: Path, code: int) -> None:
        from batchconnect.reports import metrics  # noqa: PLC0415 - its library is an extra

        about: dict[str, Any] = {"name": path.stem, "ended_at_s": time.time()}
        if self.summary is None:
            text = metrics.render_error(code, **about)
        else:
            text = metrics.render(self.summary, **about)
        try:
            write_over(path, [text], mode=_READABLE)
        except UsageError as error:
            self._console.warn([error.message])

    def _tell(self, notice: Notice) -> None:
        settings, options = self._settings, self._options
        assert settings is not None
        assert options is not None
        if options.simulate:
            self._console.say("note: a simulation notifies nobody: --notify is for real runs")
            return
        for profile, url in self._chosen:
            try:
                why = self._told(notice, profile, url, settings, options)
            except KeyboardInterrupt:
                why = "it was interrupted"
            except BatchConnectError as error:
                why = error.message
            except Exception as error:  # noqa: BLE001 - the run is over: whatever this is, it is no part of it
                why = f"an unexpected {type(error).__name__}"
            if why is not None:
                self._console.warn([f"--notify {profile.name}: nobody was told: {why}"])

    def _told(
        self,
        notice: Notice,
        profile: NoticeProfile,
        url: Secret | Reference,
        settings: Settings,
        options: MergedOptions,
    ) -> str | None:
        """Why nobody was told; None: somebody was."""
        if isinstance(url, Reference):
            found = anyio.run(
                partial(_look_up, url, settings, options, self._console.redactor.hold)
            )
            match found:
                case StoredSecret(value=value):
                    check_address(value, name=profile.name)
                    url = value
                case NotAttempted(detail=detail):
                    return detail
                case Problem(what=what):
                    # A store speaks of a cell, as of a row's key.
                    return what.replace("the cell", f"[notify.{profile.name}]")
                case _:
                    assert_never(found)
        return tell(notice, url, proxy=options.proxy_url, ca_bundle=options.ca_bundle)


def _check_metrics(path: Path) -> None:
    if path.suffix.lower() != _ENDING:
        raise UsageError(
            f"--metrics {path}: it is replaced where it exists, and a collector reads {_ENDING} alone",
            hint=f"--metrics {path.with_suffix(_ENDING)}",
        )
    if find_spec("prometheus_client") is None:
        raise UsageError(
            "--metrics needs a package that is not installed (prometheus-client)",
            hint="pip install 'batchconnect[metrics]'",
        )
    try_place(path)


async def _look_up(
    reference: Reference,
    settings: Settings,
    options: MergedOptions,
    hold: Callable[[Secret], None],
) -> LookedUp:
    """What the store of the reference gives."""
    stores = opened_stores(
        settings.stores,
        proxy=options.proxy_url,
        ca_bundle=options.ca_bundle,
        patience_s=_PATIENCE_S,
        rng=Random(),  # noqa: S311 - jitter
        on_event=lambda _event: None,
        hold=hold,
    )
    async with stores as lines:
        found = await StoreResolver(lines, STORES_ALONE, hold=hold).resolve([reference])
        return found[reference]
