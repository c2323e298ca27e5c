"""A plan for a pull request: everything that a person has to decide is in it, cut where it is long, and nothing is markup."""

from collections import Counter
from collections.abc import Sequence

import pytest

from batchconnect.cli.files.plan_files import cases, markdown_lines
from batchconnect.model.outcome import Problem
from batchconnect.model.row_place import Places, numbered
from batchconnect.reports.junit import Verdict
from batchconnect.reports.markdown import MOST_ROWS
from batchconnect.run.keys.key_plan import KeyLook
from batchconnect.run.plan.row_plan import Action, RowPlan
from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan

ONE = Places(("clients.csv",))


def problem(cell: str | None = "E2") -> Problem:
    return Problem(
        code="tenant_unknown", cell=cell, what="the tenant is no GUID", remedy="Copy it anew."
    )


def row(number: int, action: Action = Action.CREATE, code: str = "") -> RowPlan:
    return RowPlan(row=number, name=f"Client {number}", marker="bc1-", action=action, code=code)


def sandbox(*rows: RowPlan, **known: object) -> SandboxPlan:
    counts = Counter(one.action for one in rows)
    return SandboxPlan(
        org="acme", sandbox="dev", rows=len(rows), counts=counts, planned=[*rows], **known  # type: ignore[arg-type]
    )  # fmt: skip


def lines(found: SheetPlan, *, saved: str | None = None) -> list[str]:
    return [
        *markdown_lines(found, command="run", creates=True, most_rows=None, saved=saved),
    ]


def test_a_plan_that_was_saved_names_its_file_and_what_it_cannot_see() -> None:
    told = lines(SheetPlan(places=ONE, sandboxes=[sandbox(row(2))]), saved="plan.json")

    assert (
        "Saved as `plan.json`. A changed `servicePrincipalKey` is not seen: no key is in a plan."
        in told
    )


def test_a_plan_in_which_nothing_is_read_has_no_table_of_sandboxes() -> None:
    told = lines(SheetPlan(places=ONE, rejected={2: [problem()]}))

    assert not any(line.startswith("| org") for line in told)
    assert "| E2 | `the tenant is no GUID` |" in told


def test_each_rejected_row_is_a_test_that_failed_with_what_to_do() -> None:
    found = SheetPlan(places=ONE, rejected={2: [problem(), problem(cell=None)]})
    (case,) = cases(found)

    assert case.verdict is Verdict.FAILURE
    assert (case.name, case.kind, case.text) == ("row 2", "tenant_unknown", "Copy it anew.")
    assert case.message == "E2: the tenant is no GUID; row 2: the tenant is no GUID"


@pytest.mark.parametrize("more", [0, 1, 7])
def test_a_long_list_is_cut_and_says_how_much_is_left(more: int) -> None:
    count = MOST_ROWS + more
    rejected: dict[int, Sequence[Problem]] = {
        number: [problem(f"E{number}")] for number in range(2, count + 2)
    }
    keys = KeyLook(refused=[(number, "no such secret") for number in range(2, count + 2)])
    creates = [row(number) for number in range(2, 27 + more)]
    told = lines(SheetPlan(places=ONE, rejected=rejected, sandboxes=[sandbox(*creates, keys=keys)]))

    assert told.count(f"and {more} more") == (3 if more else 0)
    assert f"| E{MOST_ROWS + 1} | `the tenant is no GUID` |" in told
    assert f"| E{MOST_ROWS + 2} | `the tenant is no GUID` |" not in told


def test_a_sandbox_that_could_not_be_read_is_told_and_is_an_error_of_its_own() -> None:
    found = SheetPlan(places=ONE, sandboxes=[sandbox(refusal="403: no | access")])

    assert "- `acme`, `dev` could not be read: `403: no \\| access`" in lines(found)
    (case,) = cases(found)
    assert (case.verdict, case.kind) == (Verdict.ERROR, "not_read")


def test_rows_whose_key_is_not_to_be_had_and_rows_in_the_way_are_told_apart() -> None:
    keys = KeyLook(
        refused=[(3, "no such secret")], stores={"kv": "It answered 503."}, unanswered={4: "kv"}
    )
    rows = (row(2, Action.CONFLICT, code="taken"), row(3), row(4), row(5))
    found = SheetPlan(places=ONE, sandboxes=[sandbox(*rows, keys=keys)])

    assert "- `It answered 503.` 1 row would not be attempted." in lines(found)
    assert [(case.verdict, case.kind) for case in cases(found)] == [
        (Verdict.FAILURE, "taken"),
        (Verdict.FAILURE, "key_refused"),
        (Verdict.ERROR, "no_key"),
        (Verdict.PASSED, ""),
    ]


def test_no_name_of_a_tab_is_markup_or_breaks_a_table() -> None:
    """A tab's name comes with the sheet, from somebody else, and a plan is a comment on a pull request."""
    places = Places(("a.csv", "b.xlsx#@all | <b>EMEA</b>"))
    number = numbered(1, 7)
    keys = KeyLook(refused=[(number, "no such secret")])
    found = SheetPlan(
        places=places,
        rejected={number: [problem(cell=None)]},
        sandboxes=[sandbox(row(number), keys=keys)],
    )

    told = [line for line in lines(found) if "EMEA" in line]
    assert len(told) == 3
    assert all("\\@all \\| \\<b\\>EMEA" in line for line in told)
