"""
What one valid row asks for: parse, don't validate.

`parse` turns a `Row` into a `BaseConnection` or into `Rejected` with every problem of the row. The
rules stand with what they are about: `naming`, `kusto`, `entra`, `placement`,
`reference`; `cells` reads the row for them.
"""

from dataclasses import dataclass, field

from batchconnect.model.identity import canonical, canonical_id, describe, marker_of
from batchconnect.model.org import Org
from batchconnect.model.outcome import Problem, Rejected
from batchconnect.model.row import Column, Header, Row
from batchconnect.model.secret import Secret
from batchconnect.validation.cells import Cells
from batchconnect.validation.entra import check_principal_id, check_tenant, same_ids
from batchconnect.validation.finding import NOTHING, has_error, located
from batchconnect.validation.kusto import canonical_endpoint, check_database, check_endpoint
from batchconnect.validation.naming import check_description, check_name
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placement import choose_org, choose_sandbox
from batchconnect.validation.reference import References
from batchconnect.validation.stray import commented_out, what_it_is
from batchconnect.validation.valid_pattern import Texts, valid_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a connection points to, canonical: what two connections are compared by."""

    endpoint: str
    database: str
    tenant: str
    service_principal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConnection:
    """A base connection to be: complete, ready to be sent."""

    row: int
    """The row's number in the sheet."""
    org: Org
    sandbox: str
    name: str
    """Exactly as typed: the service gets it so. `identity.canonical_name` is what is compared."""
    text: str = ""
    """The user's description as typed, without marker."""
    endpoint: str
    """`https://host`, lower case."""
    database: str
    """As typed: the service gets it so; lower case only in the key and in comparisons."""
    tenant: str
    """GUID without braces, or domain; lower case."""
    service_principal_id: str
    """GUID without braces, lower case."""
    service_principal_key: Secret = field(repr=False)
    marker: str
    """`bc1-` and 26 characters: the identity of the row, which it bears at Adobe for good."""
    findings: tuple[Problem, ...] = ()
    """Warnings and notes."""

    @property
    def description(self) -> str:
        """What is sent: the user's text, cut where it must be, and the marker."""
        return describe(self.text, self.marker)[0]


def target_of(connection: BaseConnection) -> Target:
    """Where a connection is to point to, as it is compared with one that stands already."""
    return Target(
        endpoint=canonical_endpoint(connection.endpoint),
        database=connection.database.lower(),
        tenant=canonical_id(connection.tenant),
        service_principal_id=canonical_id(connection.service_principal_id),
    )


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
        references: Resolves what stands for a secret.
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
        endpoint=texts.endpoint,
        database=texts.database,
        tenant=texts.tenant,
        service_principal_id=texts.service_principal_id,
        service_principal_key=texts.service_principal_key,
        marker=marker_of(
            canonical(
                org_id=its_org.org_id,
                sandbox=its_sandbox,
                name=texts.name,
                endpoint=texts.endpoint,
                database=texts.database,
                tenant=texts.tenant,
                service_principal_id=texts.service_principal_id,
            )
        ),
        findings=findings,
    )


def _judged(row: Row, references: References, found: list[Problem]) -> Texts:
    cells = Cells(row, found)
    name = cells.judged(Column.NAME, check_name)
    text, problems = check_description(cells.text(Column.DESCRIPTION) or "")
    found += problems
    endpoint = cells.parsed(Column.ENDPOINT, check_endpoint)
    database = cells.judged(Column.DATABASE, check_database)
    tenant = cells.parsed(Column.TENANT, check_tenant)
    principal = cells.parsed(Column.SERVICE_PRINCIPAL_ID, check_principal_id)
    if principal and principal == tenant:
        found += same_ids()
    return Texts(
        name=name,
        text=text,
        endpoint=endpoint,
        database=database,
        tenant=tenant,
        service_principal_id=principal,
        service_principal_key=cells.key(references),
        org=cells.text(Column.ORG),
        sandbox=cells.text(Column.SANDBOX),
    )
