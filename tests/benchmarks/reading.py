"""Reading a sheet: beside pandas and python-calamine, in time and memory."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.place import Cost, measured, python, tool
from tests.benchmarks.sheets import write_csv, write_workbook
from tests.benchmarks.table import Measure, ratio_of

_MOST_OF_PANDAS, _MOST_MIB, _MOST_OF_CALAMINE = 1.5, 150, 1.3
_PANDAS = "import sys,pandas as pd; print(len(pd.read_csv(sys.argv[1], dtype=str)))"
READ = (
    "import sys; from batchconnect.sheet import open_sheet; book = open_sheet(sys.argv[1]); "
    "print(sum(1 for _ in book.rows())); book.close()"
)
_CALAMINE = (
    "import sys; from python_calamine import CalamineWorkbook as book; "
    "print(len(book.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()))"
)


def validate(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """The whole command on a CSV."""
    rows = 100_000 if quick else 1_000_000
    sheet = write_csv(folder / "large.csv", rows)
    command = tool("validate", sheet, "--org", "acme", "--settings", offline_settings(folder))
    ours, theirs = _in_turn(folder, command, python("-c", _PANDAS, sheet))
    ratio = ratio_of([one.wall_s for one in ours], [one.wall_s for one in theirs])
    peak = max(one.peak_mib for one in ours)
    pandas_peak = max(one.peak_mib for one in theirs)
    seconds = median(one.wall_s for one in ours)
    yield Measure(
        what=f"`validate` of a CSV of {rows:,} rows, the whole command",
        target="at most 1.5 x pandas.read_csv(dtype=str)",
        got=f"{ratio:.1f} x ({seconds:.1f} s, {seconds / rows * 1e6:.0f} us a row)",
        met=ratio <= _MOST_OF_PANDAS,
        figures={"ours_s": [one.wall_s for one in ours], "pandas_s": [o.wall_s for o in theirs]},
    )
    yield Measure(
        what=f"its memory, {rows:,} rows",
        target="at most 150 MiB",
        got=f"{peak:.0f} MiB (pandas {pandas_peak:.0f} MiB)",
        met=peak <= _MOST_MIB,
    )
    sheet.unlink()


def workbook(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """Every row of a workbook, read by us (checks, child process and all) and by calamine alone."""
    rows = 20_000 if quick else 100_000
    book = write_workbook(folder / "large.xlsx", rows)
    ours, theirs = _in_turn(folder, python("-c", READ, book), python("-c", _CALAMINE, book))
    ratio = ratio_of([one.wall_s for one in ours], [one.wall_s for one in theirs])
    yield Measure(
        what=f"a workbook of {rows:,} rows, opened and every row read",
        target="at most 1.3 x python-calamine's own reading",
        got=f"{ratio:.1f} x ({median(one.wall_s for one in ours):.1f} s)",
        met=ratio <= _MOST_OF_CALAMINE,
        figures={"ours_s": [o.wall_s for o in ours], "calamine_s": [o.wall_s for o in theirs]},
    )
    book.unlink()


def _in_turn(
    folder: Path, ours: list[str], theirs: list[str], times: int = 3
) -> tuple[list[Cost], list[Cost]]:
    pairs = [
        (measured(ours, folder=folder, core=None), measured(theirs, folder=folder, core=None))
        for _ in range(times)
    ]
    for pair in pairs:
        for cost in pair:
            assert cost.code == 0, cost.err[-2000:] + cost.out[-2000:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def offline_settings(folder: Path) -> Path:
    """Settings with one org, for commands that send nothing."""
    path = folder / "offline.toml"
    org = 'org_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "client"\n'
    path.write_text(f"[orgs.acme]\n{org}")
    path.chmod(0o600)
    return path
