"""What was typed is read as Typer reads it, without what Typer reads it with."""

from typing import Any

import pytest
import typer

from batchconnect.cli.app import command
from batchconnect.model.errors import BatchConnectError

TYPED = ("", "5", "-1", "2.5", "acme", "org=acme", "a/b c", "ä", "https://host")
COMMANDS = command().commands


def read(of: Any, context: typer.Context, value: object) -> object:
    """A value, or what a person is told."""
    try:
        return of(context, value)
    except BatchConnectError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - both are to fail alike
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_parameter_is_read_as_typer_reads_it(name: str) -> None:
    """Whatever is typed, and where nothing is."""
    one = COMMANDS[name]
    context = typer.Context(one)
    parameters = [each for each in one.get_params(context) if not each.is_eager]

    assert parameters
    for each in parameters:
        is_list = each.multiple or each.nargs == -1
        typed = [(text,) for text in TYPED] + [TYPED[1:3]] if is_list else [*TYPED]
        for value in (None, each.get_default(context), *typed):
            theirs = read(type(each).process_value.__get__(each), context, value)
            found = read(each.process_value, context, value)
            assert (type(found), found) == (type(theirs), theirs), (each.name, value)


def test_what_is_missing_is_told_by_typer() -> None:
    """As for the sheet of `validate`."""
    one = COMMANDS["validate"]
    context = typer.Context(one)
    sheets = next(each for each in one.get_params(context) if each.name == "sheets")

    with pytest.raises(Exception, match=r"Missing|SHEET") as told:
        sheets.process_value(context, None)
    assert type(told.value).__name__ == "MissingParameter"
