"""What a run would do, per org and sandbox; it reads the service and changes nothing."""

from collections.abc import Callable, Mapping, MutableSequence, Sequence, Set as AbstractSet
from contextlib import ExitStack

import anyio

from batchconnect.lane.decision import Decided, SendKey, Settle
from batchconnect.lane.planner import Known, Rules, decide, states_in
from batchconnect.lane.whole_listing import read_sandbox
from batchconnect.ledger.deletions import deletions_in
from batchconnect.model.outcome import Rejected, Severity
from batchconnect.model.reference import Reference
from batchconnect.model.row import Row
from batchconnect.model.value import Value, replace
from batchconnect.options import MergedOptions
from batchconnect.run.intake.intake import examine
from batchconnect.run.judging import parser, references_of, rules_of
from batchconnect.run.keys.key_plan import look_at_keys
from batchconnect.run.keys.screening import screen
from batchconnect.run.opening.opened_ledger import is_there, read_ledger
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.plan.row_plan import IN_THE_WAY, Action, row_plan
from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan, told_reason
from batchconnect.run.selection import check_selection, selector
from batchconnect.run.task import Task
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import places_of
from batchconnect.transport.pace import START_RATE
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.key import Keys
from batchconnect.validation.series import Warned


async def plan_run(
    sheet: Sheet,
    *,
    service: ConnectedService,
    options: MergedOptions,
    environ: Mapping[str, str],
    task: Task | None = None,
    looks_up_keys: bool = True,
    most_kept: int | None = None,
    in_memory: bool = False,
    on_row: Callable[[Row, BaseConnection | Rejected], None] = lambda _row, _judged: None,
) -> SheetPlan:
    """
    Look ahead.

    Args:
        sheet: An open sheet.
        service: Whose sandboxes are read, each once.
        options: As of the run that is previewed.
        environ: The variables that references in the sheet may name.
        task: What is looked ahead at; None: what `run` does.
        looks_up_keys: Whether the stores are asked for the keys that would be sent.
        most_kept: Rows that are kept of each sandbox and action, for who lists no more of them; None: all. Those
            that a person has to look at are kept in any case.
        in_memory: The run that is previewed would keep no ledger: none is read.
        on_row: Told of each row that is selected, as it is judged by itself.

    Raises:
        SheetError: The sheet cannot be read to its end.
        LedgerError: There is a ledger, and it cannot be read.
    """
    screen(sheet, note=options.note)
    references = references_of(service, options, environ)
    parse = parser(sheet, service=service, options=options, references=references)
    keys = Keys(service.resolver(references), header=sheet.header, strict=options.strict)
    found = SheetPlan(places=places_of(sheet))
    offsets: dict[tuple[str, str], MutableSequence[int]] = {}
    check_selection(options, service.orgs, sheet)
    selected = selector(options, service.orgs, sheet.header)
    for row, judged in examine(sheet, parse, is_selected=selected, strict=options.strict):
        found.rows += bool(row.cells)
        if row.cells and isinstance(judged, BaseConnection | Rejected):
            on_row(row, judged)
        match judged:
            case None:
                found.not_selected += 1
            case Warned(problem=problem):
                found.about_rows.append(problem)
            case Rejected(problems=problems):
                found.rejected[row.number] = [
                    problem for problem in problems if problem.severity is Severity.ERROR
                ]
                found.warnings.add_warnings(row.number, problems)
            case BaseConnection():  # the last case
                found.warnings.add_warnings(row.number, judged.findings)
                offsets.setdefault((judged.org.key, judged.sandbox), []).append(row.offset)

    def load(offset: int) -> BaseConnection | None:
        row = sheet.at(offset)
        judged = parse(row)
        if row.number in found.rejected or not isinstance(judged, BaseConnection):
            return None
        return judged

    with ExitStack() as stack:
        known, deleted = (Known(), frozenset[str]()) if in_memory else _known(options, stack)
        async with anyio.create_task_group() as tasks:
            for (org, sandbox), of_sandbox in offsets.items():
                one = SandboxPlan(org=org, sandbox=sandbox, rows=len(of_sandbox))
                found.sandboxes.append(one)
                service.lane_of(org).deleted = deleted
                rules = rules_of(service, options, task)
                look = _Look(
                    load=load,
                    service=service,
                    rules=rules,
                    known=known,
                    keys=keys if looks_up_keys else None,
                    most_kept=most_kept,
                )
                tasks.start_soon(look.at, one, of_sandbox)
    found.sandboxes.sort(key=lambda one: (one.org.casefold(), one.org, one.sandbox))
    return found


class _Look(Value):
    """One look at one sandbox."""

    load: Callable[[int], BaseConnection | None]
    service: ConnectedService
    rules: Rules
    known: Known
    keys: Keys | None
    most_kept: int | None

    async def at(self, one: SandboxPlan, offsets: Sequence[int]) -> None:
        """Count what a run would do for the rows at these offsets."""
        lane = self.service.lane_of(one.org)
        one.rate = lane.org.rate or START_RATE
        rules = self.rules
        # A plan sends nothing, so it need not wait a settle window before it looks.
        listing = await read_sandbox(lane, one.sandbox, accept_unproven=rules.accept_unproven)
        why = listing.refusal or listing.fault
        if why is not None:
            one.refusal, one.refusal_code = told_reason(why), why.code
            return
        decisions = decide(
            offsets, listing, load=self.load, reads=lane, known=self.known, rules=rules
        )
        elsewhere: dict[int, Decided] = {}
        async for decided in decisions:
            planned = row_plan(decided)
            one.counts[planned.action] += 1
            if (
                self.most_kept is None
                or one.counts[planned.action] <= self.most_kept
                or planned.action in IN_THE_WAY
                or planned.warnings
            ):
                one.planned.append(planned)
            is_sent = planned.action in {Action.CREATE, Action.SEND_KEY}
            connection = decided.connection
            if is_sent and isinstance(connection.service_principal_key, Reference):
                elsewhere[connection.row] = decided
        # Those that seem to be deleted were asked about last.
        one.planned.sort(key=lambda planned: planned.row)
        if self.keys is not None:
            connections = [decided.connection for decided in elsewhere.values()]
            one.keys = await look_at_keys(connections, self.keys)
            _take_out_unchanged(one, elsewhere)


def _take_out_unchanged(one: SandboxPlan, decided: Mapping[int, Decided]) -> None:
    """Where only changed keys are sent, that is known when they were looked up."""
    for row, origin in one.keys.origins.items():
        decision = decided[row].decision
        unchanged = decision.unless_changed(origin) if isinstance(decision, SendKey) else None
        if unchanged is not None:
            now = row_plan(replace(decided[row], decision=Settle(outcome=unchanged)))
            one.counts[Action.SEND_KEY] -= 1
            one.counts[Action.UNCHANGED] += 1
            one.planned = [now if planned.row == row else planned for planned in one.planned]


def _known(options: MergedOptions, stack: ExitStack) -> tuple[Known, AbstractSet[str]]:
    """What the ledger knows, and the ids of what was deleted by our hand."""
    if not is_there(options):
        return Known(), frozenset()
    ledger = stack.enter_context(read_ledger(options))
    identities = ledger.identities()
    states = ledger.states_of(identities.open)
    deletions = deletions_in(ledger, identities.deleted)
    known = Known(
        open={marker: state for marker, state in states.items() if state.is_open},
        states_of=states_in(ledger),
        undoing=deletions.open,
    )
    return known, deletions.ids
