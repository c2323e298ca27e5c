"""The commands over a past run: `reconcile` settles what is in doubt, `verify` asks what works."""

from collections.abc import Awaitable, Callable
from functools import partial

from batchconnect.api.call import Call, LedgerLike, OnEvent, PathLike, SettingsLike, begin, checked
from batchconnect.api.one_error import with_one_error
from batchconnect.api.over_sheets import over_sheet
from batchconnect.api.report import Report, Reporter
from batchconnect.api.sheets import SheetLike
from batchconnect.model.value import replace
from batchconnect.options import RunOptions
from batchconnect.run.exit_code import of_doubts
from batchconnect.run.reconcile_run import settle
from batchconnect.run.selection import as_part
from batchconnect.run.stop import Stop
from batchconnect.run.task import verification
from batchconnect.run.verify_run import verify as verify_run
from batchconnect.sheet.kind import is_named_like_a_sheet


@with_one_error
async def reconcile(
    run: str | None = None,
    *,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Settle what a run left in doubt; nothing is created. As `batchconnect reconcile`.

    Args:
        run: Its id, or the beginning of it; None: the newest that has rows in doubt.
        settings: As of `onboard`.
        ledger: As of `onboard`; something has to name it.
        reports: As of `onboard`.
        on_event: As of `onboard`.
        options: As of `onboard`; `org`, `sandbox` and `only` choose which rows.
        stop: As of `onboard`.

    Returns:
        The run's report, as it is now; its exit code is 6 where something is in doubt still, 4 where a row has no
        connection, however the run itself was ended.

    Raises:
        UsageError: There is no such run.
        BatchConnectError: As of `onboard`.
    """
    given = _part(options)
    call = begin(
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        options=given,
        stop=stop,
    )
    call.need_ledger("reconcile", run)
    call.warn()
    report = await _over_run(call, partial(settle, run, settle_s=given.settle))
    return replace(report, exit_code=int(of_doubts(report.exit_code)))


@with_one_error
async def verify(
    what: SheetLike | None = None,
    *,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Ask each connection's source whether it works; nothing is changed. As `batchconnect verify`.

    Args:
        what: The id of a run, or the beginning of it, or a sheet as of `onboard`: a text that names a file, or
            is named like a sheet, is a path. None: the newest run that creates.
        settings: As of `onboard`.
        ledger: As of `onboard`; for a run something has to name it.
        reports: As of `onboard`.
        on_event: As of `onboard`.
        options: As of `onboard`; of a run, `org`, `sandbox` and `only` choose which rows.
        stop: As of `onboard`.

    Returns:
        The report of the test, under a run id of its own; `works` says what it found.

    Raises:
        UsageError: There is no such run.
        BatchConnectError: As of `onboard`.
    """
    named = partial(
        begin,
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        stop=stop,
    )
    if what is not None and not (isinstance(what, str) and _is_run(what)):
        return await over_sheet(what, named(options=options), lambda _options: verification())
    call = named(options=_part(options))
    call.need_ledger("verify")
    call.warn()
    return await _over_run(call, partial(verify_run, what))


async def _over_run(call: Call, carry_out: Callable[..., Awaitable[object]]) -> Report:
    reporter = Reporter(call)
    with call.heard() as listener:
        await carry_out(
            settings=call.settings, options=call.options, listener=listener, report=reporter
        )
    return reporter.report


def _part(options: RunOptions | None) -> RunOptions:
    given = checked(options)
    return as_part(given, sandbox=given.sandbox)


def _is_run(what: str) -> bool:
    return not is_named_like_a_sheet(what)
