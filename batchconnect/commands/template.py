"""An empty sheet to fill in."""

import os
import sys
from pathlib import Path

from batchconnect.cli_options import OutputOptions
from batchconnect.commands.console import Console
from batchconnect.errors import UsageError
from batchconnect.template import render_csv


def run(output: OutputOptions, *, path: Path | None) -> int:
    """Write the template to a new file, or to stdout."""
    console = Console(output)
    content = render_csv()
    if path is None:
        sys.stdout.write(content.decode("utf-8-sig"))
        return 0
    if path.suffix.lower() != ".csv":
        raise UsageError(
            f"{path}: the template is written as .csv",
            hint=f"batchconnect template {path.with_suffix('.csv')}; Excel opens it.",
        )
    try:
        # O_EXCL: what a person has filled in is never overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="Name a new file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    console.result(
        {"path": str(path.absolute())},
        [f"{path} is ready to fill in", f"next:   batchconnect validate {path}"],
    )
    return 0
