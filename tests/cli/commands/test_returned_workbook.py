"""The workbook goes to whoever has the keys, and comes back: what does not work is corrected in it."""

from pathlib import Path

import openpyxl

from tests.command_line import FAST, CommandLine, cells

SIMULATED = ("--simulate", *FAST)


def test_a_key_that_is_corrected_in_the_returned_workbook_is_sent(
    batchconnect: CommandLine,
) -> None:
    """Create, verify says no, mend the red cell, rerun, verify says yes; no second connection is made."""
    sheet = batchconnect.sheet(
        [
            cells(1, org="acme"),
            cells(2, org="acme", servicePrincipalKey="FAKE~wrong-at-test-7000222"),
            cells(3, org="acme", servicePrincipalKey="FAKE~wrong-at-test-firewall"),
        ]
    )
    run = batchconnect("run", sheet, *SIMULATED, "--verify")
    folder = Path("reports/simulated/latest").resolve()
    book = openpyxl.load_workbook(folder / "results.xlsx")
    tab = book["rows"]
    columns = {str(of[0].value): of for of in tab.iter_cols(max_row=4)}
    keys = columns["servicePrincipalKey"][1:]
    works = [cell.value for cell in columns["works"][1:]]
    colours = [str(key.fill.start_color.rgb)[2:] if key.fill.fill_type else "" for key in keys]
    keys[1].value = "FAKE~right.key-2"
    keys[2].value = "FAKE~right.key-3"
    book.save("returned.xlsx")
    Path("returned.xlsx").chmod(0o600)

    rerun = batchconnect("rerun", "--sheet", "returned.xlsx", *SIMULATED, "--verify")
    again = batchconnect("verify", *SIMULATED, "--json")

    assert (run.code, rerun.code, again.code) == (4, 0, 0), rerun
    assert "next:   correct the keys, then: batchconnect rerun sim-" in run.out
    assert (works, colours) == (["yes", "no", "no"], ["", "F8CBC6", "FFFBE0"])
    assert "2 updated" in rerun.out
    assert again.json["works"] == {"yes": 3, "no": 0, "not_tested": 0}
    assert again.json["requests"]["created"] == 0
