"""The two files that a CI job asks for beside a report: a summary in Markdown, and test cases for its page."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchconnect.cli.options import Given
from batchconnect.cli.screen.console import Console
from batchconnect.model.errors import PlanChangedError, UsageError
from batchconnect.model.value import Value
from batchconnect.reports import markdown
from batchconnect.reports.new_file import append_to, try_place, write_over
from batchconnect.reports.redaction import cleaned
from batchconnect.reports.summary import Summary
from batchconnect.reports.write import redacted

# What writes XML brings Python's HTTP along, and few runs ask for test cases: whoever writes them imports it.
if TYPE_CHECKING:
    from batchconnect.reports.junit import Case

_STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Variable of GitHub Actions: the file to which each step adds what the job's page shows."""

Redact = Callable[[str], str]


class CiFiles(Value):
    """Where the files are wanted; None: nowhere."""

    summary: Path | None = None
    """Markdown. GitHub's own file is added to, another one replaced."""
    junit: Path | None = None

    @classmethod
    def of(cls, given: Given) -> "CiFiles":
        """
        What was asked for, once it is known that it can be written.

        Raises:
            UsageError: It cannot, or its name is that of another kind of file, which may be somebody's.
        """
        files = cls(summary=given.summary, junit=given.junit)
        for path, flag, ending in (
            (files.summary, "--summary", ".md"),
            (files.junit, "--junit", ".xml"),
        ):
            if path is None:
                continue
            if path.suffix.lower() != ending and not _is_step_summary(path):
                raise UsageError(
                    f"{flag} {path}: it is replaced where it exists, so its name must end with {ending}",
                    hint=f"{flag} {path.with_suffix(ending)}",
                )
            try_place(path)
        return files

    def write(self, summary: Summary, console: Console, redact: Redact = str) -> None:
        """Of a run. It is told by its exit code and its reports: what cannot be written here is a warning."""
        clean = cleaned(summary, redact)

        def cases() -> Iterator[bytes]:
            from batchconnect.reports import junit  # noqa: PLC0415 - see above

            return junit.render(clean)

        self._write(lambda: markdown.render(clean), cases, console=console, redact=redact)

    def write_plan(
        self,
        lines: Callable[[], Iterable[str]],
        cases: "Callable[[], Iterable[Case]]",
        console: Console,
        *,
        name: str,
    ) -> None:
        """Of a plan, from its lines in Markdown and a test case for each row."""

        def as_junit() -> Iterator[bytes]:
            from batchconnect.reports import junit  # noqa: PLC0415 - see above

            return junit.render_cases(cases, name=name)

        self._write(lambda: map(markdown.encoded, lines()), as_junit, console=console)

    def write_changes(self, error: PlanChangedError, console: Console) -> None:
        """Of a run that was refused, since it would not do what its plan says."""

        def lines() -> Iterator[str]:
            yield f"### run --plan: {error.message}"
            yield ""
            for change in error.changes[: markdown.MOST_ROWS]:
                yield f"- {markdown.code(change)}"
            if (more := len(error.changes) - markdown.MOST_ROWS) > 0:
                yield f"- and {more} more"

        def cases() -> "Iterator[Case]":
            from batchconnect.reports.junit import Case, Verdict  # noqa: PLC0415 - see above

            for change in error.changes:
                yield Case(
                    group="batchconnect.plan",
                    name=change,
                    verdict=Verdict.FAILURE,
                    kind="not_as_planned",
                    message=change,
                    text=error.hint or "",
                )

        self.write_plan(lines, cases, console, name="batchconnect run --plan")

    def _write(
        self,
        as_markdown: Callable[[], Iterator[bytes]],
        as_junit: Callable[[], Iterator[bytes]],
        *,
        console: Console,
        redact: Redact = str,
    ) -> None:
        for path, render in ((self.summary, as_markdown), (self.junit, as_junit)):
            if path is None:
                continue
            write = append_to if _is_step_summary(path) else write_over
            try:
                write(path, redacted(render(), redact))
            except UsageError as error:
                console.warn([error.message])


def _is_step_summary(path: Path) -> bool:
    return str(path) == os.environ.get(_STEP_SUMMARY)
