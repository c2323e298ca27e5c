"""Rows that ask for the same connection, and names with two targets."""

from hypothesis import given, strategies as st

from batchconnect.model.column import Column
from batchconnect.model.identity import marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import Severity
from batchconnect.model.row import Header
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.doubles import Doubled, Doubles

HEADER = Header(row_number=1, columns={Column.NAME: 2})
ORG = Org(key="acme", org_id="5C1328435BF324E90A49402A@AdobeOrg", client_id="id")
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def connection(
    row: int, name: str = "Acme", database: str = "telemetry", sandbox: str = "prod"
) -> BaseConnection:
    target = Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database=database,
        tenant=GUID,
        service_principal_id=GUID,
    )
    return BaseConnection(
        row=row,
        org=ORG,
        sandbox=sandbox,
        name=name,
        target=target,
        service_principal_key=Secret(f"secret {row}"),
        marker=marker(
            org_id=ORG.org_id,
            sandbox=sandbox,
            name=name,
            target=target,
        ),
    )


def doubled(*connections: BaseConnection) -> Doubled:
    doubles = Doubles(HEADER)
    for each in connections:
        doubles.add(each)
    return doubles.groups()


def test_different_rows_are_no_doubles() -> None:
    """Another name, or the same name in another sandbox."""
    groups = doubled(connection(2), connection(3, "Globex"), connection(4, sandbox="dev"))

    assert len(groups) == 0
    assert groups.get(2) == ()
    assert 2 not in groups


def test_all_rows_of_a_key_are_rejected_and_name_each_other() -> None:
    """In any spelling that is the same key; the secret is no part of it."""
    groups = doubled(
        connection(2), connection(3, "Other"), connection(5, " Acme"), connection(9, "Acme", "TELEMETRY")
    )  # fmt: skip

    assert sorted(groups) == [2, 5, 9]
    (problem,) = groups.get(5)
    assert (problem.code, problem.severity) == ("row_doubled", Severity.ERROR)
    assert "rows 2, 9" in problem.what


def test_a_name_with_two_targets_rejects_both() -> None:
    """With the cell of the name."""
    groups = doubled(connection(2), connection(7, database="sales"))

    (problem,) = groups.get(7)
    assert (problem.code, problem.column, problem.cell) == ("name_doubled", "name", "C7")
    assert "row 2" in problem.what


def test_a_row_may_be_doubled_in_both_ways() -> None:
    """Each of them is said."""
    groups = doubled(connection(2), connection(3), connection(4, database="sales"))

    assert [problem.code for problem in groups.get(2)] == ["row_doubled", "name_doubled"]
    assert [problem.code for problem in groups.get(4)] == ["name_doubled"]
    assert "rows 2, 3" in groups.get(4)[0].what


def test_a_long_list_of_rows_is_capped() -> None:
    """Ten are named, the others counted."""
    groups = doubled(*(connection(row) for row in range(2, 22)))

    assert groups.get(2)[0].what.endswith("rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 9 more")


def test_one_pair_is_found_among_many_rows() -> None:
    """Whatever stands beside it."""
    many = [connection(row, f"Acme {row}") for row in range(2, 1500)]

    assert sorted(doubled(*many, connection(1500, "Acme 77"))) == [77, 1500]


def test_groups_can_be_asked_for_again() -> None:
    """The rows stay remembered."""
    doubles = Doubles(HEADER)
    doubles.add(connection(2))
    assert len(doubles.groups()) == 0

    doubles.add(connection(3))
    assert sorted(doubles.groups()) == [2, 3]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("pq"))),
)
def test_it_finds_what_a_plain_comparison_finds(rows: list[tuple[str, str, str]]) -> None:
    """Every row whose (name, sandbox) stands twice, and no other."""
    groups = doubled(*(connection(at, *row) for at, row in enumerate(rows, 2)))
    named = [(name, sandbox) for name, _, sandbox in rows]

    assert sorted(groups) == [at for at, name in enumerate(named, 2) if named.count(name) > 1]
    for at, row in enumerate(rows, 2):
        expected = ["row_doubled"] * (rows.count(row) > 1) + ["name_doubled"] * (
            named.count(named[at - 2]) > rows.count(row)
        )
        assert [problem.code for problem in groups.get(at)] == expected
