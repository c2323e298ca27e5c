"""A saved plan as a file: a line for each row, and a checksum that tells whether somebody edited it."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from batchconnect.model.errors import UsageError
from batchconnect.model.value import by_name, names_of
from batchconnect.options import MergedOptions
from batchconnect.reports.new_file import try_place
from batchconnect.run.opening.places import ledger_place
from batchconnect.run.plan.saved_plan import SavedPlan, SavedRow

SCHEMA: Final = "urn:batchconnect:schema:plan:1"
"""The value of `schema` in a saved plan."""
_AGAIN: Final = "Plan again, and have that approved: batchconnect plan SHEET --out FILE"


def render(plan: SavedPlan) -> Iterator[bytes]:
    """The file, a line for each row, so that two plans can be compared by eye."""
    head, *rows = _lines(plan)
    yield head
    yield from rows


def _lines(plan: SavedPlan) -> Iterator[bytes]:
    document = {name: value for name, value in by_name(plan).items() if name != "rows"}
    head = {"schema": SCHEMA, "checksum": _checksum(plan), **document}
    text = json.dumps(head, ensure_ascii=False, indent=2)
    yield _bytes(text.removesuffix("\n}") + ',\n  "rows": [')
    for at, row in enumerate(plan.rows):
        comma = "," if at else ""
        yield _bytes(f"{comma}\n    {_row_text(row)}")
    yield b"\n  ]\n}\n"


def _row_text(row: SavedRow) -> str:
    told = {name: value for name, value in by_name(row).items() if value not in (None, "")}
    return json.dumps(told, ensure_ascii=False)


def _bytes(text: str) -> bytes:
    # A file's name may hold bytes that are no UTF-8, as lone surrogates; `\udcXX` is their JSON escape.
    return text.encode("utf-8", "backslashreplace")


def _checksum(plan: SavedPlan) -> str:
    """Of all that a plan says, so that one which was edited is told; no proof of who made it."""
    digest = sha256()
    for name, value in by_name(plan).items():
        if name != "rows":
            digest.update(_canonical([name, value]))
    for row in plan.rows:
        digest.update(_canonical(by_name(row)))
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
    names = [name for name in names_of(SavedPlan) if name != "rows"]
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
