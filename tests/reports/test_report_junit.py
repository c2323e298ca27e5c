"""One test case per row, that every CI server reads: what has no connection has failed."""

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import given, strategies as st

from batchconnect.ledger.entry import Settled
from batchconnect.model import outcome as o
from batchconnect.model.outcome import MatchedBy, Problem, Works
from batchconnect.reports.junit import Case, Verdict, group_of, render, render_cases
from tests.reports.page_run import bad_day, planned, summed_up, verified_day


def suite(chunks: list[bytes]) -> ET.Element:
    """The one suite of a document, which is well formed."""
    (found,) = ET.fromstring(b"".join(chunks))
    return found


def test_each_outcome_has_its_verdict() -> None:
    """Done passes; refused, rejected and conflict fail; what is not known is an error; what nobody asked for is skipped."""
    problem = Problem(code="cell_blank", cell="C7", what="the cell is blank", remedy="Fill it in.")
    outcomes: dict[str, o.Outcome] = {
        "passed": o.Created(connection_id="c-1"),
        "passed too": o.Existing(connection_id="c-2", matched_by=MatchedBy.MARKER),
        "failure refused": o.Failed(code="FLOW-1308-400", detail="No."),
        "failure rejected": o.Rejected(problems=(problem,)),
        "failure conflict": o.Conflict(code="target_differs", detail="Another."),
        "error doubt": o.InDoubt(code="timeout", detail="Late."),
        "error turn": o.NotAttempted(code="lane_stopped", detail="Refused."),
        "skipped only": o.NotAttempted(code="not_selected", detail="Left out."),
    }
    summary = summed_up(
        *(
            told
            for row, (name, outcome) in enumerate(outcomes.items(), start=2)
            for told in ((0, row, planned(name)), (0, row, Settled(outcome=outcome)))
        )
    )

    found = suite([*render(summary)])

    assert [case.get("name") for case in found] == [
        f"row {row}: {name}" for row, name in enumerate(outcomes, start=2)
    ]
    for case, name in zip(found, outcomes, strict=True):
        assert [child.tag for child in case] == [
            word for word in [name.split()[0]] if word != "passed"
        ]
    numbers = {name: found.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "8", "failures": "3", "errors": "2", "skipped": "1"}
    (rejected,) = found[3]
    assert (rejected.get("type"), rejected.get("message"), rejected.text) == (
        "cell_blank",
        "C7: the cell is blank",
        "Fill it in.",
    )


def test_a_connection_that_does_not_work_has_failed() -> None:
    """One that could not be tested is an error, though the row is done."""
    summary = verified_day(40)
    rows = {f"row {row.row}: {row.name}": row for row in summary.rows()}

    found = suite([*render(summary)])

    works = Counter(rows[str(case.get("name"))].works for case in found if len(case))
    assert works[Works.YES] == 0
    for case in found:
        row = rows[str(case.get("name"))]
        if row.works is Works.NO:
            assert [(one.tag, one.get("type")) for one in case] == [("failure", row.works_error)]


def test_all_rows_are_there_in_chunks() -> None:
    """However many there are, no chunk holds them all, and the numbers at the top are right."""
    summary = bad_day(1200)

    chunks = [*render(summary)]
    found = suite(chunks)

    assert (len(found), found.get("tests")) == (summary.total, str(summary.total))
    assert max(chunk.count(b"<testcase") for chunk in chunks) <= 500


@given(st.text(), st.text(), st.text())
def test_whatever_people_type_stays_xml(name: str, message: str, text: str) -> None:
    """Markup, line ends and characters that no XML may hold."""
    case = Case(group="a.b", name=name, verdict=Verdict.FAILURE, message=message, text=text)

    (found,) = suite([*render_cases(lambda: [case], name=name)])

    assert len(found) == 1
    plain = replace(case, name="x" + name)
    if name.isprintable() and name.isascii():
        (same,) = suite([*render_cases(lambda: [plain], name="n")])
        assert same.get("name") == "x" + name


def test_a_dot_in_a_name_makes_no_group_of_its_own() -> None:
    """Servers build a tree of what stands between dots."""
    assert group_of("acme.eu", "prod").count(".") == 1
    assert group_of("", "") == "batchconnect"
