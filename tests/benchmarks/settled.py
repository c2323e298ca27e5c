"""Ledgers full of settled rows: each build makes its own once, and every turn is given a copy."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import builds
from tests.benchmarks.builds import OURS, UNBOUND, Build
from tests.benchmarks.ledgers import SANDBOXES, ended_at
from tests.benchmarks.place import Cost
from tests.benchmarks.servers import Server

_REPORT = shutil.ignore_patterns("results.*", "report.html", "failed.csv", "latest")
"""What no later run reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRows:
    """Rows that a service has already, and what either build's ledger says of them."""

    folder: Path
    """Where the commands run, and where what they leave is kept."""
    server: Server
    sheet: Path
    rows: int

    def first(self, build: Build) -> Cost:
        """A run over an empty ledger; what it leaves is kept."""
        cost = builds.run(self.folder, self.server, self.sheet, (), build)
        self._keep(build, "settled")
        return cost

    def planned(self, build: Build, *, after_crash: bool) -> Cost:
        """
        A run over that ledger, ended as soon as its rows are planned; its time is that until then.

        Args:
            build: Whose command, over a ledger of its own.
            after_crash: It goes on with a run that was killed at its last listing.
        """
        if not self._kept(build, "settled").exists():
            self.first(build)
        if after_crash and not self._kept(build, "crashed").exists():
            self._take("settled", build)
            assert "ended" not in self._ended_at("sandbox_listed", build, times=SANDBOXES)
            self._keep(build, "crashed")
        self._take("crashed" if after_crash else "settled", build)
        planned_s = self._ended_at("planned", build)["planned"]
        return Cost(wall_s=planned_s, cpu_s=0.0, peak_mib=0.0, code=0, out="", err="")

    def _ended_at(self, event: str, build: Build, times: int = 1) -> dict[str, float]:
        command = builds.of(build, "run", self.sheet, *UNBOUND)
        around = builds.around(build, self.server)
        return ended_at(event, command, self.folder, around, times=times)

    def _keep(self, build: Build, what: str) -> None:
        kept = self._kept(build, what)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(self._reports, kept)

    def _take(self, what: str, build: Build) -> None:
        shutil.rmtree(self._reports, ignore_errors=True)
        shutil.copytree(self._kept(build, what), self._reports, symlinks=True, ignore=_REPORT)

    def _kept(self, build: Build, what: str) -> Path:
        return self.folder / f"{what}-{'ours' if build == OURS else 'other'}"

    @property
    def _reports(self) -> Path:
        return self.folder / "reports"
