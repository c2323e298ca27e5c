"""An empty sheet to fill in."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from batchconnect.cli.options import OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.model.errors import SettingsError, UsageError
from batchconnect.model.org import Org
from batchconnect.reports.new_file import write_new
from batchconnect.reports.workbook.template import render_xlsx
from batchconnect.settings import load_settings
from batchconnect.sheet.template import render_csv


def run(output: OutputOptions, *, path: Path | None, settings: Path | None = None) -> int:
    """Write the template to a new file, or as CSV to stdout; the file's ending says which."""
    console = Console(output)
    if path is None:
        text = render_csv().decode("utf-8-sig")
        console.result({"path": None, "csv": text}, text.splitlines())
        return 0
    match path.suffix.lower():
        case ".csv":
            content = render_csv()
        case ".xlsx":
            orgs = _orgs(settings, console)
            content = render_xlsx(
                orgs=_distinct(org.key for org in orgs),
                sandboxes=_distinct(org.sandbox for org in orgs if org.sandbox),
            )
        case _:
            raise UsageError(
                f"{path}: the template is written as .csv or .xlsx",
                hint=f"batchconnect template {shlex.quote(str(path.with_suffix('.xlsx')))}",
            )
    write_new(path, [content])
    following = shlex.join(["batchconnect", "validate", str(path)])
    console.result(
        {"path": str(path.absolute())},
        [f"{path} is ready to fill in", f"next:   fill it in, then: {following}"],
    )
    return 0


def _orgs(path: Path | None, console: Console) -> tuple[Org, ...]:
    """The orgs to pick from; settings that nobody named may be broken, an empty sheet needs none."""
    try:
        return load_settings(path=path, environ=os.environ, resolve_secrets=False).orgs
    except SettingsError as error:
        if path is not None:
            raise
        console.warn([f"no list of orgs is offered, for the settings cannot be used: {error}"])
        return ()


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
