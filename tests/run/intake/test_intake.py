"""The first pass: every row is accounted for in the ledger before one is sent."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

import pytest

from batchconnect.ledger.codec import encode
from batchconnect.ledger.entry import Line, RowPlanned, RunOpened, Settled
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.org import Org
from batchconnect.model.outcome import Created, InDoubt, Outcome, Rejected
from batchconnect.model.row import Row
from batchconnect.run.intake.accounting import NOT_SELECTED, CarriedOver, CarryOver, Intake, Skipped
from batchconnect.run.intake.intake import examine, take_in
from batchconnect.run.intake.same_run import Identity
from batchconnect.sheet import MemorySheet, Sheet
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.source import MemorySource
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References

pytestmark = pytest.mark.anyio

ORGS = OrgRegistry(
    [
        Org(key="acme", org_id="5C1328435BF324E90A49402A@AdobeOrg", client_id="a", sandbox="prod"),
        Org(key="globex", org_id="AC1328435BF324E90A49402A@AdobeOrg", client_id="b"),
    ]
)
CLOCK = Clock(now_ms=lambda: 5000, monotonic_s=lambda: 0.0, boot_id="b")
HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox,ticket"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PRINCIPAL = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
KEY = "planted~secret.value-{}"


def text(name: str, database: str = "telemetry", org: str = "acme", sandbox: str = "prod") -> str:
    """A healthy row of the CSV."""
    endpoint = "https://acme.westeurope.kusto.windows.net"
    key = KEY.format(abs(hash(name)))
    return f"{name},{endpoint},{database},{TENANT},{PRINCIPAL},{key},{org},{sandbox},T-1"


class Pages(Append):
    """Where lines become durable; one page for each commit."""

    def __init__(self) -> None:
        self.pages: list[list[Line]] = []

    async def append(self, lines: Sequence[Line]) -> None:
        self.pages.append(list(lines))

    @property
    def lines(self) -> list[Line]:
        return [line for page in self.pages for line in page]

    @property
    def rows(self) -> dict[int, RowState]:
        """What the ledger would know of each row."""
        lines = sorted(self.lines, key=lambda line: line.row or 0)
        return {state.number: state for state in fold_rows(lines)}

    @property
    def outcomes(self) -> dict[int, Outcome | None]:
        return {number: state.outcome for number, state in self.rows.items()}


def opened(*rows: str) -> Sheet:
    """A CSV with this header and these rows, in memory."""
    data = "\n".join([HEADER, *rows, ""]).encode()
    return CsvSheet(MemorySource(data), name="clients.csv", encoding=None)


def parser(sheet: Sheet) -> Callable[[Row], BaseConnection | Rejected]:
    references = References(allow=False, refs_dir=None, environ={})
    return partial(
        parse, header=sheet.header, orgs=ORGS, org=None, sandbox=None, references=references
    )


OPENED = RunOpened(run_id="r", sheets=("clients.csv",), sheet_sha256="")


async def surveyed(
    sheet: Sheet,
    *,
    known: Mapping[int, bool] | None = None,
    is_selected: Callable[[Row], bool] = lambda _: True,
    carry_over: CarryOver = lambda _, __: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> tuple[Intake, Pages]:
    pages = Pages()
    with closing(sheet):
        found = await take_in(
            sheet,
            parser(sheet),
            ledger=RunWriter(pages, run=1, clock=CLOCK),
            known=known or {},
            is_selected=is_selected,
            carry_over=carry_over,
            is_stopped=is_stopped,
            identity=Identity(OPENED),
        )
    return found, pages


def is_acme(row: Row) -> bool:
    return row.cells[Column.ORG] == "acme"


async def test_a_healthy_row_is_planned_and_gets_its_place() -> None:
    """Per org and sandbox, in the order of the sheet; the row can be read again there."""
    sheet = opened(text("One"), text("Two", org="globex", sandbox="dev"), text("Three", sandbox=""))
    offsets = {row.number: row.offset for row in sheet.rows()}
    found, pages = await surveyed(sheet)

    assert (found.rows, found.to_do, found.rejected) == (3, 3, 0)
    assert {group: list(at) for group, at in found.offsets.items()} == {
        ("acme", "prod"): [offsets[2], offsets[4]],
        ("globex", "dev"): [offsets[3]],
    }
    assert pages.outcomes == {2: None, 3: None, 4: None}


async def test_what_is_planned_is_what_will_be_sent_without_the_secret() -> None:
    """Canonical where the service gets it so; with the marker, and the carried columns."""
    _, pages = await surveyed(opened(text("One").replace("acme,prod", "ACME,prod")))
    (line,) = pages.lines

    assert line.marker is not None
    assert line.entry == RowPlanned(
        name="One",
        org="acme",
        org_id="5C1328435BF324E90A49402A@AdobeOrg",
        sandbox="prod",
        endpoint="https://acme.westeurope.kusto.windows.net",
        database="telemetry",
        tenant=TENANT,
        service_principal_id=PRINCIPAL,
        carried=("T-1",),
        description=line.marker,
    )


async def test_a_rejected_row_is_settled_with_its_problems() -> None:
    """It has no marker, and no place."""
    found, pages = await surveyed(opened(text("One"), text("Two", org="initech")))
    state = pages.rows[3]

    assert (found.rows, found.rejected, found.to_do) == (2, 1, 1)
    assert state.marker is None
    assert isinstance(state.outcome, Rejected)
    assert [problem.code for problem in state.outcome.problems] == ["org_unknown"]
    assert state.planned is not None
    assert state.planned.endpoint == "https://acme.westeurope.kusto.windows.net"


async def test_a_refused_credential_cell_is_never_shown() -> None:
    """Columns get swapped: what stands where the tenant belongs may be the key."""
    swapped = text("One").replace(TENANT, "planted~secret.swapped")
    found, pages = await surveyed(opened(swapped))
    written = b"".join(encode(line.entry) for line in pages.lines)
    planned = pages.rows[2].planned

    assert found.rejected == 1
    assert planned is not None
    assert (planned.tenant, planned.service_principal_id) == ("", PRINCIPAL)
    assert b"planted" not in written


async def test_a_cell_that_is_no_text_is_shown_as_blank() -> None:
    """What was typed can no longer be known."""
    row: dict[str, object] = dict(zip(HEADER.split(","), text("One").split(","), strict=True))
    _, pages = await surveyed(MemorySheet([{**row, "database": 7, "name": 1e5}]))
    planned = pages.rows[1].planned

    assert planned is not None
    assert (planned.name, planned.database, planned.org) == ("", "", "acme")


async def test_a_row_with_a_warning_is_counted_and_sent() -> None:
    """A note is no warning."""
    sheet = opened(text(" One"), text("Two").replace(TENANT, f"{{{TENANT}}}"))
    severities = [
        [str(finding.severity) for finding in judged.findings]
        for _, judged in examine(sheet, parser(sheet))
        if isinstance(judged, BaseConnection)
    ]
    found, _ = await surveyed(sheet)

    assert severities == [["warning"], ["note"]]
    (kind,) = found.warnings.sorted()
    assert (kind.count, found.to_do) == (1, 2)


async def test_rows_that_ask_for_the_same_are_all_rejected() -> None:
    """Known when the sheet was read to its end; their neighbours are sent."""
    found, pages = await surveyed(opened(text("One"), text("Two"), text(" One")))
    outcome = pages.outcomes[4]

    assert (found.rows, found.rejected, found.to_do) == (3, 2, 1)
    assert found.doubles == {2, 4}
    assert isinstance(outcome, Rejected)
    assert [problem.code for problem in outcome.problems] == ["row_doubled"]
    assert pages.outcomes[3] is None


async def test_a_row_that_only_leaves_out_is_accounted_for_and_not_judged() -> None:
    """As typed, its problems unseen."""
    wrong = text("Two", org="globex").replace(TENANT, "no tenant")
    found, pages = await surveyed(opened(text("One"), wrong), is_selected=is_acme)

    assert (found.rows, found.not_selected, found.rejected, found.to_do) == (2, 1, 0, 1)
    assert pages.outcomes == {2: None, 3: NOT_SELECTED}


async def test_a_resumed_run_writes_no_row_twice() -> None:
    """What is settled has no place; what is not goes on."""
    rows = [text("One"), text("Two"), text("Three", org="initech"), text("Four", org="globex")]
    known = {2: True, 3: False, 4: True, 5: False}
    found, pages = await surveyed(opened(*rows), known=known, is_selected=lambda r: r.number != 5)

    assert pages.lines == []
    assert (found.rows, found.to_do, found.rejected, found.not_selected) == (4, 1, 1, 1)
    assert sum(map(len, found.offsets.values())) == 1


async def test_doubles_of_a_resumed_run_are_counted_once() -> None:
    """They were settled as doubles before, and are nothing to do now either."""
    sheet = [text("One"), text("One"), text("Two")]
    found, pages = await surveyed(opened(*sheet), known={2: True, 3: True, 4: False})

    assert (found.rejected, found.doubles, found.to_do) == (2, {2, 3}, 1)
    assert pages.lines == []


async def test_a_crash_within_the_survey_forgets_no_double() -> None:
    """The rows were planned, that they are doubles was not yet known."""
    found, pages = await surveyed(opened(text("One"), text("One")), known={2: False, 3: False})

    assert (found.rejected, found.to_do) == (2, 0)
    assert all(isinstance(outcome, Rejected) for outcome in pages.outcomes.values())


async def test_a_rerun_inherits_what_its_parent_finished() -> None:
    """Planned and settled in one go; nothing is left to do. Of its identity the copy says nothing new."""
    created = Settled(outcome=Created(connection_id="c-1"), inherited=True)
    found, pages = await surveyed(opened(text("One")), carry_over=lambda _, __: created)
    state = pages.rows[2]

    assert (found.rows, found.to_do, found.offsets) == (1, 0, {})
    assert (state.outcome, state.inherited) == (created.outcome, True)
    assert (pages.lines[0].marker, pages.lines[1].marker) == (state.marker, None)


async def test_a_resumed_rerun_inherits_nothing_twice() -> None:
    """The line stands already."""
    created = Settled(outcome=Created(connection_id="c-1"), inherited=True)
    found, pages = await surveyed(
        opened(text("One")), known={2: True}, carry_over=lambda _, __: created
    )

    assert (found.to_do, pages.lines) == (0, [])


async def test_a_rerun_leaves_new_rows_for_run() -> None:
    """They are listed, and not accounted for."""
    found, pages = await surveyed(opened(text("One")), carry_over=lambda _, __: Skipped())

    assert (found.rows, found.left_out, found.to_do, pages.lines) == (0, [2], 0, [])


async def test_a_new_row_does_not_undo_what_its_double_has() -> None:
    """A connection that exists is not rejected because somebody copied its row."""

    def carry_over(row: Row, _: BaseConnection | Rejected | None) -> Settled | Skipped:
        if row.number == 2:
            return Settled(outcome=Created(connection_id="c-1"), inherited=True)
        return Skipped()

    found, pages = await surveyed(opened(text("One"), text("One")), carry_over=carry_over)

    assert (found.rejected, found.to_do, found.left_out) == (0, 0, [3])
    assert pages.outcomes == {2: Created(connection_id="c-1")}


async def test_a_rerun_keeps_rows_that_are_not_selected_as_they_were() -> None:
    """The parent's words for them, and the marker; a doubt stays open where it began."""
    planned = RowPlanned(name="One", org="acme", sandbox="prod")
    doubt = Settled(outcome=InDoubt(code="timeout"), inherited=True)
    kept = CarriedOver(planned=planned, marker="m", settled=doubt)
    found, pages = await surveyed(
        opened(text("One")), is_selected=lambda _: False, carry_over=lambda _, __: kept
    )

    assert (found.rows, found.not_selected) == (1, 1)
    assert [(line.entry, line.marker) for line in pages.lines] == [(planned, "m"), (doubt, None)]
    assert pages.rows[2].marker == "m"


@pytest.mark.parametrize("known", [{}, {2: True}])
async def test_a_rerun_keeps_a_row_that_is_done_though_its_secret_is_blank(
    known: dict[int, bool],
) -> None:
    """It is not rejected for that; a resumed rerun has it already."""
    planned = RowPlanned(name="One", org="acme", sandbox="prod")
    done = Settled(outcome=Created(connection_id="c-1"), inherited=True)
    kept = CarriedOver(planned=planned, marker="m", settled=done)
    blank = ",".join("" if at == 5 else cell for at, cell in enumerate(text("One").split(",")))
    found, pages = await surveyed(opened(blank), known=known, carry_over=lambda _, __: kept)

    assert (found.rows, found.rejected, found.to_do) == (1, 0, 0)
    assert pages.outcomes == ({} if known else {2: Created(connection_id="c-1")})


@pytest.mark.slow
async def test_many_rows_are_written_in_few_commits() -> None:
    """Eight thousand lines each, the rest in one more."""
    found, pages = await surveyed(opened(*[text(f"Name {count}") for count in range(16_500)]))

    assert found.to_do == 16_500
    assert [len(page) for page in pages.pages] == [8000, 8000, 500]


@pytest.mark.slow
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_survey_can_be_cut_short(is_known: bool) -> None:
    """After Ctrl-C; what it wrote, the next process goes on from, and may be cut short in turn."""
    rows = [text(f"Name {count}") for count in range(8500)]
    known = dict.fromkeys(range(2, 8502), True) if is_known else None
    found, pages = await surveyed(opened(*rows), known=known, is_stopped=lambda: True)

    assert (found.rows, len(pages.lines)) == (8000, 0 if is_known else 8000)


async def test_a_sheet_that_cannot_be_read_to_its_end_is_an_error() -> None:
    """Nothing was sent: the intake comes first."""
    with pytest.raises(SheetError, match="never closed"):
        await surveyed(opened(text("One"), '"Two'))
