"""How a sheet's rows are judged and what is done about each, by the settings and the options of a command."""

from collections.abc import Mapping
from functools import partial

from batchconnect.lane.planner import Rules
from batchconnect.options import MergedOptions
from batchconnect.run.intake.intake import Parse
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.task import Task
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import parse
from batchconnect.validation.fast_scan import Scan, fast_scan
from batchconnect.validation.placement import check_options
from batchconnect.validation.reference import References


def parser(
    sheet: Sheet, *, service: ConnectedService, options: MergedOptions, references: References
) -> Parse:
    """
    What judges a row of this sheet.

    Raises:
        UsageError: `--org` or `--sandbox` can be meant by no row.
    """
    check_options(options.org, options.sandbox, service.orgs)
    return partial(
        parse,
        header=sheet.header,
        orgs=service.orgs,
        org=options.org,
        sandbox=options.sandbox,
        references=references,
        strict=options.strict,
    )


def references_of(
    service: ConnectedService, options: MergedOptions, environ: Mapping[str, str]
) -> References:
    """What the cells of this command's sheet may refer to."""
    return References(
        allow=options.allow_refs,
        refs_dir=options.refs_dir,
        environ=environ,
        stores=[line.profile for line in service.stores.values()],
    )


def scan_of(sheet: Sheet, service: ConnectedService, options: MergedOptions) -> Scan:
    """The fast path over a sheet: its rows that have nothing to say."""
    return fast_scan(
        sheet,
        orgs=service.orgs,
        org=options.org,
        sandbox=options.sandbox,
        yields_rows=True,
        strict=options.strict,
    )


def rules_of(service: ConnectedService, options: MergedOptions, task: Task | None = None) -> Rules:
    """How the plan of this command judges what stands in a sandbox; without a task, as that of `run`."""
    task = task or Task()
    return Rules(
        creates=task.creates,
        keys=task.keys,
        approved=task.approved,
        settle_s=service.settle_s,
        settle_first=options.settle_first,
        adopt_by_name=options.adopt_by_name,
        recreate=options.recreate,
        accept_unproven=options.accept_unproven_listing,
    )
