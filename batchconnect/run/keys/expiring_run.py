"""What the stores say of when keys end: of a sheet's rows, or of the keys that a run sent. Nothing is sent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batchconnect.lane.pool import work_on_all
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.run_state import RunState
from batchconnect.model.key_end import ends_within
from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import (
    ENV,
    FILE,
    KeyOrigin,
    Reference,
    Resolver,
    StoredSecret,
    place_of,
)
from batchconnect.model.row import Row
from batchconnect.model.row_place import NOWHERE, Places, own_number
from batchconnect.model.value import Value
from batchconnect.run.intake.intake import Parse
from batchconnect.run.keys.key_plan import KEYS_AT_ONCE
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import places_of
from batchconnect.validation.connection import BaseConnection


@dataclass(slots=True, kw_only=True)
class Wanted:
    """Keys to look up, and who has them."""

    rows: dict[Reference, list[tuple[int, str]]] = field(default_factory=dict)
    """By reference: number and name of its rows."""
    places: Places = NOWHERE
    """The sheets that these stand in."""
    without: int = 0
    """Rows whose key stands where nobody tells when it ends: in the cell, a variable, a file."""
    rejected: int = 0
    """Rows of the sheet that cannot be sent, whose keys are not looked up."""
    known: bool = False
    """Whether the references led to a secret before, so that they may be told."""


class KeyEnd(Value):
    """A key that ends, and whose it is."""

    key: KeyOrigin
    rows: tuple[tuple[int, str], ...]


class KeyRefusal(Value):
    """A key that its store does not give."""

    reference: str | None
    """None: it never led to a secret, so its text may be one."""
    problem: Problem
    rows: tuple[tuple[int, str], ...]


@dataclass(slots=True, kw_only=True)
class KeyEnds:
    """What the stores say."""

    places: Places = NOWHERE
    """The sheets, by which rows are told."""
    asked: int = 0
    """Different keys that were looked up."""
    undated: int = 0
    """Of these, those whose store does not say when they end."""
    without: int = 0
    """Rows whose key stands where nobody tells it."""
    rejected: int = 0
    """As of `Wanted`."""
    ending: list[KeyEnd] = field(default_factory=list)
    """The first to end first."""
    refused: list[KeyRefusal] = field(default_factory=list)
    stores: dict[str, str] = field(default_factory=dict)
    """Why a store gave nothing at all, by its name."""
    unanswered: int = 0
    """Keys in such a store."""

    @property
    def is_fine(self) -> bool:
        """Whether every row was looked at, every key given, and none ends soon."""
        return not (self.ending or self.refused or self.stores or self.rejected)

    @property
    def is_refused(self) -> bool:
        """Whether no store gave anything."""
        return bool(self.asked) and self.unanswered == self.asked


def keys_of_sheet(sheet: Sheet, judge: Parse, is_selected: Callable[[Row], bool]) -> Wanted:
    """
    The references of a sheet's valid rows; the others are counted.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    wanted = Wanted(places=places_of(sheet))
    for row in sheet.rows():
        if not is_selected(row):
            continue
        judged = judge(row)
        if not isinstance(judged, BaseConnection):
            wanted.rejected += 1
            continue
        key = judged.service_principal_key
        if isinstance(key, Reference) and key.store not in {ENV, FILE}:
            wanted.rows.setdefault(key, []).append((row.number, judged.name))
        else:
            wanted.without += 1
    return wanted


def keys_of_run(state: RunState, ledger: LedgerReader, stores: Iterable[str]) -> Wanted:
    """The references of the keys that a run or its parents sent, or `verify` looked up; those of stores that are still set."""
    wanted = Wanted(known=True, places=state.opened.places)
    names = {*stores}
    for row in state.rows(ledger.row_lines(state.number)):
        key = row.key_told
        if key is None or row.planned is None:
            wanted.without += row.made is not None
            continue
        store, _, rest = key.reference.partition(":")
        place = place_of(rest)
        if store in names and place is not None:
            # The newest: what the run sent may have been followed by another version.
            field_ = f"#{place.field}" if place.field else ""
            reference = Reference(f"{store}:{place.name}{field_}")
            wanted.rows.setdefault(reference, []).append((row.number, row.planned.name))
        else:
            wanted.without += 1
    return wanted


async def look_at_ends(
    wanted: Wanted, resolver: Resolver, *, within_days: float, now_ms: int
) -> KeyEnds:
    """
    Ask the stores, and keep no secret.

    Args:
        wanted: Which keys.
        resolver: Asks the stores.
        within_days: A key that ends later is not told of.
        now_ms: The time of day.
    """
    found = KeyEnds(
        places=wanted.places,
        asked=len(wanted.rows),
        without=wanted.without,
        rejected=wanted.rejected,
    )

    async def look(reference: Reference) -> None:
        rows = tuple(wanted.rows[reference])
        answer = (await resolver.resolve([reference]))[reference]
        match answer:
            case StoredSecret(version=version, expires_at_ms=expires_at_ms):
                key = KeyOrigin(
                    reference=reference.text, version=version, expires_at_ms=expires_at_ms
                )
                found.undated += expires_at_ms is None
                if ends_within(key, days=within_days, now_ms=now_ms):
                    found.ending.append(KeyEnd(key=key, rows=rows))
            case NotAttempted(store=store, detail=detail):
                found.stores[store or ""] = detail
                found.unanswered += 1
            case Problem():  # the last case
                told = reference.text if wanted.known else None
                found.refused.append(KeyRefusal(reference=told, problem=answer, rows=rows))

    await work_on_all(list(wanted.rows), look, at_once=KEYS_AT_ONCE)
    found.ending.sort(key=lambda one: (one.key.expires_at_ms or 0, one.rows))
    found.refused.sort(key=lambda one: one.rows)
    return found


def document_of(found: KeyEnds, within_days: float) -> Mapping[str, object]:
    """The result for programs."""
    return {
        "within_days": within_days,
        "keys": found.asked,
        "undated": found.undated,
        "rows_without": found.without,
        "rows_rejected": found.rejected,
        "ending": [
            {
                "key_reference": one.key.reference,
                "key_version": one.key.version,
                "key_expires_ms": one.key.expires_at_ms,
                **_rows(one.rows, found.places),
            }
            for one in found.ending
        ],
        "refused": [
            {
                "key_reference": one.reference,
                "code": one.problem.code,
                "what": one.problem.what,
                **_rows(one.rows, found.places),
            }
            for one in found.refused
        ],
        "stores": dict(found.stores),
    }


def _rows(rows: Sequence[tuple[int, str]], places: Places) -> Mapping[str, object]:
    """The rows of a key: their own numbers, and of several sheets where they stand."""
    told: dict[str, object] = {"rows": [own_number(number) for number, _ in rows]}
    if places.are_several:
        told["places"] = [places.keys(number) for number, _ in rows]
    return told
