"""From the sections `[notify.NAME]` to the addresses that `--notify` may tell."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from batchconnect.model.errors import SettingsError
from batchconnect.model.notice import NoticeProfile
from batchconnect.settings.org_profile import Credentials
from batchconnect.settings.tables import NotifyTable
from batchconnect.validation.reference import resolve_setting

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def notice_profiles(
    tables: Mapping[str, NotifyTable], credentials: Credentials
) -> tuple[NoticeProfile, ...]:
    """
    The addresses, in the order of the settings; none of them is read yet, for few commands need one.

    Args:
        tables: The sections.
        credentials: Whose stores their URLs may name, and who notes what is written out.

    Raises:
        SettingsError: A name is none, or a reference does not name a secret of its store.
    """
    return tuple(_profile(name, table, credentials) for name, table in tables.items())


def _profile(name: str, table: NotifyTable, credentials: Credentials) -> NoticeProfile:
    if _NAME.fullmatch(name) is None:
        raise SettingsError(
            f"[notify.{name}] cannot be the name of an address",
            hint="A name has letters, digits, `-` and `_`, as [notify.ops].",
        )
    place = ("notify", name, "url")
    credentials.warn_if_written_out(place, table.url)
    reference = credentials.reference(place, table.url)
    if reference is not None:
        return NoticeProfile(name=name, url=reference)
    path = credentials.origin.file.path
    url = partial(
        resolve_setting,
        table.url.reveal(),
        credentials.environ,
        setting=credentials.origin.name(place),
        base=path.parent if path is not None else None,
    )
    return NoticeProfile(name=name, url=url)
