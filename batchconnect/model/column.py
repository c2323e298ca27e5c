"""
The columns of a sheet, said once: how each is called, filled in, shown, and judged to be a secret.

Whoever lists columns asks this table: the reader of headers, both templates, the rules, the ledger and the
reports. It stands here, and not with the rules, since sheets stand below them; how a cell is judged is told
by `validation/rules.py`, column by column.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from batchconnect.model.value import Value


class Column(StrEnum):
    """The columns of a sheet, in the service's own spelling and in the template's order."""

    NAME = "name"
    DESCRIPTION = "description"
    ENDPOINT = "endpoint"
    DATABASE = "database"
    TENANT = "tenant"
    SERVICE_PRINCIPAL_ID = "servicePrincipalId"
    SERVICE_PRINCIPAL_KEY = "servicePrincipalKey"
    ORG = "org"
    SANDBOX = "sandbox"

    @property
    def info(self) -> "ColumnInfo":
        """What else is known of it."""
        return COLUMNS[self]

    @property
    def field(self) -> str:
        """What it is called in our own values: `service_principal_id`."""
        return re.sub("(?=[A-Z])", "_", self.value).lower()


class ColumnInfo(Value):
    """What is known of a column whatever stands in its cells."""

    words: tuple[str, ...]
    """What people call it besides its own name; compared by letters and digits only."""
    note: str
    """A few words about it, below its header in the template."""
    comment: str
    """One to three sentences for who fills it in, beside its header in the template's workbook."""
    example: str
    """The template's example; nobody's."""
    width: int
    """In a report's workbook, in characters."""
    template_width: int
    """In the template's workbook, where notes have to fit, in characters."""
    is_required: bool = True
    """False: a sheet may lack it, since the settings or an option can speak for it."""
    is_secret: bool = False
    """Nothing that is written shows it, neither the ledger nor a report."""


# NOTE: not among the words on purpose, for each may mean two things: `id`, `key`, `uri`, `tenant name`
# (often the customer), `principal id` (in Azure the object id), `secret id` (never the value), `password`.
COLUMNS: Mapping[Column, ColumnInfo] = {
    Column.NAME: ColumnInfo(
        words=("connection name", "base connection", "base connection name"),
        note="notes: leave this row in or delete it",
        comment="What the connection is called in Experience Platform. Unique within its sandbox.",
        example="example: Acme, Inc. telemetry",
        width=34,
        template_width=40,
    ),
    Column.DESCRIPTION: ColumnInfo(
        words=("desc", "connection description"),
        note="optional, up to 220 characters",
        comment="Up to 220 characters, for people.",
        example="Telemetry of Acme's shops",
        width=28,
        template_width=32,
        is_required=False,
    ),
    Column.ENDPOINT: ColumnInfo(
        words=(
            *("cluster", "cluster uri", "cluster url", "cluster endpoint", "endpoint uri"),
            *("endpoint url", "adx endpoint", "adx cluster", "adx cluster uri"),
            *("adx cluster url", "adx uri", "adx url", "kusto endpoint", "kusto cluster"),
            *("kusto cluster uri", "kusto uri", "kusto url", "query uri"),
            "azure data explorer endpoint",
        ),
        note="the cluster's URI, https, no path",
        comment="The field `URI` of the cluster's overview page in the Azure portal, as"
        " https://acme.westeurope.kusto.windows.net. Not the data ingestion URI, not the portal's"
        " address.",
        example="https://acme.westeurope.kusto.windows.net",
        width=48,
        template_width=46,
    ),
    Column.DATABASE: ColumnInfo(
        words=(
            *("database name", "db", "db name", "adx database", "adx database name"),
            *("kusto database", "kusto database name"),
        ),
        note="name of the database in the cluster",
        comment="The database's name as the cluster shows it.",
        example="telemetry",
        width=18,
        template_width=28,
    ),
    Column.TENANT: ColumnInfo(
        words=(
            *("tenant id", "directory id", "directory tenant id", "azure tenant"),
            *("azure tenant id", "entra tenant", "entra tenant id", "aad tenant"),
            *("aad tenant id", "tenant domain"),
        ),
        note="directory (tenant) id or domain",
        comment="`Directory (tenant) ID` of the app registration in Entra, or the tenant's domain.",
        example="acme.onmicrosoft.com",
        width=38,
        template_width=40,
    ),
    Column.SERVICE_PRINCIPAL_ID: ColumnInfo(
        words=(
            *("service principal", "application id", "application client id", "client id"),
            *("app id", "app client id", "azure client id", "azure app id", "entra app id"),
            *("aad app id", "aad client id", "spn", "spn id", "sp id"),
            *("service principal client id", "service principal app id"),
            "service principal application id",
        ),
        note="application (client) id, a GUID",
        comment="`Application (client) ID` of the app registration in Entra: a GUID.",
        example="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
        width=38,
        template_width=40,
    ),
    Column.SERVICE_PRINCIPAL_KEY: ColumnInfo(
        words=(
            *("service principal secret", "service principal password", "client secret"),
            *("client secret value", "secret", "secret value", "client key"),
            *("application key", "application secret", "app key", "app secret"),
            *("azure client secret", "aad app key", "aad client secret", "sp key"),
            *("sp secret", "spn key", "spn secret"),
        ),
        note="the client secret's value, not its id; format the column as text",
        comment="The client secret's `Value`, which Entra shows once. Not its `Secret ID`, which is"
        " a GUID. It is sent exactly as it stands here.",
        example="FAKE~example.key_of-nobody",
        width=40,
        template_width=46,
        is_secret=True,
    ),
    Column.ORG: ColumnInfo(
        words=(
            *("org id", "org name", "organization", "organisation", "organization id"),
            *("organisation id", "ims org", "ims org id", "ims organization"),
            *("ims organization id", "adobe org", "adobe org id", "adobe organization"),
            *("adobe ims org", "gw ims org id", "x gw ims org id"),
        ),
        note="a key of the settings; blank where they know one org",
        comment="The Adobe organization: its key in the settings, an alias, or its org id."
        " Blank where the settings know one org.",
        example="acme",
        width=14,
        template_width=24,
        is_required=False,
    ),
    Column.SANDBOX: ColumnInfo(
        words=("sandbox name", "adobe sandbox", "aep sandbox", "x sandbox name"),
        note="name of the sandbox; blank where the org has a default",
        comment="The sandbox's name, lower case, not its title. Blank where the org has a default.",
        example="dev",
        width=14,
        template_width=24,
        is_required=False,
    ),
}

SHOWN_COLUMNS = tuple(column for column in Column if not column.info.is_secret)
"""Those that may be written down; the values that do so have a field of each one's `Column.field`."""
