"""The settings profile of one Adobe organization: whose credentials sign in, and where to."""

from batchconnect.model.reference import Reference
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value

ORG_ID_SUFFIX = "@AdobeOrg"
PLATFORM_URL = "https://platform.adobe.io"
IMS_URL = "https://ims-na1.adobelogin.com"
SCOPES = "openid,session,AdobeID,read_organizations,additional_info.projectedProductContext"


class Org(Value):
    """One Adobe organization with the credential that works for it (contract, sections 1 and 7)."""

    key: str
    """The settings key, as `acme` in `[orgs.acme]`; the org id where the environment is the settings."""
    org_id: str
    """`x-gw-ims-org-id`, as `5C1328435BF324E90A49402A@AdobeOrg`."""
    client_id: str
    """`x-api-key`, and the client of the token request."""
    client_secret: Secret | None = None
    """What the token is fetched with; None where a ready token stands in `access_token`,
    or a store holds it that nobody has asked yet."""
    client_secret_at: Reference | None = None
    """Where a store holds the client secret; it is looked up when the service is connected, and once more when
    it is refused."""
    access_token: Secret | None = None
    """A ready token instead of the client secret; it is never refreshed."""
    sandbox: str | None = None
    """The default for rows whose sandbox cell is blank; nothing defaults to `prod`."""
    aliases: tuple[str, ...] = ()
    """Other names by which an `org` cell may call it."""
    scopes: str = SCOPES
    """Comma-separated scopes of the token request."""
    platform_url: str = PLATFORM_URL
    """Gateway root without a trailing slash."""
    ims_url: str = IMS_URL
    """Root of the token endpoint, without a trailing slash."""
    rate: float | None = None
    """Requests per second, start and ceiling; None: the lane finds its pace."""

    @property
    def lane(self) -> tuple[str, str, str]:
        """What shares one limit and one token: (host, org id, client id)."""
        return (self.platform_url, self.org_id, self.client_id)
