"""
Every option of a run, each declared once: type, default, shape, help, flag, and key of the settings file.

None is what nobody chose. `merge` puts what was chosen in several places on top of each other, the
nearest first: a flag or a value from Python, the environment, the settings file, the default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Generic, Never, Self, cast

from typing_extensions import TypeVar

from batchconnect.model.defaults import CONCURRENCY, LEASE_S, PATIENCE_S, SETTLE_S, TIMEOUT_S
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.precaution import FailureLimit, OnDoubt
from batchconnect.model.secret import Secret
from batchconnect.options import shape
from batchconnect.options.declaration import (
    Option,
    converted,
    option,
    options_of,
    refuse_unknown,
)
from batchconnect.simulator.profiles import PROFILES

WHERE: Final = "Where"
WHICH: Final = "Which rows"
PACE: Final = "Pace"
SAFETY: Final = "Safety"
OUTPUT: Final = "Output"
NETWORK: Final = "Network"
PRACTICE: Final = "Practice"

Unset = TypeVar("Unset", bound=None, default=None)
"""None while an option may not be chosen yet; `Never` when every default is filled in."""
Text = TypeVar("Text", bound=str, default=str)
"""`str` where a text may be given for a value; `Never` when it has been converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(Generic[Unset, Text]):
    """
    How a run, a plan or a reconciliation is to go; what is None is not chosen.

    Each value is converted and checked when it is given. A path may be a text, `on_doubt` one of its two
    words, `max_failures` a number or a text as `5%`, `only` one text or several.

    Raises:
        UsageError: A value cannot be meant. The message names the option and what it must be, and never
            the value.
    """

    reports: Path | Text | Unset = option(
        shape.PATH,
        default=Path("reports"),
        help="Default: reports/",
        metavar="DIR",
        panel=WHERE,
        in_file=True,
        in_environment=True,
    )
    ledger: Path | LedgerAddress | Text | None = option(
        shape.LEDGER,
        help="A file, or a team's postgresql://...; default: ledger.sqlite3 among the reports. A simulation "
        "keeps its own.",
        metavar="FILE|URL",
        panel=WHERE,
        in_file=True,
        in_environment=True,
    )
    """None: `ledger.sqlite3` among the reports. A password in an address is a `Secret`'s matter."""
    simulate: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Against the built-in simulator; needs no settings, touches nothing real.",
        panel=PRACTICE,
    )
    worksheet: Sequence[str] | Text | Unset = option(
        shape.TEXTS,
        default=(),
        help="A tab of each workbook; may be given again.",
        metavar="NAME",
        panel=WHICH,
    )
    """None: the only tab whose headers match."""
    all_worksheets: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="All tabs whose headers match.",
        panel=WHICH,
    )
    map: Sequence[str] | Unset = option(
        shape.MAP,
        default=(),
        help='What a header means, as "Kunde=name"; may be given again.',
        metavar="HEADER=COLUMN",
        panel=WHICH,
        is_joined=True,
    )
    """Joined to the settings' `[columns]`."""
    visible_only: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Leave out a workbook's hidden and filtered rows.",
        panel=WHICH,
    )
    encoding: str | None = option(
        shape.TEXT, help="Of a CSV not in UTF-8.", metavar="NAME", panel=WHICH
    )
    org: str | None = option(shape.TEXT, help="Fills blank org cells.", metavar="NAME", panel=WHICH)
    sandbox: str | None = option(
        shape.TEXT, help="Fills blank sandbox cells.", metavar="NAME", panel=WHICH
    )
    """Wins over the org's default."""
    only: Sequence[str] | Unset = option(
        shape.PARTS,
        default=(),
        help="Only these rows; may be given again.",
        metavar="COLUMN=VALUE",
        panel=WHICH,
    )
    """As `org=acme`, `sandbox=dev`, `wave=2`; of several of one column any, of several columns each."""
    allow_refs: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Keys may be env:NAME (and file:PATH with --refs-dir).",
        panel=SAFETY,
        in_file=True,
    )
    refs_dir: Path | Text | None = option(
        shape.PATH,
        help="The one folder for file: keys.",
        metavar="DIR",
        panel=SAFETY,
        in_file=True,
    )
    strict: bool | Unset = option(
        shape.SWITCH, default=False, help="Warnings are errors.", panel=SAFETY
    )
    rate: float | None = option(
        shape.number(0.01),
        help="Requests per second and lane; by default each lane finds its pace.",
        metavar="N",
        panel=PACE,
        in_file=True,
    )
    """Given as an option, it also wins over the rate of every org."""
    concurrency: int | Unset = option(
        shape.whole_number(1),
        default=CONCURRENCY,
        help=f"Requests in flight over all lanes. (default: {CONCURRENCY})",
        metavar="N",
        panel=PACE,
        in_file=True,
    )
    timeout: float | Unset = option(
        shape.number(0.05, seconds=True),
        default=TIMEOUT_S,
        help=f"Read timeout of a request. (default: {TIMEOUT_S:g})",
        metavar="SECONDS",
        panel=PACE,
        in_file=True,
    )
    """Seconds, as are *patience* and *settle*."""
    patience: float | Unset = option(
        shape.number(0, seconds=True),
        default=PATIENCE_S,
        help=f"How long a lane may go without a normal answer. (default: {PATIENCE_S:g})",
        metavar="SECONDS",
        panel=PACE,
        in_file=True,
    )
    settle: float | None = option(
        shape.number(0, seconds=True),
        help=f"Settle window of a row in doubt. (default: {SETTLE_S:g})",
        metavar="SECONDS",
        panel=SAFETY,
        in_file=True,
    )
    """None: `SETTLE_S`, and with the simulator what its own profile needs."""
    on_doubt: OnDoubt | Text | Unset = option(
        shape.ON_DOUBT,
        default=OnDoubt.RESEND,
        help=f"What follows proven absence. (default: {OnDoubt.RESEND})",
        panel=SAFETY,
        in_file=True,
    )
    lease: float | Unset = option(
        shape.number(2, seconds=True),
        default=LEASE_S,
        help=f"Team ledger: how long a silent worker keeps its lanes. (default: {LEASE_S:g})",
        metavar="SECONDS",
        panel=SAFETY,
        in_file=True,
    )
    """Seconds. A worker whose lease ends sends nothing more, and another one takes the lane over."""
    adopt_by_name: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="A connection of the same name whose target is hidden is the row's own.",
        panel=SAFETY,
    )
    proxy: Secret | Text | None = option(
        shape.ADDRESS, help="HTTP proxy.", metavar="URL", panel=NETWORK, in_file=True
    )
    """An address that may bear a password, or a reference to one, as `env:PROXY`."""
    ca_bundle: Path | Text | None = option(
        shape.PATH,
        help="Certificates to trust beside the system's.",
        metavar="FILE",
        panel=NETWORK,
        in_file=True,
    )
    allow_hosts: Sequence[str] | Unset = option(
        shape.HOSTS,
        default=(),
        help="A host that is neither Adobe's nor loopback; may be given again.",
        metavar="HOST",
        panel=NETWORK,
        flag="--allow-host",
        in_file=True,
        is_joined=True,
    )
    """Joined to the hosts of the file: taking the file's away is no safety."""
    fault: str | Unset = option(
        shape.one_of(PROFILES),
        default="none",
        help=f"Trouble to practise with --simulate: {', '.join(PROFILES)}.",
        metavar="PROFILE",
        panel=PRACTICE,
    )
    seed: int | Unset = option(
        shape.whole_number(),
        default=0,
        help="The same seed, the same trouble. (default: 0)",
        metavar="N",
        panel=PRACTICE,
    )
    skip_invalid: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Run the valid rows although others are rejected.",
        panel=WHICH,
        in_file=True,
    )
    max_rows: int | None = option(
        shape.whole_number(0), help="A canary: at most N creates.", metavar="N", panel=SAFETY
    )
    max_failures: FailureLimit | int | Text | None = option(
        shape.FAILURES, help="Stop at so many failed rows.", metavar="N|N%", panel=SAFETY
    )
    settle_first: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Wait a settle window before each sandbox's first create.",
        panel=SAFETY,
    )
    recreate: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Make again what was created and is gone since.",
        panel=SAFETY,
    )
    accept_unproven_listing: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Create although nothing proves that a listing is whole.",
        panel=SAFETY,
    )
    no_sweep: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Do not compare what was created with the service at the end.",
        panel=SAFETY,
    )
    verify: bool | Unset = option(
        shape.SWITCH,
        default=False,
        help="Then ask each connection's source whether it works.",
        panel=SAFETY,
        in_file=True,
    )
    note: str | Unset = option(
        shape.NOTE,
        default="",
        help="A change ticket, kept in ledger and report.",
        metavar="TEXT",
        panel=OUTPUT,
    )

    def __new__(cls, **given: object) -> Self:
        """Python's own error for a name that is none would be no error of this package's."""
        refuse_unknown(OPTIONS, given)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        found = converted(OPTIONS, self.given(), called=lambda one: one.name)
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def given(self) -> dict[str, Any]:
        """What was chosen, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def failure_limit(self) -> FailureLimit | None:
        """*max_failures*, converted as it is."""
        return cast("FailureLimit | None", self.max_failures)

    @property
    def proxy_url(self) -> Secret | None:
        """*proxy*, converted as it is."""
        return cast("Secret | None", self.proxy)


OPTIONS: Final[Mapping[str, Option]] = options_of(RunOptions)
"""The declarations, by name."""

MergedOptions = RunOptions[Never, Never]
"""Options of which each has its value, chosen or by default."""


def merge(*layers: RunOptions) -> RunOptions:
    """
    Put layers of options on top of each other.

    Args:
        layers: The nearest first. What it leaves out the next one says; `allow_hosts` are joined.
    """
    found: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.given().items():
            if OPTIONS[name].is_joined and name in found:
                found[name] = tuple(dict.fromkeys((*found[name], *value)))
            found.setdefault(name, value)
    return RunOptions(**found)


DEFAULTS: Final = RunOptions(**{name: one.default for name, one in OPTIONS.items()})
"""What holds where nobody chose."""


def with_defaults(*layers: RunOptions) -> MergedOptions:
    """As `merge`, with the defaults beneath all layers."""
    return cast("MergedOptions", merge(*layers, DEFAULTS))


def options_from(given: Mapping[str, object], *, flags: bool = False) -> RunOptions:
    """
    Options from values by their names; None is not chosen.

    Args:
        given: As a program or a command line has them.
        flags: Whether a message calls an option by its flag.

    Raises:
        UsageError: A value cannot be meant, or a name is no option.
    """
    called = (lambda one: one.flag) if flags else (lambda one: one.name)
    return RunOptions(**converted(OPTIONS, given, called=called))
