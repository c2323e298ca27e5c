"""A CSV that is read in blocks gives what it gives line by line: rows, places, counts, warnings, and the same error."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from batchconnect.model.errors import SheetError
from batchconnect.sheet import open_sheet
from batchconnect.sheet.block import Block, rows_of
from batchconnect.sheet.csv_records import Records

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox"
ROW = "Acme,https://a.eu.kusto.windows.net,db,t,i,key~1234,acme,prod"
LINES = [
    *(
        ROW,
        ROW.replace("Acme", "Süd"),
        ROW.replace("Acme", "a\x1fb"),
        ROW.replace("Acme", "a\x0bb"),
    ),
    *(f"{ROW},", f"{ROW},,", f"{ROW},x", ROW.removesuffix(",prod"), f"{ROW[:-4]}"),
    *(
        ROW.replace("Acme", '"Acme, Inc."'),
        ROW.replace("Acme", '"A\nB"'),
        ROW.replace("Acme", 'A "B"'),
    ),
    *(
        "",
        ",,,,,,,",
        ",",
        " , ",
        "NOT SENT - Acme" + ROW[4:],
        "total,8",
        '"',
        ROW.replace(",", ";"),
    ),
]
"""Of a width, and of others; in quotes, blank, broken."""


def everything(path: Path) -> tuple[Any, ...]:
    """All that a sheet has to say, or the error that ends it, with what came before."""
    rows: list[Any] = []
    try:
        sheet = open_sheet(path)
        for row in sheet.rows():
            key = row.cells["servicePrincipalKey"].reveal()  # type: ignore[index,union-attr]
            rows.append((row, key))
    except SheetError as error:
        return *rows, error.message, error.hint
    try:
        return *rows, sheet.blank_rows, sheet.template_rows, sheet.warnings
    finally:
        sheet.close()


@settings(deadline=None)
@given(
    titles=st.sampled_from(
        [HEADER, f"{HEADER},", f"{HEADER},note", f"{HEADER},,note,", f"a,{HEADER}"]
    ),
    lines=st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\r\n", "\r"]))),
    odd_end=st.sampled_from(["", ROW, f"{ROW}\r", "\0", "\x1a", "\ud800"]),
    size=st.sampled_from([1, 80, 300, 1 << 17]),
)
@example(HEADER, [("", "\n"), (ROW.removesuffix(",prod"), "\n")], "", 1 << 17)
def test_it_does_not_matter_whether_lines_are_read_together(
    titles: str, lines: list[tuple[str, str]], odd_end: str, size: int
) -> None:
    """Whatever stands in them, whichever way they end, and wherever a block does."""
    text = f"{titles}\n" + "".join(line + end for line, end in lines) + odd_end
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder, "clients.csv")
        path.write_bytes(text.encode(errors="surrogatepass"))
        patch.setattr("batchconnect.sheet.csv.BLOCK", size)
        together = everything(path)
        patch.setattr(Records, "plain_lines", lambda _self, _width: None)

        assert together == everything(path)


def test_healthy_lines_come_in_blocks(tmp_path: Path) -> None:
    """Quoted ones too, and those that follow an odd one; or reading them so would be of little use."""
    path = tmp_path / "clients.csv"
    path.write_text(f'{HEADER}\n{ROW}\n{ROW}\n"A",{ROW[5:]}\n{ROW}\n')
    pieces = list(open_sheet(path).blocks())

    assert [type(piece) for piece in pieces] == [Block]
    assert [row.number for row in rows_of(pieces)] == [2, 3, 4, 5]
