"""
What every call begins with: settings and options are put together by the rules of the command line.

But for one: where nothing names a place, nothing is written, for a library leaves no files where a program
happens to be.
"""

import inspect
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchconnect.api.one_error import Hearing
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, replace
from batchconnect.options import OPTIONS, MergedOptions, RunOptions, with_defaults
from batchconnect.run.desk import Listener
from batchconnect.run.opening.places import try_places
from batchconnect.run.stop import Stop
from batchconnect.settings import Settings, load_settings, settings_under
from batchconnect.telemetry import heard_by_telemetry

SettingsLike = Settings | str | os.PathLike[str] | None
"""The orgs as a value, or the path of a settings file; None: as the command line finds them."""
PathLike = str | os.PathLike[str]
LedgerLike = PathLike | Secret
"""A path, or a team's `postgresql://…`: a `Secret` where that bears a password."""
OnEvent = Callable[[Event], object]


class Call(Value):
    """What one call works with."""

    settings: Settings
    options: MergedOptions
    listener: Listener
    names_ledger: bool
    """False: nothing says where a ledger is kept, so that none is."""
    names_reports: bool
    """False: no files are written."""
    place: tuple[str, ...]
    """Options of the command line by which it finds what is written here."""

    def warn(self) -> None:
        """
        Say what is odd about the settings, and try the places, before anything is sent.

        Raises:
            UsageError: A report could not be written.

        Warns:
            UserWarning: For each oddity.
        """
        self.warn_of_settings()
        if self.names_reports:
            _warn(try_places(self.options))

    def warn_of_settings(self) -> None:
        """As `warn`, of a call that writes nothing."""
        _warn(self.settings.warnings)

    @contextmanager
    def heard(self) -> Iterator[Listener]:
        """Who hears of what is carried out in here: the program's own listener, and OpenTelemetry where it is set up."""
        with heard_by_telemetry() as telemetry:
            if telemetry is None:
                yield self.listener
                return
            own = self.listener.on_event

            def both(event: Event) -> None:
                telemetry(event)
                own(event)

            yield replace(self.listener, on_event=both)

    def need_ledger(self, what: str, run: object = None) -> None:
        """
        Refuse what is about past runs, where nothing says which ledger knows them.

        Args:
            what: The command.
            run: Which run, as it was given.

        Raises:
            UsageError: So it is, or *run* is no id at all.
        """
        if run is not None and not isinstance(run, str):
            raise UsageError(
                f"run must be the id of a run, a text, and no {type(run).__name__}",
                hint="`Report.run_id` and `batchconnect runs` tell it; rows and files are given by their own names.",
            )
        if not self.names_ledger:
            raise UsageError(
                f"{what} is about a run, and nothing says where its ledger is",
                hint="Give ledger=FILE, or reports=DIR where it lies among the reports.",
            )


def begin(
    *,
    settings: SettingsLike,
    options: RunOptions | None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    stop: Stop | None = None,
    is_offline: bool = False,
) -> Call:
    """
    Put settings and options together.

    Args:
        settings: As of the call.
        options: As of the call; they win over the settings.
        ledger: As of the call; it wins over the option.
        reports: Likewise.
        on_event: As of the call.
        stop: As of the call.
        is_offline: Nothing is sent, so that no credential is needed, nor any org.

    Raises:
        UsageError: One of these is not what it has to be, or options contradict each other.
        SettingsError: As of `load_settings`.
    """
    given = _with_places(checked(options), ledger, reports)
    _check(on_event, stop)
    known = _settings(settings, given, is_offline=is_offline or bool(given.simulate))
    named = known.options
    # What a simulation keeps lies beside the one place that was named.
    beside = named.ledger.parent if isinstance(named.ledger, Path) else None
    return Call(
        settings=known,
        options=with_defaults(
            replace(named, reports=beside if named.reports is None else named.reports)
        ),
        listener=Listener(
            on_event=Hearing(on_event or (lambda event: None)),
            stop=stop or Stop(),
            redactor=Redactor(),
        ),
        names_ledger=named.ledger is not None or named.reports is not None,
        names_reports=named.reports is not None,
        place=_place(settings, given),
    )


def checked(options: RunOptions | None) -> RunOptions:
    """
    The options of a call; none are those that choose nothing.

    Raises:
        UsageError: They are no options, or contradict each other.
    """
    if options is None:
        return RunOptions()
    if not isinstance(options, RunOptions):
        raise UsageError(
            f"options must be a RunOptions, and is a {type(options).__name__}",
            hint="options=batchconnect.RunOptions(simulate=True, rate=5)",
        )
    if options.fault is not None and not options.simulate:
        raise UsageError(
            "fault without simulate", hint="Trouble is practised against the simulator only."
        )
    return options


def path_of(name: str, given: object) -> Path:
    """
    A file that a call names.

    Args:
        name: Of the argument.
        given: What it was.

    Raises:
        UsageError: It is no path.
    """
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise UsageError(
            f"{name} must be a path, and is a {type(given).__name__}", hint=f'{name}="plan.json"'
        )
    return Path(given)


def refuse_unheeded(options: RunOptions | None, names: Collection[str], *, by: str) -> None:
    """
    Refuse options that a call would pass over, though they may have been meant to hold it back.

    Args:
        options: As they were given.
        names: Those that it passes over.
        by: The function.

    Raises:
        UsageError: One of them was given.
    """
    for name in checked(options).given():
        if name in names:
            raise UsageError(
                f"{name} is no option of {by}, which would pass it over",
                hint="Leave it out of the RunOptions of this call.",
            )


def _check(on_event: object, stop: object) -> None:
    if on_event is not None and (not callable(on_event) or inspect.iscoroutinefunction(on_event)):
        raise UsageError(
            "on_event must be a plain function of one event, which is not awaited",
            hint="def hear(event): ...",
        )
    if stop is not None and not isinstance(stop, Stop):
        raise UsageError(
            f"stop must be a batchconnect.Stop, and is a {type(stop).__name__}",
            hint='stop = batchconnect.Stop(); later: stop.ask("why")',
        )


def _with_places(
    options: RunOptions, ledger: LedgerLike | None, reports: PathLike | None
) -> RunOptions:
    """The options with the places that the call itself names; they are converted as options are."""
    given: dict[str, Any] = {"ledger": ledger, "reports": reports}
    return replace(options, **{name: one for name, one in given.items() if one is not None})


def _place(settings: SettingsLike, given: RunOptions) -> tuple[str, ...]:
    named = {"reports": given.reports, "ledger": given.ledger}
    told = [(OPTIONS[name].flag, str(value)) for name, value in named.items() if value is not None]
    if isinstance(settings, str | os.PathLike):
        told.insert(0, ("--settings", os.fspath(settings)))
    return tuple(word for pair in told for word in pair)


def _settings(settings: SettingsLike, options: RunOptions, *, is_offline: bool) -> Settings:
    if isinstance(settings, Settings):
        return settings_under(settings, options, environ=os.environ)
    if settings is not None and not isinstance(settings, str | os.PathLike):
        raise UsageError(
            f"settings must be a path or a Settings, and is a {type(settings).__name__}",
            hint='settings="batchconnect.toml", or batchconnect.Settings(orgs=(...,))',
        )
    return load_settings(
        path=None if settings is None else Path(settings),
        environ=os.environ,
        options=options,
        resolve_secrets=not is_offline,
    )


def _warn(texts: Iterable[str]) -> None:
    for text in texts:
        # Past this function and the two that led here, to the public one; its caller is the loop.
        warnings.warn(text, UserWarning, stacklevel=4)
