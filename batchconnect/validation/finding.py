"""
How a rule words what it found: one sentence of what is wrong, one of how to fix it.

The rules know a column but no cell; `located` adds the address once the row is known.
"""

from collections.abc import Iterable

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.row import Header

Problems = tuple[Problem, ...]
AS_TYPED = "it is sent as typed"
"""What becomes of most cells that are odd and no more."""
NOTHING: Problems = ()
"""A healthy cell: shared, so that a million of them cost no memory."""


class Tolerated(Problem):
    """A finding of a rule that says what becomes of the cell if nothing else forbids to send its row."""

    then: str
    """As `it is sent as typed`; `located`, which knows what becomes of the row, says it or leaves it out."""


def error(column: Column, code: str, what: str, remedy: str) -> Problem:
    """A finding for which the row is not sent."""
    return Problem(code=code, column=column.value, what=what, remedy=remedy)


def warning(column: Column, code: str, what: str, remedy: str, *, then: str = "") -> Problem:
    """A finding that a person should look at; the row is sent, *then* says how."""
    return Tolerated(
        code=code,
        severity=Severity.WARNING,
        column=column.value,
        what=what,
        remedy=remedy,
        then=then,
    )


def note(
    column: Column,
    code: str,
    what: str,
    remedy: str = "Nothing has to be done.",
    *,
    then: str = "",
) -> Problem:
    """A harmless change of an identifier, said aloud."""
    return Tolerated(
        code=code, severity=Severity.NOTE, column=column.value, what=what, remedy=remedy, then=then
    )


def located(
    problems: Iterable[Problem], header: Header, row_number: int, *, strict: bool = False
) -> Problems:
    """
    The same findings, each with the address of its cell; of its row, where one of several sheets lacks the column.

    What becomes of a cell is said only where its row is sent: beside an error it would not be true.

    Args:
        problems: As the rules found them, all of the row.
        header: Of the sheet.
        row_number: As the user's spreadsheet shows it.
        strict: Warnings become errors; notes stay notes.
    """
    told = tuple(problems)
    severities = [_severity(problem, strict=strict) for problem in told]
    is_sent = Severity.ERROR not in severities
    return tuple(
        Problem(
            code=problem.code,
            severity=severity,
            column=problem.column,
            cell=(
                None
                if problem.column is None
                else header.address(Column(problem.column), row_number)
            )
            or header.row_address(row_number),
            what=_what(problem, is_sent=is_sent),
            remedy=problem.remedy,
        )
        for problem, severity in zip(told, severities, strict=True)
    )


def _severity(problem: Problem, *, strict: bool) -> Severity:
    is_raised = strict and problem.severity is Severity.WARNING
    return Severity.ERROR if is_raised else problem.severity


def _what(problem: Problem, *, is_sent: bool) -> str:
    if is_sent and isinstance(problem, Tolerated) and problem.then:
        return f"{problem.what}; {problem.then}"
    return problem.what


def has_error(problems: Iterable[Problem]) -> bool:
    """Whether one of the findings forbids to send the row."""
    return any(problem.severity is Severity.ERROR for problem in problems)
