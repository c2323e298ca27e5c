"""
Sheets of any length for the benchmarks, healthy rows all; written as a stream.

Ids are as Entra gives them, without an order; those of a sheet that was filled in count up from row to row.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

COLUMNS = (
    "name",
    "description",
    "endpoint",
    "database",
    "tenant",
    "servicePrincipalId",
    "servicePrincipalKey",
    "org",
    "sandbox",
)
_KEYS_FROM = 1_000_000_000
"""No row has such a number, so no key is made of a row's own id."""
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def rows(
    last: int,
    *,
    first: int = 1,
    orgs: tuple[str, ...] = ("",),
    sandboxes: int = 1,
    counted: bool = False,
) -> Iterator[list[str]]:
    """The cells of the rows up to a number, spread evenly over orgs and sandboxes."""
    for number in range(first, last + 1):
        yield [
            f"Client {number:07d}",
            f"Telemetry of client {number}",
            f"https://cluster{number % 97}.westeurope.kusto.windows.net",
            f"db{number}",
            TENANT,
            f"0d1ff3c1-7c0a-4b0e-9d7e-{number:012x}" if counted else scattered(number),
            key(number),
            orgs[number % len(orgs)],
            sandbox(number, sandboxes),
        ]


def scattered(number: int) -> str:
    """A GUID that tells nothing of the one before: the number times the golden ratio, to 128 bits."""
    return str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128), version=4))


def key(number: int) -> str:
    """As Entra's are: forty characters without an order, and so with no run of zeros, which every etag has."""
    return f"k8Q~{scattered(number + _KEYS_FROM).replace('-', '')}.Xy_"


def sandbox(number: int, sandboxes: int) -> str:
    """Where the row of this number goes."""
    return f"sandbox{number % sandboxes}"


def write_csv(
    path: Path,
    count: int,
    *,
    orgs: tuple[str, ...] = ("",),
    sandboxes: int = 1,
    counted: bool = False,
) -> Path:
    """A CSV of so many rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows(count, orgs=orgs, sandboxes=sandboxes, counted=counted))
    path.chmod(0o600)
    return path


def write_workbook(path: Path, count: int) -> Path:
    """A workbook of so many rows, every cell a text."""
    import xlsxwriter  # type: ignore[import-untyped]  # it has no stubs

    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
    )
    tab = book.add_worksheet("clients")
    for at, cells in enumerate([list(COLUMNS), *rows(count)]):
        tab.write_row(at, 0, cells)
    book.close()
    path.chmod(0o600)
    return path
