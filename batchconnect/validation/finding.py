"""
How a rule words what it found: one sentence of what is wrong, one of how to fix it.

The rules know a column but no cell; `located` adds the address once the row is known.
"""

from collections.abc import Iterable
from dataclasses import replace

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.row import Header

Problems = tuple[Problem, ...]
NOTHING: Problems = ()
"""A healthy cell: shared, so that a million of them cost no memory."""


def error(column: Column, code: str, what: str, remedy: str) -> Problem:
    """A finding for which the row is not sent."""
    return Problem(code=code, column=column.value, what=what, remedy=remedy)


def warning(column: Column, code: str, what: str, remedy: str) -> Problem:
    """A finding that a person should look at; the row is sent."""
    return Problem(
        code=code, severity=Severity.WARNING, column=column.value, what=what, remedy=remedy
    )


def note(column: Column, code: str, what: str, remedy: str = "Nothing has to be done.") -> Problem:
    """A harmless change of an identifier, said aloud."""
    return Problem(code=code, severity=Severity.NOTE, column=column.value, what=what, remedy=remedy)


def located(
    problems: Iterable[Problem], header: Header, row_number: int, *, strict: bool = False
) -> Problems:
    """
    The same findings, each with the address of its cell; of its row, where one of several sheets lacks the column.

    Args:
        problems: As the rules found them.
        header: Of the sheet.
        row_number: As the user's spreadsheet shows it.
        strict: Warnings become errors; notes stay notes.
    """
    return tuple(
        replace(
            problem,
            severity=(
                Severity.ERROR
                if strict and problem.severity is Severity.WARNING
                else problem.severity
            ),
            cell=(
                None
                if problem.column is None
                else header.address(Column(problem.column), row_number)
            )
            or header.row_address(row_number),
        )
        for problem in problems
    )


def has_error(problems: Iterable[Problem]) -> bool:
    """Whether one of the findings forbids to send the row."""
    return any(problem.severity is Severity.ERROR for problem in problems)
