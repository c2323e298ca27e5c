"""
Looks into what is about to be published: `inspect_dist.py FOLDER [TAG]`; exit 1 and a sentence for each fault.

The wheel must hold its bill of materials, and the README must lead out of the package index. With a TAG, the
version is the tag's, and the changelog has its section.
"""

import json
import re
import sys
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def main(folder: Path, tag: str | None = None) -> int:
    """Say each fault; the number of faults, at most 1."""
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    if (len(wheels), len(sdists)) != (1, 1):
        print(f"one wheel and one sdist are wanted, not {len(wheels)} and {len(sdists)}")
        return 1
    with ZipFile(wheels[0]) as wheel:
        metadata = _metadata(wheel)
        faults = [*_of_the_bill(wheel, metadata), *_of_the_readme(metadata)]
    if tag is not None:
        faults += _of_the_tag(tag, metadata["Version"], CHANGELOG.read_text("utf-8"))
    for said in faults or [f"{wheels[0].name}: fit for release"]:
        print(said)
    return min(len(faults), 1)


def _metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode("utf-8"))


def _of_the_bill(wheel: ZipFile, metadata: Message) -> Iterator[str]:
    """Each package that the wheel needs stands in it with a version, and the wheel's own version too."""
    names = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
    if len(names) != 1:
        yield f"one bill of materials is wanted in .dist-info/sboms/, not {len(names)}"
        return
    bill = json.loads(wheel.read(names[0]))
    if bill["metadata"]["component"]["version"] != metadata["Version"]:
        yield "the bill of materials is of another version"
    listed = {component["name"] for component in bill["components"]}
    asked = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    needed = {re.split(r"[^\w.-]", line)[0].replace("_", "-").lower() for line in asked}
    yield from (f"the bill of materials lacks {name}" for name in sorted(needed - listed))


def _of_the_readme(metadata: Message) -> Iterator[str]:
    """A relative link leads nowhere in the package index."""
    for link in re.findall(r"\]\(([^)]+)\)", str(metadata.get_payload())):
        if not link.startswith(("https://", "#")):
            yield f"the README has a relative link: {link}"


def _of_the_tag(tag: str, version: str, changelog: str) -> Iterator[str]:
    if tag != f"v{version}":
        yield f"the tag is {tag}, the version {version}"
    dated = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(dated, changelog, re.MULTILINE):
        yield f"CHANGELOG.md has no dated section [{version}]"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
