"""
The tables of the settings file that tell of orgs, stores, notices and hosts; its options are those of `RunOptions`.

The tables only say which words exist and which shape their values have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from batchconnect.model.org import ORG_ID_SUFFIX
from batchconnect.model.secret import Secret
from batchconnect.options import OPTIONS, Option, shape
from batchconnect.options.shape import Shape
from batchconnect.settings.table_form import sections, setting, texts_by_name

KEYS: Final[Mapping[str, Option]] = {name: one for name, one in OPTIONS.items() if one.in_file}
"""The options that may stand in the file."""
RATE: Final = OPTIONS["rate"].shape
"""An org's rate has the shape of everybody's."""


def _texts(value: object) -> tuple[str, ...] | None:
    """In a list alone: a file has brackets for it."""
    is_list = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    return tuple(value) if is_list else None  # type: ignore[arg-type]  # it is a list


def _credential(value: object) -> Secret | None:
    # It became one where it was read; what did not is no text.
    return value if isinstance(value, Secret) else None


def _text(must_be: str) -> Shape:
    return replace(shape.TEXT, must_be=must_be)


A_TEXT: Final = _text("a text in double quotes, not empty")
A_CREDENTIAL: Final = Shape(
    must_be="a text in double quotes: env:NAME, file:PATH, or the value itself",
    convert=_credential,
    kind=str,
)
A_SWITCH: Final = replace(shape.SWITCH, must_be="true or false, without quotes")
A_LIST: Final = Shape(
    must_be='a list of texts, as ["one", "two"]', convert=_texts, kind=list[str], is_list=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgTable:
    """The section `[orgs.NAME]`, or the one-org variables."""

    org_id: str = setting(_text(f"a text that ends in {ORG_ID_SUFFIX}"))
    client_id: str = setting(A_TEXT)
    client_secret: Secret | None = setting(A_CREDENTIAL, default=None)
    access_token: Secret | None = setting(A_CREDENTIAL, default=None)
    sandbox: str | None = setting(A_TEXT, default=None)
    aliases: tuple[str, ...] = setting(A_LIST, default=())
    scopes: str | None = setting(_text("a text of scopes with commas between"), default=None)
    platform_url: str | None = setting(A_TEXT, default=None)
    ims_url: str | None = setting(A_TEXT, default=None)
    rate: float | None = setting(RATE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTable:
    """The section `[stores.NAME]`."""

    uri: str = setting(_text("an address, as akv://VAULT, vault://HOST/MOUNT or aws-sm://REGION"))
    auth: str | None = setting(A_TEXT, default=None)
    sheets: bool = setting(A_SWITCH, default=False)
    prefix: str = setting(replace(shape.NOTE, must_be="a text in double quotes"), default="")
    rate: float | None = setting(RATE, default=None)
    token: Secret | None = setting(A_CREDENTIAL, default=None)
    role_id: Secret | None = setting(A_CREDENTIAL, default=None)
    secret_id: Secret | None = setting(A_CREDENTIAL, default=None)
    jwt: Secret | None = setting(A_CREDENTIAL, default=None)
    role: str | None = setting(A_TEXT, default=None)
    auth_mount: str | None = setting(A_TEXT, default=None)
    namespace: str | None = setting(A_TEXT, default=None)
    tls: bool | None = setting(A_SWITCH, default=None)
    client_id: str | None = setting(A_TEXT, default=None)
    tenant_id: str | None = setting(A_TEXT, default=None)
    authority: str | None = setting(A_TEXT, default=None)
    profile: str | None = setting(A_TEXT, default=None)
    endpoint: str | None = setting(A_TEXT, default=None)
    command: tuple[str, ...] | None = setting(A_LIST, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyTable:
    """The section `[notify.NAME]`."""

    url: Secret = setting(A_CREDENTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All of the settings but the options: the file with everything that wins over it."""

    orgs: Mapping[str, OrgTable] = sections(OrgTable, must_be="sections, one [orgs.NAME] per org")
    columns: Mapping[str, str] = texts_by_name(
        must_be='a section [columns] of headers, as "Kunde" = "name"'
    )
    stores: Mapping[str, StoreTable] = sections(
        StoreTable, must_be="sections, one [stores.NAME] per store"
    )
    notify: Mapping[str, NotifyTable] = sections(
        NotifyTable, must_be="sections, one [notify.NAME] per address"
    )
    platform_url: str | None = setting(A_TEXT, default=None)
    ims_url: str | None = setting(A_TEXT, default=None)
