"""
What one valid row asks for: parse, don't validate.

`parse` turns a `Row` into a `BaseConnection` or into `Rejected` with every problem of the row. `rules`
says which rule judges which column; `cells` reads the row for them.
"""

from batchconnect.model.column import Column
from batchconnect.model.identity import describe, marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import Problem, Rejected
from batchconnect.model.reference import KeyOrigin, Reference
from batchconnect.model.row import Header, Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.model.value import Value
from batchconnect.validation.cells import Cells
from batchconnect.validation.entra import has_same_ids, same_ids
from batchconnect.validation.finding import NOTHING, has_error, located
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placement import choose_org, choose_sandbox
from batchconnect.validation.reference import References
from batchconnect.validation.stray import commented_out, what_it_is
from batchconnect.validation.valid_pattern import Texts, valid_texts


class BaseConnection(Value, hidden={"service_principal_key"}):
    """A base connection to be: complete, ready to be sent."""

    row: int
    """The row's number in the sheet."""
    org: Org
    sandbox: str
    name: str
    """Exactly as typed: the service gets it so. `identity.canonical_name` is what is compared."""
    text: str = ""
    """The user's description as typed, without marker."""
    target: Target
    """As it is sent; `Target.compared` is what is compared."""
    service_principal_key: Secret | Reference
    """As it stands in the sheet: what names a key becomes the key when the row's turn has come."""
    marker: str
    """`bc1-` and 26 characters: the identity of the row, which it bears at Adobe for good."""
    findings: tuple[Problem, ...] = ()
    """Warnings and notes."""
    key_origin: KeyOrigin | None = None
    """Where its key came from, once that was looked up; None: it stands in the cell."""

    @property
    def secret(self) -> Secret:
        """The key of a row whose turn has come."""
        key = self.service_principal_key
        assert isinstance(key, Secret), "a reference is resolved before its row is sent"
        return key

    @property
    def description(self) -> str:
        """What is sent: the user's text, cut where it must be, and the marker."""
        return describe(self.text, self.marker)[0]


def parse(
    row: Row,
    *,
    header: Header,
    orgs: OrgRegistry,
    org: str | None,
    sandbox: str | None,
    references: References,
    strict: bool = False,
) -> BaseConnection | Rejected:
    """
    Judge a row as a whole.

    Args:
        row: Every cell as typed.
        header: For the addresses of cells.
        orgs: The orgs that a row may name.
        org: `--org`; fills a blank cell only.
        sandbox: `--sandbox`; fills a blank cell only, and wins over the org's default.
        references: Judges what stands for a secret.
        strict: Warnings are errors.

    Returns:
        The connection with its warnings and notes, or every problem of the row in the order of the
        columns. No finding repeats what stands in a refused cell, since columns get swapped.
    """
    found: list[Problem] = []
    texts = valid_texts(row)
    if texts is None:
        texts = _judged(row, references, found)
        found += commented_out(row, header)
    its_org, problems = choose_org(texts.org, org, orgs)
    found += problems
    its_sandbox, problems = choose_sandbox(texts.sandbox, sandbox, its_org)
    found += problems
    if found and has_error(found):
        found = [*what_it_is(row, found)]
    findings = located(found, header, row.number, strict=strict) if found else NOTHING
    if its_org is None or (findings and has_error(findings)):
        return Rejected(problems=findings)
    return BaseConnection(
        row=row.number,
        org=its_org,
        sandbox=its_sandbox,
        name=texts.name,
        text=texts.text,
        target=texts.target,
        service_principal_key=texts.service_principal_key,
        marker=marker(
            org_id=its_org.org_id, sandbox=its_sandbox, name=texts.name, target=texts.target
        ),
        findings=findings,
    )


def _judged(row: Row, references: References, found: list[Problem]) -> Texts:
    cells = Cells(row, found)
    name = cells.judged(Column.NAME)
    text = cells.judged(Column.DESCRIPTION)
    target = Target(*(cells.judged(column) for column in TARGET_COLUMNS))
    if has_same_ids(target):
        found += same_ids()
    return Texts(
        name=name,
        text=text,
        target=target,
        service_principal_key=cells.key(references),
        org=cells.text(Column.ORG),
        sandbox=cells.text(Column.SANDBOX),
    )
