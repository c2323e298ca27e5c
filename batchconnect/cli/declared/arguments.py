"""What several commands are given by its place."""

from typing import Annotated

import typer

from batchconnect.cli import completion

SheetsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SHEET",
        help="CSV, XLSX, XLS, XLSB or ODS; several make one run; - reads CSV from stdin.",
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="Run id, or the beginning of one; default: the last run.",
        autocompletion=completion.runs,
    ),
]
