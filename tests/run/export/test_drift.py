"""A sheet held against what stands there: which row is whose, and what differs."""

from typing import Any

import pytest

from batchconnect.flow_service.listing import Shown
from batchconnect.flow_service.standing import Standing, Written
from batchconnect.model.column import Column
from batchconnect.model.identity import marker
from batchconnect.model.org import Org
from batchconnect.model.redactor import Redactor
from batchconnect.model.target import Target
from batchconnect.run.export.drift import Drift, DriftKind, drift_of, read_sheet_side
from batchconnect.run.export.export import Exported, SandboxExport
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.org_registry import OrgRegistry

ACME = Org(key="acme", org_id="A" * 24 + "@AdobeOrg", client_id="a", sandbox="dev")
ORGS = OrgRegistry([ACME])
TARGET = Target(
    "https://contoso.westeurope.kusto.windows.net",
    "sales",
    "contoso.onmicrosoft.com",
    "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
)
KEY = "planted~secret.value-1"


def cells(**changes: Any) -> dict[str, Any]:
    """One row of the sheet."""
    row = {
        "name": "Acme",
        "description": "Sales",
        **dict(zip(("endpoint", "database", "tenant", "servicePrincipalId"), TARGET, strict=True)),
        "servicePrincipalKey": KEY,
        **changes,
    }
    return {name: text for name, text in row.items() if text is not None}


def there(number: int = 1, **changes: Any) -> Exported:
    """One connection that stands there."""
    values: dict[str, Any] = {
        "id": f"id-{number}",
        "etag": None,
        "name": "Acme",
        "marker": None,
        "shown": Shown(*TARGET),
        "is_our_kind": True,
        "created_at_ms": None,
        "written_name": "Acme",
        "own_description": "Sales",
        "written": Written(*TARGET),
        "shown_secrets": (),
        **changes,
    }
    standing = Standing(**values)
    return Exported(
        org="acme", sandbox="dev", standing=standing, cells={Column.NAME: standing.name}
    )


def drift(rows: list[dict[str, Any]], *stands: Exported, **one: Any) -> list[Drift]:
    """What parts a sheet from one sandbox."""
    side = read_sheet_side(
        MemorySheet(rows), orgs=ORGS, org=None, sandbox=None, redactor=Redactor()
    )
    return drift_of(side, [SandboxExport(org="acme", sandbox="dev", rows=list(stands), **one)])


def differing(row: dict[str, Any], **changes: Any) -> tuple[str, ...]:
    """The columns in which a row differs from the connection of its name."""
    (one,) = drift([row], there(**changes)) or [Drift(kind=DriftKind.DIFFERENT)]
    assert one.kind is DriftKind.DIFFERENT
    return one.columns


MARKER = marker(org_id=ACME.org_id, sandbox="dev", name="Acme", target=TARGET)


def test_the_same_is_no_drift() -> None:
    """As names and targets are compared, and however the texts are spelled."""
    shouting = cells(
        name=" Acme ", endpoint=TARGET.endpoint.upper(), servicePrincipalId=f"{{{TARGET[3]}}}"
    )

    assert drift([cells()], there()) == []
    assert drift([shouting], there()) == []
    assert drift([cells(servicePrincipalKey="")], there()) == []


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("description", "another"),
        ("description", ""),
        ("endpoint", "https://fabrikam.westeurope.kusto.windows.net"),
        ("database", "billing"),
        ("tenant", "fabrikam.onmicrosoft.com"),
        ("servicePrincipalId", "1e2f04d2-8d1b-4c1f-8e8f-3a2a7c9a4b22"),
    ],
)
def test_each_column_can_differ(column: str, text: str) -> None:
    assert differing(cells(**{column: text})) == (column,)


def test_a_renamed_connection_is_found_by_its_marker_or_its_target() -> None:
    assert differing(cells(), name="Renamed", marker=MARKER) == ("name",)
    assert differing(cells(), name="Renamed") == ("name",)


def test_a_state_can_differ() -> None:
    assert differing(cells(), state="disabled") == ("state",)
    assert drift([cells()], there(state="enabled")) == []


def test_what_is_hidden_or_blank_differs_in_nothing() -> None:
    """A description is another matter: a blank one asks for none."""
    hidden: dict[str, Any] = {"shown": Shown(None, None, None, None), "own_description": None}

    assert drift([cells()], there(**hidden)) == []
    assert drift([cells(endpoint="", tenant="")], there()) == []
    assert drift([cells(description=None)], there()) == []


def test_a_long_description_is_compared_as_it_was_sent() -> None:
    """Cut before its marker."""
    text = "x" * 300

    assert drift([cells(description=text)], there(own_description="x" * 224, marker=MARKER)) == []
    copied = f"Sales {MARKER}"
    assert drift([cells(description=copied)], there()) == []


def test_the_marker_decides_before_the_name_and_the_name_before_the_target() -> None:
    """A copy of the same name is nobody's."""
    copy = there(2)
    ours = there(1, marker=MARKER)

    (one,) = drift([cells()], copy, ours)

    assert (one.kind, one.connection_id) == (DriftKind.ONLY_THERE, "id-2")


def test_of_one_name_the_one_of_the_same_target_is_the_rows() -> None:
    other = Shown(TARGET.endpoint, "billing", TARGET.tenant, TARGET.service_principal_id)

    (one,) = drift([cells()], there(1, shown=other), there(2))

    assert one.connection_id == "id-1"


def test_each_connection_is_one_rows() -> None:
    """The second row that asks for the same has none."""
    (one,) = drift([cells(), cells()], there())

    assert (one.kind, one.row) == (DriftKind.ONLY_IN_SHEET, 2)


def test_what_stands_on_one_side_alone() -> None:
    """Rows first, in their order."""
    stands = there(name="Theirs", shown=Shown(None, None, None, None))

    found = drift([cells(name="Mine")], stands)

    assert [(one.kind, one.row, one.name) for one in found] == [
        (DriftKind.ONLY_IN_SHEET, 1, "Mine"),
        (DriftKind.ONLY_THERE, None, "Theirs"),
    ]


def test_a_row_that_cannot_be_read_is_not_compared_and_shows_no_key() -> None:
    """Its connection is still its own: it does not stand there only."""
    (one,) = drift([cells(name=KEY)], there())

    assert (one.kind, one.why, one.columns) == (DriftKind.NOT_COMPARED, "rejected", ("name",))
    assert (one.name, one.connection_id) == ("", "id-1")


def test_no_key_of_the_sheet_is_shown_by_what_stands_there() -> None:
    (one, other) = drift([cells(name="Mine", database="x")], there(name=f"has {KEY}"))

    assert one.kind is DriftKind.ONLY_IN_SHEET or one.kind is DriftKind.DIFFERENT
    assert KEY not in repr((one, other))


def test_a_row_without_a_place_is_not_compared() -> None:
    found = drift([cells(org="nobody"), cells(sandbox="Not One")])

    assert [one.why for one in found] == ["org_unknown", "sandbox_invalid"]


def test_a_sandbox_that_could_not_be_read_compares_nothing() -> None:
    (one,) = drift([cells()], refusal="403025: Profile is not valid")

    assert (one.kind, one.why) == (DriftKind.NOT_COMPARED, "403025")
