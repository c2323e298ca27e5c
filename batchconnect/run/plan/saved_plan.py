"""
A plan that is kept: what a run would do to each row, so that somebody may approve it and a run does that alone.

It holds what a report may hold of a row, and its key (the marker); no secret, hashed or not. So it cannot tell
that a `servicePrincipalKey` was changed, and both screens say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

from batchconnect.model.column import SHOWN_COLUMNS
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.model.row_place import own_number, place_of
from batchconnect.model.value import Value, replace
from batchconnect.options import OPTIONS, MergedOptions, RunOptions, options_from
from batchconnect.run.intake.accounting import as_typed
from batchconnect.run.opening.places import ledger_place
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.plan.row_plan import Action
from batchconnect.run.plan.sheet_plan import SheetPlan
from batchconnect.validation.connection import BaseConnection

KEY_UNSEEN: Final = "a changed servicePrincipalKey is not seen: no key is in a plan"
"""What who approves a plan, and who carries it out, is told."""
REJECTED: Final = "rejected"
"""What a plan calls the action of a row that is rejected, beside those of `Action`."""

KEPT: Final = (
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
"""Options that a run takes over from its plan: which rows, and how they are judged. What permits
(`--allow-refs`), paces or guards (`--max-failures`) is given anew."""


class SavedRow(Value):
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


class SavedPlan(Value):
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
    chosen = {name: getattr(options, name) for name in KEPT}
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
