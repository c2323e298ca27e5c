"""
An empty sheet to fill in, for people who start from nothing.

It holds the columns, a row of notes and an example row. Both rows are recognised by the beginning of
their name, and skipped by every reader, so that a person may leave them in.
"""

import csv
import io

from batchconnect.model.row import Column

NOT_SENT = "NOT SENT - "
"""How the name of each of the template's own rows begins."""

NOTES = {
    Column.NAME: NOT_SENT + "notes: leave this row in or delete it",
    Column.DESCRIPTION: "optional, up to 220 characters",
    Column.ENDPOINT: "the cluster's URI, https, no path",
    Column.DATABASE: "name of the database in the cluster",
    Column.TENANT: "directory (tenant) id or domain",
    Column.SERVICE_PRINCIPAL_ID: "application (client) id, a GUID",
    Column.SERVICE_PRINCIPAL_KEY: "the client secret's value, not its id; format the column as text",
    Column.ORG: "a key of the settings; blank where they know one org",
    Column.SANDBOX: "name of the sandbox; blank where the org has a default",
}
EXAMPLE = {
    Column.NAME: NOT_SENT + "example: Acme, Inc. telemetry",
    Column.DESCRIPTION: "Telemetry of Acme's shops",
    Column.ENDPOINT: "https://acme.westeurope.kusto.windows.net",
    Column.DATABASE: "telemetry",
    Column.TENANT: "acme.onmicrosoft.com",
    Column.SERVICE_PRINCIPAL_ID: "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    Column.SERVICE_PRINCIPAL_KEY: "FAKE~example.key_of-nobody",
    Column.ORG: "acme",
    Column.SANDBOX: "dev",
}


def is_template_row(name: object) -> bool:
    """Whether a row with this name cell is one of the template's own."""
    return isinstance(name, str) and name.startswith(NOT_SENT)


def render_csv() -> bytes:
    """The template as CSV: UTF-8 with a byte order mark, so that Excel shows umlauts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(list(Column))
    writer.writerow([NOTES[column] for column in Column])
    writer.writerow([EXAMPLE[column] for column in Column])
    return text.getvalue().encode("utf-8-sig")
