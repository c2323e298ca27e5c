"""What is published, and what is installed before: pins, extras, the wheel with its bill of materials."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements.sbom import FILE, bill
from tests import postgres_cluster
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.table import Measure

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _asked(text: str) -> list[str]:
    """What a requirement asks for: that of our own extras, where it names them."""
    asked = Requirement(text)
    if asked.name != PROJECT["name"]:
        return [text]
    return [*chain.from_iterable(PROJECT["optional-dependencies"][extra] for extra in asked.extras)]


EXTRAS: dict[str, list[str]] = {
    # What asks for another extra of ours asks for what is in it.
    name: [*chain.from_iterable(_asked(text) for text in asked)]
    for name, asked in PROJECT["optional-dependencies"].items()
}
RUNTIME, IMAGE, DEV = (
    (ROOT / "requirements" / name).read_text("utf-8")
    for name in ("runtime.txt", "image.txt", "dev.txt")
)
OF_IMAGE = [name for name in EXTRAS if name not in {"bench", "test"}]
"""What a user may want is in the image."""


def names(requirements: list[str]) -> set[str]:
    """As the index spells them."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


# -- requirements ----------------------------------------------------------------------------------


def pinned(requirements: str) -> set[tuple[str, str]]:
    """Names and versions."""
    return set(re.findall(r"^([a-z0-9-]+)==(\S+)", requirements, re.MULTILINE))


@pytest.mark.parametrize(
    ("asked", "file"),
    [
        (PROJECT["dependencies"], RUNTIME),
        (
            [*PROJECT["dependencies"], *chain.from_iterable(map(EXTRAS.__getitem__, OF_IMAGE))],
            IMAGE,
        ),
        ([*PROJECT["dependencies"], *chain.from_iterable(EXTRAS.values())], DEV),
    ],
    ids=["runtime", "image", "dev"],
)
def test_what_pyproject_asks_for_is_pinned_within_its_bounds(asked: list[str], file: str) -> None:
    """`.ci/refresh-requirements` was run after the last change; a package may have a pin per Python."""
    pins = pinned(file)

    for requirement in map(Requirement, asked):
        found = [v for name, v in pins if name == canonicalize_name(requirement.name)]
        assert found, requirement.name
        assert all(map(requirement.specifier.contains, found)), requirement


def test_users_get_what_was_tested() -> None:
    """Each pin of the runtime is one of the tests' environment."""
    assert pinned(RUNTIME)
    assert pinned(RUNTIME) <= pinned(IMAGE) <= pinned(DEV)


@pytest.mark.parametrize("file", [RUNTIME, IMAGE, DEV], ids=["runtime", "image", "dev"])
def test_requirements_are_pins_with_hashes_and_nothing_else(file: str) -> None:
    """No index, no address, no option: where packages come from is the machine's affair."""
    pin = r"[a-z0-9-]+==[^\s;]+(?: ; [^\\]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"

    assert re.sub(pin + r"|^ *#.*\n", "", file, flags=re.MULTILINE) == ""
    assert "://" not in file


@pytest.mark.slow
def test_the_bench_extra_is_enough_for_the_benchmarks() -> None:
    """Whatever they import is ours, Python's own, or installed by `pip install -e '.[bench]'`."""
    of_module = packages_distributions()
    allowed = names([*PROJECT["dependencies"], *EXTRAS["bench"]])

    for path in (ROOT / "tests" / "benchmarks").glob("*.py"):
        for module in _imports(path) - sys.stdlib_module_names - {"batchconnect", "tests"}:
            assert allowed & set(map(canonicalize_name, of_module[module])), (path.name, module)


@pytest.mark.slow
def test_the_benchmarks_start_where_nothing_but_the_bench_extra_is_installed() -> None:
    """What their imports import counts, too: all else that this machine has is hidden from them."""
    allowed = _with_what_they_need([*PROJECT["dependencies"], *EXTRAS["bench"]])
    hidden = [
        module
        for module, owners in packages_distributions().items()
        if not {PROJECT["name"], *allowed} & {*map(canonicalize_name, owners)}
    ]
    assert "pytest" in hidden
    program = (
        "import json, sys\n"
        "sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))\n"  # an import of None is one that fails
        "import tests.benchmarks.__main__\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, json.dumps(hidden)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr[-1000:]


def test_a_benchmark_that_lacks_its_server_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No PostgreSQL: its line says so, misses no target, and the table has the rest."""
    monkeypatch.setattr(postgres_cluster, "bindir", lambda: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--out", str(tmp_path), "team", "after"])
    after = Measure(what="what comes after it", target="", got="1", met=True)
    monkeypatch.setitem(benchmarks.BENCHMARKS, "after", lambda *_: iter([after]))

    benchmarks.main()

    table = (tmp_path / "benchmarks.md").read_text("utf-8")
    assert f"| team |  | skipped: {postgres_cluster.MISSING} | - |" in table
    assert "| what comes after it |  | 1 | yes |" in table


def _with_what_they_need(requirements: list[str]) -> set[str]:
    """Names of what these requirements install, as far as it is installed here."""
    found: set[str] = set()
    left = [(Requirement(text), "") for text in requirements]
    while left:
        asked, extra = left.pop()
        name = canonicalize_name(asked.name)
        if asked.marker is not None and not asked.marker.evaluate({"extra": extra}):
            continue
        is_new = name not in found
        found.add(name)
        if is_new or asked.extras:
            with suppress(PackageNotFoundError):
                needs = [*map(Requirement, distribution(name).requires or ())]
                left += [(need, each) for need in needs for each in ("", *asked.extras)]
    return found


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in found}


# -- workflows -------------------------------------------------------------------------------------


def test_each_python_that_is_promised_is_tried_on_each_system() -> None:
    """The classifiers promise nothing that the workflow does not try."""
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    classifiers = "\n".join(PROJECT["classifiers"])

    matrix = ci["jobs"]["run"]["strategy"]["matrix"]

    assert set(re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)) <= set(
        matrix["python"]
    )
    assert matrix["system"] == ["ubuntu-latest", "macos-latest"]


# -- the wheel -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a release publishes."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(params=["packed by hand", pytest.param("built", marks=pytest.mark.slow)])
def dist(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What may be spoiled: a copy of what was built, or what of it is looked at, which takes no build."""
    folder = tmp_path / "dist"
    if request.param == "built":
        return shutil.copytree(request.getfixturevalue("built"), folder)
    folder.mkdir()
    version = PROJECT["version"]
    (folder / f"batchconnect-{version}.tar.gz").touch()
    with ZipFile(folder / f"batchconnect-{version}-py3-none-any.whl", "w") as wheel:
        info = f"batchconnect-{version}.dist-info"
        needed = "".join(f"Requires-Dist: {one}\n" for one in PROJECT["dependencies"])
        wheel.writestr(f"{info}/METADATA", f"Name: batchconnect\nVersion: {version}\n{needed}\n")
        wheel.writestr(f"{info}/sboms/{FILE}", json.dumps(bill(version, RUNTIME)))
    return folder


def inspect(dist: Path, *tag: str) -> tuple[int, list[str]]:
    """What `.ci/build` says of it, with its exit code."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "inspect_dist.py", dist, *tag],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def spoil(dist: Path, end: str, text: str | None) -> None:
    """Leave out the wheel's file that ends so, or give it another text."""
    (wheel,) = dist.glob("*.whl")
    with ZipFile(wheel) as old:
        files = {name: old.read(name) for name in old.namelist()}
    with ZipFile(wheel, "w") as new:
        for name, data in files.items():
            if not name.endswith(end):
                new.writestr(name, data)
            elif text is not None:
                new.writestr(name, text)


@pytest.mark.slow
def test_what_is_built_is_fit_for_a_release(built: Path) -> None:
    """Under the tag of its version, of which the changelog tells."""
    code, said = inspect(built, f"v{PROJECT['version']}")

    assert (code, said) == (
        0,
        [f"batchconnect-{PROJECT['version']}-py3-none-any.whl: fit for release"],
    )


@pytest.mark.slow
def test_the_wheel_holds_its_bill_of_materials_where_installers_keep_it(built: Path) -> None:
    """With every pin of the runtime, and no other."""
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        told = json.loads(archive.read(f"{wheel.name.split('-py3')[0]}.dist-info/sboms/{FILE}"))

    assert {(item["name"], item["version"]) for item in told["components"]} == pinned(RUNTIME)


def test_a_wheel_without_its_bill_is_not_published(dist: Path) -> None:
    spoil(dist, FILE, None)

    assert inspect(dist) == (1, ["one bill of materials is wanted in .dist-info/sboms/, not 0"])


def test_a_bill_that_lacks_a_package_or_is_of_another_version_is_seen(dist: Path) -> None:
    without = re.sub(r"^orjson==", "another==", RUNTIME, flags=re.MULTILINE)
    spoil(dist, FILE, json.dumps(bill("0.0.1", without)))

    assert inspect(dist) == (
        1,
        ["the bill of materials is of another version", "the bill of materials lacks orjson"],
    )


def test_a_relative_link_in_the_readme_is_seen(dist: Path) -> None:
    """The package index would show it, and lead nowhere."""
    needed = f"Metadata-Version: 2.4\nName: batchconnect\nVersion: {PROJECT['version']}\n\n"
    spoil(dist, "METADATA", needed + "[docs](docs/README.md) [here](#commands) [a](https://b.c)")

    assert inspect(dist) == (1, ["the README has a relative link: docs/README.md"])


def test_a_tag_that_is_not_the_version_is_refused(dist: Path) -> None:
    code, said = inspect(dist, "v99.0")

    assert (code, said) == (1, [f"the tag is v99.0, the version {PROJECT['version']}"])


def test_the_bill_tells_who_needs_whom() -> None:
    """A package with two pins, one per Python, is needed in both."""
    pins = (
        "# made by\n"
        "first==1.0 \\\n    --hash=sha256:00\n    # via batchconnect (pyproject.toml)\n"
        "second==2.0 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n    # via first\n"
        "second==2.1 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\n    # via first\n"
    )

    told = bill("0.1.0", pins)

    assert {item["ref"].split("/")[1]: item["dependsOn"] for item in told["dependencies"]} == {
        "batchconnect@0.1.0": ["pkg:pypi/first@1.0"],
        "first@1.0": ["pkg:pypi/second@2.0", "pkg:pypi/second@2.1"],
        "second@2.0": [],
        "second@2.1": [],
    }
    assert told["components"][1]["properties"][0]["value"] == "python_full_version < '3.12'"
