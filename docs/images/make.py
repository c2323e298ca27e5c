"""
Makes the pictures of the README from a real run: `python docs/images/make.py`.

It needs tmux and Chromium (Debian's packages) and the test extra's Playwright. The run is simulated, with
the profile `badday`, so that the pictures show pauses, doubts and a sweep.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COLUMNS, LINES = 80, 24
MID_RUN_S = 4.0
"""Seconds behind the first row that is created."""
LONGEST_S = 120.0
SHOWN_ROWS = "#q=globex+fleet"
"""What the page's address chooses, so that rows and charts are in one picture."""
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    """Run once, and take both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder) / "reports"
        draw_terminal(take_run(reports), HERE / "run.svg")
        photograph(reports / "simulated" / "latest" / "report.html", HERE / "report.png")


def take_run(reports: Path) -> str:
    """Run the example sheet in a terminal of 80 columns; what it showed in mid-run, with colours."""
    session = "batchconnect-picture"
    command = (
        f"LOGNAME=maria {sys.executable} -m batchconnect run inputs/tenants.csv --simulate --fault badday"
        f" --reports {reports}"
    )
    size = ["-x", str(COLUMNS), "-y", str(LINES)]
    _tmux("new-session", "-d", "-s", session, *size, "-c", str(ROOT), command)
    try:
        deadline = time.monotonic() + LONGEST_S
        while "created" not in _tmux("capture-pane", "-p", "-t", session):
            if time.monotonic() > deadline:
                raise TimeoutError("no row was created")
            time.sleep(0.2)
        time.sleep(MID_RUN_S)
        shown = _tmux("capture-pane", "-e", "-p", "-t", session)
        while not (reports / "simulated" / "latest").exists() and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(1)
    finally:
        subprocess.run(["tmux", "kill-session", "-t", session], check=False)
    return shown.replace(str(reports), "reports")


def draw_terminal(shown: str, to: Path) -> None:
    """A terminal's text as a drawing."""
    lines = shown.rstrip("\n").splitlines()
    console = Console(record=True, width=COLUMNS, height=len(lines), file=StringIO())
    console.print(Text("$ batchconnect run inputs/tenants.csv --simulate --fault badday"))
    for line in lines:
        console.print(Text.from_ansi(line))
    drawing = console.export_svg(title="batchconnect")
    # Rich names a font on another host; a picture of ours asks nobody.
    to.write_text(re.sub(r"@font-face \{[^}]*\}", "", drawing), encoding="utf-8")


def photograph(page_file: Path, to: Path) -> None:
    """The report's page, as a browser shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        page.goto(f"{page_file.resolve().as_uri()}{SHOWN_ROWS}")
        page.wait_for_timeout(500)
        page.screenshot(path=str(to))
        browser.close()


def _tmux(*words: str) -> str:
    done = subprocess.run(["tmux", *words], check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
