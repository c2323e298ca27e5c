"""`validate`: every problem of a sheet with its cell; nothing is sent, and no setting is needed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from batchconnect.model.outcome import Problem, Rejected
from batchconnect.model.row import Row
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.run.intake.intake import Parse, examine
from batchconnect.run.keys.screening import screen, screened
from batchconnect.run.selection import check_selection, selector
from batchconnect.settings import Settings
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.fast_scan import fast_scan
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry
from batchconnect.validation.placement import check_options
from batchconnect.validation.reference import References
from batchconnect.validation.series import Warned

_NOT_ASKED: Final = "https://localhost"


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was found about a sheet: one by one for programs, and grouped by kind for a person."""

    keeps_each: bool
    """Whether *found* is filled: of a million rows that may be much."""
    rows: int = 0
    blank_rows: int = 0
    rejected: set[int] = field(default_factory=set)
    """Numbers of the rows that a run would not send."""
    doubled: dict[int, tuple[Problem, ...]] = field(default_factory=dict)
    """What is wrong with rows beside others, by number."""
    found: list[tuple[int, Problem]] = field(default_factory=list)
    """Row and finding, in the order of the look."""
    kinds: FindingKinds = field(default_factory=FindingKinds)

    def add(
        self, number: int, judged: BaseConnection | Rejected | Warned | None, *, is_again: bool
    ) -> None:
        """Take one judged row in; a double, or a row of a series, is judged again."""
        self.rows += not is_again
        problems: Iterable[Problem] = ()
        match judged:
            case Rejected(problems=problems):
                self.rejected.add(number)
                if is_again:
                    self.doubled[number] = judged.problems
            case BaseConnection(findings=problems):
                pass
            case Warned(problem=problem):
                problems = (problem,)
            case None:  # the last case
                pass
        for problem in problems:
            if self.keeps_each:
                self.found.append((number, problem))
            self.kinds.add(number, problem)


class Judging(Value):
    """What judges the rows of one sheet."""

    judge: Parse
    orgs: OrgRegistry
    is_selected: Callable[[Row], bool]
    checks_orgs: bool
    """False: no org is set, so that any name in an `org` cell may be one."""
    is_screened: bool
    """False: that no row holds the key of another is still to be seen, before anything is told of one."""


def judging(
    sheet: Sheet,
    *,
    settings: Settings,
    options: MergedOptions,
    environ: Mapping[str, str],
    reads_once: bool = False,
) -> Judging:
    """
    Put together what judges a sheet offline.

    Args:
        sheet: An open sheet.
        settings: The orgs, if there are any.
        options: How rows are judged, and which.
        environ: The variables that references in the sheet may name.
        reads_once: Keys where none belong are looked for on the way of `validate_sheet`, where that can be.

    Raises:
        SheetError: The sheet's name, or another row, holds a key.
        UsageError: `--org` or `--sandbox` can be meant by no row.
    """
    # What is carried has to be known before a row is judged, what stands in another sheet too; and `--only` names cells.
    is_screened = (
        not reads_once or bool(sheet.header.carried or options.only) or len(parts_of(sheet)) > 1
    )
    if is_screened:
        screen(sheet)
    is_known = bool(settings.orgs) and not options.simulate
    orgs = (
        OrgRegistry(settings.orgs)
        if is_known
        else SimulatedOrgRegistry(settings.orgs, url=_NOT_ASKED)
    )
    check_options(options.org, options.sandbox, orgs)
    return Judging(
        judge=partial(
            parse,
            header=sheet.header,
            orgs=orgs,
            org=options.org,
            sandbox=options.sandbox,
            references=References(
                allow=options.allow_refs,
                refs_dir=options.refs_dir,
                environ=environ,
                stores=settings.stores,
            ),
            strict=options.strict,
        ),
        orgs=orgs,
        is_selected=selector(options, orgs, sheet.header),
        checks_orgs=is_known or options.simulate,
        is_screened=is_screened,
    )


def validate_sheet(
    sheet: Sheet, judging: Judging, options: MergedOptions, *, keeps_each: bool
) -> Findings:
    """
    Judge every row.

    Args:
        sheet: An open sheet; the carried columns that hold keys are left out of it.
        judging: What judges its rows.
        options: How rows are judged, and which.
        keeps_each: Whether each finding is kept, beside their kinds.

    Raises:
        SheetError: The sheet cannot be read to its end, or its name or another row holds a key.
    """
    check_selection(options, judging.orgs, sheet)
    found = Findings(keeps_each=keeps_each)
    scan = None
    if not options.only:
        scan = fast_scan(
            sheet,
            orgs=judging.orgs,
            org=options.org,
            sandbox=options.sandbox,
            strict=options.strict,
        )
    for row, judged in examine(
        sheet,
        judging.judge,
        is_selected=judging.is_selected,
        fast_scan=scan,
        strict=options.strict,
        pieces=None if judging.is_screened else screened(sheet),
    ):
        found.add(row.number, judged, is_again=not row.cells)
    found.rows += scan.rows if scan else 0
    found.blank_rows = sheet.blank_rows
    return found
