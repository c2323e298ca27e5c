"""
A plan as a file: what a run would do to each row, so that somebody may approve it and a run does that alone.

It holds what a report may hold of a row, and its key (the marker); no secret, hashed or not. So it cannot tell
that a `servicePrincipalKey` was changed, and both screens say so.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from batchconnect.model.column import SHOWN_COLUMNS
from batchconnect.model.errors import UsageError
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.model.row_place import own_number, place_of
from batchconnect.options import OPTIONS, MergedOptions, RunOptions, options_from
from batchconnect.reports.new_file import try_place
from batchconnect.run.intake.accounting import as_typed
from batchconnect.run.opening.places import ledger_place
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.plan.plan_run import SheetPlan
from batchconnect.run.plan.row_plan import Action
from batchconnect.validation.connection import BaseConnection

SCHEMA: Final = "urn:batchconnect:schema:plan:1"
"""The value of `schema` in a saved plan."""
KEY_UNSEEN: Final = "a changed servicePrincipalKey is not seen: no key is in a plan"
"""What who approves a plan, and who carries it out, is told."""
REJECTED: Final = "rejected"
"""What a plan calls the action of a row that is rejected, beside those of `Action`."""

_KEPT: Final = (
    *(
        "worksheet",
        "all_worksheets",
        "map",
        "visible_only",
        "encoding",
        "org",
        "sandbox",
        "only",
        "strict",
    ),
    *("skip_invalid", "max_rows", "adopt_by_name", "recreate", "accept_unproven_listing", "note"),
)
"""Options that a run takes over from its plan: which rows, and how they are judged. What only permits (`--allow-refs`)
or paces is given anew."""
_AGAIN: Final = "Plan again, and have that approved: batchconnect plan SHEET --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRow:
    """One row of a plan."""

    row: int
    """Its own number."""
    of: str = ""
    """The sheet that it stands in, where there are several."""
    key: str | None
    """Its marker; None: it is rejected, and has no key."""
    action: str
    """Of `Action`, or `rejected`."""
    connection_id: str | None = None
    """The connection that stood there for it."""
    code: str | None = None
    """Why, where that is told by a code."""
    org: str = ""
    """Settings key of its org; "" where it is rejected."""
    sandbox: str = ""
    """Where it is to stand; "" where it is rejected."""
    cells: Mapping[str, str]
    """What was typed, by column, but for the key; a cell that was refused is told by its length, or not at all."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.cells.get("name", "")

    @property
    def told(self) -> str:
        """The row for a person: `row 12 of b.xlsx#EMEA (Acme)`."""
        of = f" of {self.of}" if self.of else ""
        return f"row {self.row}{of}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan, whole."""

    tool_version: str
    command: str
    simulated: bool
    platform_host: str
    ledger: str
    """Of the runs that were known when it was made."""
    sheets: tuple[str, ...]
    """As they were given."""
    orgs: Mapping[str, str]
    """Org id by settings key, of the orgs of its rows."""
    options: Mapping[str, Any]
    """What was chosen of those that a run takes over."""
    rows: tuple[SavedRow, ...]

    @property
    def creates(self) -> frozenset[str]:
        """Keys of the rows that may be created: those that were to be, and those in doubt."""
        sent = {Action.CREATE, Action.SETTLE_FIRST}
        return frozenset(row.key for row in self.rows if row.key and row.action in sent)

    def run_options(self) -> RunOptions:
        """The options that a run takes over from it, beneath what is given to it."""
        return options_from(self.options)


@dataclass(slots=True)
class SeenRows:
    """The rows of a sheet as they were typed and judged, gathered while a plan is made."""

    _seen: dict[int, SavedRow] = field(default_factory=dict)
    """By number, as if all were rejected."""

    def add(self, row: Row, judged: BaseConnection | Rejected) -> None:
        """The next row that was judged."""
        typed = as_typed(row, judged.problems if isinstance(judged, Rejected) else ())
        cells = {column.value: getattr(typed, column.field) for column in SHOWN_COLUMNS}
        self._seen[row.number] = SavedRow(
            row=own_number(row.number),
            key=None,
            action=REJECTED,
            cells={name: text for name, text in cells.items() if text},
        )

    def rows(self, found: SheetPlan) -> Iterator[SavedRow]:
        """Each with what is done to it, in the sheet's order."""
        planned = {row.row: (one, row) for one in found.sandboxes for row in one.planned}
        for number, typed in self._seen.items():
            seen = typed
            if found.places.are_several:
                seen = replace(typed, of=found.places.sheets[place_of(number)])
            if number not in planned:
                yield seen
                continue
            where, what = planned[number]
            yield replace(
                seen,
                key=what.marker,
                action=what.action.value,
                connection_id=what.connection_id,
                code=what.code or None,
                org=where.org,
                sandbox=where.sandbox,
            )


def is_savable(found: SheetPlan, options: MergedOptions) -> bool:
    """Whether each row has a fate that can be approved: all could be read, and none is rejected."""
    is_refused = any(one.refusal is not None for one in found.sandboxes)
    return not is_refused and (options.skip_invalid or not found.rejected)


def saved_plan(
    found: SheetPlan,
    seen: SeenRows,
    *,
    sheets: tuple[str, ...],
    service: ConnectedService,
    options: MergedOptions,
    command: str,
) -> SavedPlan:
    """
    What is to be approved of a plan.

    Args:
        found: With all its rows.
        seen: The rows as they were typed.
        sheets: As they were given.
        service: That was asked.
        options: That it was made with.
        command: What is planned.
    """
    rows = tuple(seen.rows(found))
    keys = dict.fromkeys(row.org for row in rows if row.org)
    chosen = {name: getattr(options, name) for name in _KEPT}
    return SavedPlan(
        tool_version=version("batchconnect"),
        command=command,
        simulated=options.simulate,
        platform_host=service.host,
        ledger=str(ledger_place(options)),
        sheets=sheets,
        orgs={key: org.org_id for key in keys if (org := service.orgs.find(key)) is not None},
        options={
            name: value
            for name, value in chosen.items()
            if value != OPTIONS[name].default and value not in (None, "", ())
        },
        rows=rows,
    )


def render(plan: SavedPlan) -> Iterator[bytes]:
    """The file, a line for each row, so that two plans can be compared by eye."""
    head, *rows = _lines(plan)
    yield head
    yield from rows


def _lines(plan: SavedPlan) -> Iterator[bytes]:
    document = {one.name: getattr(plan, one.name) for one in fields(plan) if one.name != "rows"}
    head = {"schema": SCHEMA, "checksum": _checksum(plan), **document}
    text = json.dumps(head, ensure_ascii=False, indent=2)
    yield _bytes(text.removesuffix("\n}") + ',\n  "rows": [')
    for at, row in enumerate(plan.rows):
        comma = "," if at else ""
        yield _bytes(f"{comma}\n    {_row_text(row)}")
    yield b"\n  ]\n}\n"


def _row_text(row: SavedRow) -> str:
    told = {name: value for name, value in asdict(row).items() if value not in (None, "")}
    return json.dumps(told, ensure_ascii=False)


def _bytes(text: str) -> bytes:
    # A file's name may hold bytes that are no UTF-8, as lone surrogates; `\udcXX` is their JSON escape.
    return text.encode("utf-8", "backslashreplace")


def _checksum(plan: SavedPlan) -> str:
    """Of all that a plan says, so that one which was edited is told; no proof of who made it."""
    digest = sha256()
    for one in fields(plan):
        if one.name != "rows":
            value = getattr(plan, one.name)
            digest.update(_canonical([one.name, value]))
    for row in plan.rows:
        digest.update(_canonical(asdict(row)))
    return digest.hexdigest()


def _canonical(value: object) -> bytes:
    return _bytes(json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n")


def _parsed(said: bytes) -> Any:
    """
    What a file says.

    Raises:
        ValueError: It is no JSON.
    """
    # The standard library's: `orjson` refuses the escape of a lone surrogate, see `_bytes`.
    try:
        return json.loads(said)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def try_out(path: Path) -> None:
    """
    See that a plan can be saved; what a person made is not taken for an older plan.

    Raises:
        UsageError: It cannot.
    """
    if path.exists() and not is_plan(path):
        raise UsageError(
            f"{path} exists, and is no plan, so it is not replaced",
            hint="Name a new file, or move that one away.",
        )
    try_place(path)


def is_plan(path: Path) -> bool:
    """Whether a file is a plan of any version, edited or not."""
    try:
        return _is_ours(_parsed(path.read_bytes()))
    except (OSError, ValueError):
        return False


def _is_ours(document: Any) -> bool:
    schema = str(document.get("schema")) if isinstance(document, dict) else ""
    return schema.startswith(SCHEMA.rpartition(":")[0])


def read_plan(path: Path) -> SavedPlan:
    """
    Read a plan back.

    Raises:
        UsageError: It cannot be read, is no plan, was edited, or another version made it.
    """
    try:
        document = _parsed(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"the plan {path} cannot be read: {error.strerror or error}",
            hint="`batchconnect plan SHEET --out FILE` makes one.",
        ) from None
    except ValueError:
        raise _no_plan(path) from None
    if not _is_ours(document):
        raise _no_plan(path)
    ours = version("batchconnect")
    if document["schema"] != SCHEMA or document.get("tool_version") != ours:
        made_by, form = document.get("tool_version"), document["schema"].rpartition(":")[2]
        of_form = "" if document["schema"] == SCHEMA else f" in form {form}"
        raise UsageError(
            f"the plan {path} was made by batchconnect {made_by}{of_form}, and this is {ours}",
            hint=_AGAIN,
        )
    plan = _plan_of(document)
    if plan is None or document.get("checksum") != _checksum(plan):
        raise UsageError(
            f"the plan {path} was changed since it was saved: its checksum does not fit",
            hint=_AGAIN,
        )
    return plan


def _plan_of(document: Mapping[str, Any]) -> SavedPlan | None:
    """What was saved; None where it has another form, so that a person had their hands in it."""
    names = [one.name for one in fields(SavedPlan) if one.name != "rows"]
    try:
        told = {name: document[name] for name in names}
        rows = tuple(SavedRow(**{"key": None, **row}) for row in document["rows"])
        plan = SavedPlan(**{**told, "sheets": tuple(told["sheets"])}, rows=rows)
        plan.run_options()
    except (KeyError, TypeError, ValueError, UsageError):
        return None
    else:
        return plan


def _no_plan(path: Path) -> UsageError:
    return UsageError(
        f"{path} is no plan of batchconnect",
        hint="`batchconnect plan SHEET --out FILE` makes one.",
    )


def check_mode(plan: SavedPlan, path: Path, *, simulate: bool) -> None:
    """
    See that what was practised is not done in earnest, nor the other way round.

    Raises:
        UsageError: It would be.
    """
    if plan.simulated and not simulate:
        raise UsageError(
            f"the plan {path} is of the simulator, and this run is not",
            hint="Add --simulate; for a real run, plan without it.",
        )
    if simulate and not plan.simulated:
        raise UsageError(
            f"the plan {path} is of {plan.platform_host}, and this run is simulated",
            hint="Leave out --simulate; to practise, plan with it.",
        )


def check_belonging(
    plan: SavedPlan, path: Path, *, options: MergedOptions, host: str, command: str
) -> None:
    """
    See that a plan was made for this command, this service and this ledger.

    Raises:
        UsageError: It was not.
    """
    check_mode(plan, path, simulate=options.simulate)
    ledger = str(ledger_place(options))
    for what, planned, now, remedy in (
        ("command", plan.command, command, f"batchconnect {plan.command} --plan {path}"),
        ("service", plan.platform_host, host, _AGAIN),
        (
            "ledger",
            plan.ledger,
            ledger,
            "Name the plan's with --ledger or --reports, or plan again with this one.",
        ),
    ):
        if planned != now:
            raise UsageError(
                f"the plan {path} is of another {what}: {planned}, and this is {now}", hint=remedy
            )
