"""Says which workbook a container holds: zip and OLE2 are used by many programs for many things."""

import zipfile
from typing import IO, Final, Literal

Form = Literal["xlsx", "xlsb", "ods", "xls"]
EVERY_TAB: Final = ""
"""What the child is given in place of a tab's name, which is never empty: it tells all tabs whole."""


class NotAWorkbookError(Exception):
    """A container of something else; the text says of what, for a person."""


class MixedFormsError(Exception):
    """A workbook of Excel 95 whose cells have shared texts, as only those of Excel 97 have: nobody shows them."""


class ProtectedError(Exception):
    """The workbook is encrypted; the text is `password` or `rights`."""


PASSWORD, RIGHTS = "password", "rights"


def form_of(file: IO[bytes]) -> Form:
    """
    Say which workbook it is.

    Raises:
        NotAWorkbookError: None that we read.
        ProtectedError: It is encrypted, so nobody can say.
    """
    if file.read(2) != b"PK":
        return _of_ole(file)
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.casefold(): info for info in archive.infolist()}
        mime = archive.read("mimetype")[:80] if "mimetype" in members else b""
        manifest = members.get("meta-inf/manifest.xml")
        manifest_text = b"" if manifest is None else archive.read(manifest)[: 1 << 20]
    if any(info.flag_bits & 1 for info in members.values()) or b"encryption-data" in manifest_text:
        raise ProtectedError(PASSWORD)
    if "xl/workbook.bin" in members:
        return "xlsb"
    if any(name.startswith("xl/") for name in members):
        return "xlsx"
    if mime.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return "ods"
    for start, what in (
        ("index/", "a Numbers document; in Numbers choose File, Export To, CSV"),
        ("index.zip", "a Numbers document; in Numbers choose File, Export To, CSV"),
        ("word/", "a Word document"),
        ("ppt/", "a presentation"),
    ):
        if any(name.startswith(start) for name in members):
            raise NotAWorkbookError(what)
    if not mime and b"opendocument.spreadsheet" in manifest_text:
        return "ods"
    raise NotAWorkbookError("a zip archive without a workbook; unpack it first")


def _of_ole(file: IO[bytes]) -> Form:
    file.seek(0)
    data = file.read()
    # The names stand in the container's directory, whatever state that is in.
    if _utf_16("DRMEncrypted") in data or _utf_16("\tDRMContent") in data:
        raise ProtectedError(RIGHTS)
    if _utf_16("EncryptedPackage") in data:
        raise ProtectedError(PASSWORD)
    return "xls"


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-le")
