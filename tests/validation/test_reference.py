"""References: off in a sheet unless allowed, never out of their folder, no value in a message."""

import os
from pathlib import Path

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.model.outcome import Problem
from batchconnect.model.reference import Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.validation.reference import References, resolve_setting
from batchconnect.validation.secret_file import LARGEST_FILE, read_secret_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    refs = tmp_path / "refs"
    (refs / "acme").mkdir(parents=True)
    (refs / "acme" / "key.txt").write_bytes(b"file~value\n")
    (tmp_path / "outside.txt").write_text("planted")
    return refs


def references(folder: Path | None = None, *, allow: bool = True, **environ: str) -> References:
    return References(allow=allow, refs_dir=folder, environ=environ)


def resolved(references: References, text: str) -> Secret | Problem:
    """What a cell comes to: by its form, and where that is a reference by what this machine holds."""
    found = references.form(text)
    if isinstance(found, Reference):
        stored = references.resolve(found)
        return stored.value if isinstance(stored, StoredSecret) else stored
    return found


def code(found: Secret | Problem) -> str:
    assert isinstance(found, Problem)
    assert "planted" not in found.what + found.remedy
    return found.code


@pytest.mark.parametrize("text", ["value", "ENV:A", " env:A", "xenv:A", "", "environment:A"])
def test_what_is_no_reference_is_the_secret_itself(text: str) -> None:
    """The prefix counts in lower case, at the very beginning."""
    assert resolved(references(A="planted"), text) == Secret(text)


@pytest.mark.parametrize("text", ["env:A", "file:acme/key.txt", "env:", "file:"])
def test_a_reference_is_refused_without_the_flag(folder: Path, text: str) -> None:
    """Even one that leads nowhere."""
    assert code(resolved(references(folder, allow=False, A="x"), text)) == "reference_not_allowed"


@pytest.mark.parametrize("allow", [True, False])
def test_literal_escapes_a_secret_that_looks_like_a_reference(allow: bool) -> None:
    """With and without the flag; it is taken off once."""
    resolver = references(allow=allow)

    assert resolved(resolver, "literal:env:A") == Secret("env:A")
    assert resolved(resolver, "literal:literal:a") == Secret("literal:a")


def test_a_variable_gives_its_value_byte_for_byte() -> None:
    """Nothing is trimmed."""
    assert resolved(references(A=" va\nlue "), "env:A") == Secret(" va\nlue ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env:MISSING", "reference_unset"),
        ("env:", "reference_invalid"),
        ("env:planted~secret", "reference_invalid"),
        ("env: A", "reference_invalid"),
        ("env:BATCHCONNECT_CLIENT_SECRET", "reference_forbidden"),
        ("env:batchconnect_x", "reference_forbidden"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(text: str, expected: str) -> None:
    """Our own settings are never read by a sheet; what is no name is not repeated."""
    resolver = references(BATCHCONNECT_CLIENT_SECRET="planted", batchconnect_x="planted")

    assert code(resolved(resolver, text)) == expected


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"value", "value"),
        (b"value\n", "value"),
        (b"value\r\n", "value"),
        (b"value\n\n", "value\n"),
        (b" value \n", " value "),
        (b"", ""),
        ("schlüssel".encode(), "schlüssel"),
        (b"a" * LARGEST_FILE, "a" * LARGEST_FILE),
    ],
)
def test_a_file_gives_its_text_without_one_last_newline(
    folder: Path, raw: bytes, value: str
) -> None:
    """Editors add one; more are the user's own."""
    (folder / "key").write_bytes(raw)

    assert resolved(references(folder), "file:key") == Secret(value)


def test_a_file_may_be_named_by_its_whole_path_or_by_a_link_inside(folder: Path) -> None:
    """As long as it lies below the folder in the end."""
    (folder / "link").symlink_to("acme")

    assert resolved(references(folder), "file:link/key.txt") == Secret("file~value")
    assert resolved(references(folder), f"file:{folder}/acme/key.txt") == Secret("file~value")
    assert resolved(references(folder), "file:acme/../acme/key.txt") == Secret("file~value")


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    """The operator named it."""
    (tmp_path / "alias").symlink_to(folder)

    assert resolved(references(tmp_path / "alias"), "file:acme/key.txt") == Secret("file~value")


def test_no_file_leads_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    """Not by dots, not by a whole path, not by a link in any part."""
    (folder / "out").symlink_to(tmp_path)
    (folder / "leak").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "refs-2").mkdir()
    (tmp_path / "refs-2" / "key").write_text("planted")
    ways = (
        "../outside.txt",
        f"{tmp_path}/outside.txt",
        "out/outside.txt",
        "leak",
        "../refs-2/key",
        "",
        ".",
        "~/.ssh/id_rsa",
    )

    assert {code(resolved(references(folder), f"file:{way}")) for way in ways} == {"reference_file"}


def test_what_is_no_small_text_file_is_refused(folder: Path) -> None:
    """A folder, a pipe, a large file, bytes, a byte order mark, a NUL in the path."""
    (folder / "large").write_bytes(b"a" * (LARGEST_FILE + 1))
    (folder / "bytes").write_bytes(b"\xff\xfe")
    (folder / "marked").write_bytes(b"\xef\xbb\xbfvalue")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    names = ("acme", "large", "bytes", "marked", "loop", "pipe", "missing", "a\0b", "a" * 5000)

    assert {code(resolved(references(folder), f"file:{name}")) for name in names} == {
        "reference_file"
    }


def test_a_link_that_appears_after_the_look_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder on the way is opened without following links."""
    usual = type(folder).resolve

    def swapped(path: Path, *, strict: bool = False) -> Path:
        real = usual(path, strict=strict)
        if path.name == "key.txt":
            (folder / "acme").rename(folder / "gone")
            (folder / "acme").symlink_to(tmp_path / "elsewhere")
        return real

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.txt").write_text("planted")
    monkeypatch.setattr(type(folder), "resolve", swapped)

    assert code(resolved(references(folder), "file:acme/key.txt")) == "reference_file"


def test_a_file_needs_the_folder_of_the_option() -> None:
    """The flag alone opens no file."""
    assert code(resolved(references(), "file:/etc/hostname")) == "reference_no_folder"


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """Not taken for an empty one."""
    assert code(resolved(references(tmp_path / "none"), "file:key")) == "reference_file"


def test_a_setting_may_always_refer(folder: Path, tmp_path: Path) -> None:
    """The settings are the operator's own; a path is relative to their file."""
    environ = {"A": "value"}

    assert resolve_setting("env:A", environ, setting="x") == Secret("value")
    assert resolve_setting("plain", environ, setting="x") == Secret("plain")
    assert resolve_setting("literal:env:A", environ, setting="x") == Secret("env:A")
    assert resolve_setting("file:refs/acme/key.txt", {}, setting="x", base=tmp_path) == Secret(
        "file~value"
    )
    assert resolve_setting(f"file:{folder}/acme/key.txt", {}, setting="x") == Secret("file~value")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("env:MISSING", "(7 characters) is not set"),
        ("env:EMPTY", "`EMPTY` is empty"),
        ("file:missing.txt", "characters) cannot be opened"),
        ("file:refs", "is not a regular file"),
        ("file:empty.txt", "empty.txt is empty"),
        ("file:loop", "characters) cannot be opened"),
        ("file:a\0b", "a name that no file can have"),
        ("file:~nobody-at-all/key", "characters) cannot be opened"),
    ],
)
def test_a_wrong_setting_names_itself_and_the_place(
    folder: Path, tmp_path: Path, text: str, said: str
) -> None:
    """Setting, variable or file; never a value."""
    (tmp_path / "empty.txt").touch()
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(SettingsError, match=r"orgs\.acme\.client_secret") as caught:
        resolve_setting(text, {"EMPTY": ""}, setting="orgs.acme.client_secret", base=tmp_path)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_secret_file_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    """Containers mount secrets that way."""
    (tmp_path / "link").symlink_to(folder / "acme" / "key.txt")

    assert read_secret_file(tmp_path / "link", setting="X_FILE") == Secret("file~value")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has such a file")
def test_a_file_that_cannot_be_read_is_said() -> None:
    """It opens, and then every read fails."""
    with pytest.raises(SettingsError, match="cannot be read"):
        read_secret_file(Path("/proc/self/mem"), setting="X_FILE")


def test_where_a_folder_cannot_be_walked_no_file_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows opens nothing relative to an open folder."""

    def without_folders(path: str, flags: int, dir_fd: int | None = None) -> int:
        raise NotImplementedError

    monkeypatch.setattr(os, "open", without_folders)

    assert code(resolved(references(folder), "file:acme/key.txt")) == "reference_file"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists them")
def test_no_descriptor_stays_open(folder: Path) -> None:
    """Whatever the answer was."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for way in ("acme/key.txt", "acme", "missing", "../outside.txt", "acme/key.txt/x"):
        resolved(references(folder), f"file:{way}")

    assert len(list(Path("/proc/self/fd").iterdir())) == before
