"""
The tables of the settings file that tell of orgs, stores, notices and hosts; its options are those of `RunOptions`.

The models only say which words exist and which shape their values have. Each description is the
second half of a sentence, "rate must be …", so that a wrong value is told without being repeated.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from batchconnect.model.org import ORG_ID_SUFFIX
from batchconnect.model.secret import Secret
from batchconnect.options import OPTIONS, Option

Text = Annotated[str, Field(min_length=1)]

A_TEXT = "a text in double quotes, not empty"
A_CREDENTIAL = "a text in double quotes: env:NAME, file:PATH, or the value itself"
A_SWITCH = "true or false, without quotes"
A_LIST = 'a list of texts, as ["one", "two"]'

KEYS: Final[Mapping[str, Option]] = {name: one for name, one in OPTIONS.items() if one.in_file}
"""The options that may stand in the file."""
RATE: Final = OPTIONS["rate"].shape
"""An org's rate has the shape of everybody's."""


class OrgTable(BaseModel):
    """The section `[orgs.NAME]`, or the one-org variables."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    org_id: Text = Field(description=f"a text that ends in {ORG_ID_SUFFIX}")
    client_id: Text = Field(description=A_TEXT)
    client_secret: Secret | None = Field(default=None, description=A_CREDENTIAL)
    access_token: Secret | None = Field(default=None, description=A_CREDENTIAL)
    sandbox: Text | None = Field(default=None, description=A_TEXT)
    aliases: list[Text] = Field(default=[], description=A_LIST)
    scopes: Text | None = Field(default=None, description="a text of scopes with commas between")
    platform_url: Text | None = Field(default=None, description=A_TEXT)
    ims_url: Text | None = Field(default=None, description=A_TEXT)
    rate: Annotated[float, Field(strict=True, ge=RATE.least, allow_inf_nan=False)] | None = Field(
        default=None, description=RATE.must_be
    )


class StoreTable(BaseModel):
    """The section `[stores.NAME]`."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    uri: Text = Field(
        description="an address, as akv://VAULT, vault://HOST/MOUNT or aws-sm://REGION"
    )
    auth: Text | None = Field(default=None, description=A_TEXT)
    sheets: Annotated[bool, Field(strict=True)] = Field(default=False, description=A_SWITCH)
    prefix: str = Field(default="", description="a text in double quotes")
    rate: Annotated[float, Field(strict=True, ge=RATE.least, allow_inf_nan=False)] | None = Field(
        default=None, description=RATE.must_be
    )
    token: Secret | None = Field(default=None, description=A_CREDENTIAL)
    role_id: Secret | None = Field(default=None, description=A_CREDENTIAL)
    secret_id: Secret | None = Field(default=None, description=A_CREDENTIAL)
    jwt: Secret | None = Field(default=None, description=A_CREDENTIAL)
    role: Text | None = Field(default=None, description=A_TEXT)
    auth_mount: Text | None = Field(default=None, description=A_TEXT)
    namespace: Text | None = Field(default=None, description=A_TEXT)
    tls: Annotated[bool, Field(strict=True)] | None = Field(default=None, description=A_SWITCH)
    client_id: Text | None = Field(default=None, description=A_TEXT)
    tenant_id: Text | None = Field(default=None, description=A_TEXT)
    authority: Text | None = Field(default=None, description=A_TEXT)
    profile: Text | None = Field(default=None, description=A_TEXT)
    endpoint: Text | None = Field(default=None, description=A_TEXT)
    command: list[Text] | None = Field(default=None, description=A_LIST)


class NotifyTable(BaseModel):
    """The section `[notify.NAME]`."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    url: Secret = Field(description=A_CREDENTIAL)


class Tables(BaseModel):
    """All of the settings but the options: the file with everything that wins over it."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    orgs: dict[str, OrgTable] = Field(default={}, description="sections, one [orgs.NAME] per org")
    columns: dict[str, Text] = Field(
        default={}, description='a section [columns] of headers, as "Kunde" = "name"'
    )
    stores: dict[str, StoreTable] = Field(
        default={}, description="sections, one [stores.NAME] per store"
    )
    notify: dict[str, NotifyTable] = Field(
        default={}, description="sections, one [notify.NAME] per address"
    )
    platform_url: Text | None = Field(default=None, description=A_TEXT)
    ims_url: Text | None = Field(default=None, description=A_TEXT)
