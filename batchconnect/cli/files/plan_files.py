"""A plan for a pull request, in Markdown, and as test cases, one per row."""

from collections.abc import Iterator
from typing import Final

from batchconnect.cli.screen.console import counted
from batchconnect.cli.screen.plan_screen import sum_line
from batchconnect.model.value import replace
from batchconnect.reports.junit import Case, Verdict, group_of
from batchconnect.reports.markdown import MOST_ROWS, code, folded, plain, table
from batchconnect.run.plan.row_plan import IN_THE_WAY, SIGNS, Action
from batchconnect.run.plan.sheet_plan import SheetPlan

_MOST_PER_SIGN: Final = 25
"""Rows of one sign that are listed."""


def markdown_lines(
    found: SheetPlan, *, command: str, creates: bool, most_rows: int | None, saved: str | None
) -> Iterator[str]:
    """
    The plan in Markdown.

    Args:
        found: The plan.
        command: What is planned.
        creates: Whether that creates connections; else it sends keys.
        most_rows: What `--max-rows` says.
        saved: Where the plan was saved; None: nowhere.
    """
    yield f"### plan of `{command}`"
    yield ""
    yield f"{sum_line(found, creates=creates, most_rows=most_rows)}."
    yield ""
    if saved is not None:
        yield f"Saved as {code(saved)}. A changed `servicePrincipalKey` is not seen: no key is in a plan."
        yield ""
    signs = list(dict.fromkeys(SIGNS.values()))
    heads = ("org", "sandbox", *(f"`{sign}`" for sign in signs))
    counts = (
        (
            code(one.org),
            code(one.sandbox),
            *(
                str(sum(one.counts[action] for action in Action if action.sign == sign))
                for sign in signs
            ),
        )
        for one in found.sandboxes
    )
    if found.sandboxes:
        yield from table(heads, counts)
    shut = [*_shut(found)]
    if shut:
        yield from (*shut, "")
    yield from _refused(found)
    yield from _rejected(found)
    for action in SIGNS:
        yield from _of_action(found, action)


def _rejected(found: SheetPlan) -> Iterator[str]:
    problems = [
        (plain(problem.cell or found.places.told(row)), code(problem.what))
        for row, of_row in sorted(found.rejected.items())
        for problem in of_row
    ]
    if problems:
        lines = [*table(("cell", "what is wrong"), problems[:MOST_ROWS])]
        if (more := len(problems) - MOST_ROWS) > 0:
            lines.append(f"and {more} more")
        yield from folded(f"{len(found.rejected)} rejected", lines)


def _shut(found: SheetPlan) -> Iterator[str]:
    """Sandboxes that could not be read, and stores that give nothing."""
    for one in found.sandboxes:
        if one.refusal is not None:
            yield f"- {code(one.org)}, {code(one.sandbox)} could not be read: {code(one.refusal)}"
    for why, rows in found.shut_stores.values():
        yield f"- {code(why)} {counted(rows, 'row')} would not be attempted."


def _refused(found: SheetPlan) -> Iterator[str]:
    refused = [
        (_row(found, row), code(why)) for one in found.sandboxes for row, why in one.keys.refused
    ]
    if refused:
        lines = [*table(("row", "why its key is not to be had"), refused[:MOST_ROWS])]
        if (more := len(refused) - MOST_ROWS) > 0:
            lines.append(f"and {more} more")
        yield from folded(f"{counted(len(refused), 'key')} refused", lines)


def _of_action(found: SheetPlan, action: Action) -> Iterator[str]:
    count = sum(one.counts[action] for one in found.sandboxes)
    if not count:
        return
    rows = [
        (
            _row(found, row.row),
            code(row.name),
            code(one.org),
            code(one.sandbox),
            code(row.told_why),
        )
        for one in found.sandboxes
        for row in one.planned
        if row.action is action
    ][:_MOST_PER_SIGN]
    lines = [*table(("row", "name", "org", "sandbox", "why"), rows)]
    if more := count - len(rows):
        lines.append(f"and {more} more")
    yield from folded(f"{action.sign} {count} {action.value.replace('_', ' ')}", lines)


def _row(found: SheetPlan, number: int) -> str:
    """A row in a cell of a table; of several sheets the name of a file or a tab is in it."""
    return plain(found.places.told(number).removeprefix("row "))


def cases(found: SheetPlan) -> Iterator[Case]:
    """Each row: one that a run would leave without a connection has failed, the others have passed."""
    for row, problems in sorted(found.rejected.items()):
        yield Case(
            group="batchconnect.rejected",
            name=found.places.told(row),
            verdict=Verdict.FAILURE,
            kind=problems[0].code,
            message="; ".join(
                f"{one.cell or found.places.told(row)}: {one.what}" for one in problems
            ),
            text="\n".join(dict.fromkeys(one.remedy for one in problems)),
        )
    for one in found.sandboxes:
        group = group_of(one.org, one.sandbox)
        if one.refusal is not None:
            yield Case(
                group=group,
                name="the sandbox could not be read",
                verdict=Verdict.ERROR,
                kind="not_read",
                message=one.refusal,
            )
        refused = dict(one.keys.refused)
        for planned in one.planned:
            case = Case(group=group, name=f"{found.places.told(planned.row)}: {planned.name}")
            if planned.action in IN_THE_WAY:
                why, kind = planned.told_why, planned.code
                yield replace(case, verdict=Verdict.FAILURE, kind=kind, message=why)
            elif planned.row in refused:
                why = refused[planned.row]
                yield replace(case, verdict=Verdict.FAILURE, kind="key_refused", message=why)
            elif planned.row in one.keys.unanswered:
                why = one.keys.stores[one.keys.unanswered[planned.row]]
                yield replace(case, verdict=Verdict.ERROR, kind="no_key", message=why)
            else:
                yield case
