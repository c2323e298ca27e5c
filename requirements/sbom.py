"""
Puts a bill of materials into the wheel (PEP 770, CycloneDX 1.6), from what `runtime.txt` pins.

The wheel holds no package but our own: the bill says which versions of the others this release was tested
with, and who needs whom. Hatchling loads this file by its path, as a hook of each build, so that no copy of
the list can grow old. The same pins give the same bytes: there is no time and no random number in it.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILE = "batchconnect.cdx.json"
_OURS = "batchconnect (pyproject.toml)"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$")
_NEEDED_BY = re.compile(r"^    # via (.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package of `runtime.txt`."""

    name: str
    version: str
    marker: str | None
    """Where it is needed (PEP 508); None is everywhere."""
    needed_by: tuple[str, ...]
    """Names of packages; `_OURS` is this one."""

    @property
    def purl(self) -> str:
        """Its name in the bill."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(requirements: str) -> Iterator[Pin]:
    """What a file of `.ci/refresh-requirements` pins; hashes are passed over."""
    pin: re.Match[str] | None = None
    for line in requirements.splitlines():
        pin = _PIN.match(line) or pin
        if pin and (needed := _NEEDED_BY.match(line)):
            yield Pin(
                name=pin[1],
                version=pin[2],
                marker=pin[3],
                needed_by=tuple(needed[1].split(", ")),
            )


def bill(version: str, requirements: str) -> dict[str, Any]:
    """The bill of a release: its packages, and which of them each needs."""
    found = list(pins(requirements))
    ours = f"pkg:pypi/batchconnect@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": "batchconnect",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": ours,
            },
        },
        "components": [_component(pin) for pin in found],
        "dependencies": [
            {"ref": ref, "dependsOn": [pin.purl for pin in found if name in pin.needed_by]}
            for ref, name in [(ours, _OURS), *((pin.purl, pin.name) for pin in found)]
        ],
    }


def _component(pin: Pin) -> dict[str, Any]:
    component = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
    }
    if pin.marker is None:
        return component
    return component | {"properties": [{"name": "batchconnect:marker", "value": pin.marker}]}


class SbomHook(BuildHookInterface[BuilderConfig]):
    """Hatchling calls it around the build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the bill to a folder that outlives the build, and name it."""
        pinned = Path(self.root, "requirements", "runtime.txt").read_text("utf-8")
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, FILE)
        told = json.dumps(bill(self.metadata.version, pinned), indent=2) + "\n"
        path.write_text(told, "utf-8")
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - likewise
        """The folder has served."""
        self._folder.cleanup()
