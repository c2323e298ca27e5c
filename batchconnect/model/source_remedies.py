"""
What to do about a reason of the source: Microsoft Entra's by its number, Azure Data Explorer's by our word.

Apart from the table of Adobe's codes and our own, since these are Microsoft's and change with Microsoft's lists.
A principal with a key meets the numbers below at the client-credentials flow; those of people who sign in
(passwords, devices, consent pages) are left out and get the general advice, as every unknown number does.

Source:
    Microsoft, "Microsoft Entra authentication and authorization error codes" (entra-docs,
    reference-error-codes), in our own words. It lacks 7000216, 7000229, 900023, 501051 and 1002012, which
    the token endpoint gives as well (seen, in public code and reports).
    Microsoft, "Kusto.Data exceptions" and "Ingestion error codes" (dataexplorer-docs).
"""

from collections.abc import Mapping
from typing import Final

Remedy = tuple[str, str]
"""A few words for a headline, and what to do."""

ENTRA: Final = "AADSTS"
"""How a code of Entra's begins; digits follow."""
_LOOK_UP: Final = "https://login.microsoftonline.com/error?code="

_THEN = "Then run `batchconnect rerun` where the row has no connection, `batchconnect verify` where it has."
_LATER = (
    "It passes: run `batchconnect rerun` later where the row has no connection, `batchconnect verify`"
    " where it has."
)
_SEND_KEY = (
    "Correct servicePrincipalKey in the sheet and run `batchconnect rerun`: it sends the key, also to a"
    " connection that exists. So does `batchconnect rotate SHEET`."
)
_MINUTES_KEY = "Entra may need some minutes for a new key."
_MINUTES_APP = "Entra may need some minutes for a new app."
_VALUE = "Copy the secret's Value from Certificates & secrets of the app, not its Secret ID."
_KEPT = (
    "A connection that exists keeps the old value: `batchconnect undo` deletes what a run created, and"
    " `batchconnect run` makes it again; `run --recreate` where it was deleted in Experience Platform. A row"
    " that has none is taken by `batchconnect rerun`."
)
_APP = f"Compare servicePrincipalId and tenant with the app registration's overview. {_KEPT}"
_TENANT = f"Compare tenant with the Directory (tenant) ID of the app's overview. {_KEPT}"
_CLOUD = (
    f"Tenant, app and cluster have to be of one Azure cloud: compare endpoint and tenant. {_KEPT}"
)
_RESOURCE = f"Compare endpoint with the URI of the cluster's overview, and tenant with the cluster's. {_KEPT}"
_ADMIN = f"Ask an admin of the tenant to let this app in. {_THEN}"
_POLICY = (
    "Ask an admin of the tenant: the sign-in logs of service principals name the policy. It has to let this"
    " app in from Adobe's addresses, which stand on Adobe's page `sources/ip-address-allow-list` and change."
    f" {_THEN}"
)
_SHAPES = (
    "Look for odd characters in tenant, servicePrincipalId and servicePrincipalKey. If they are right, it is"
    f" Adobe's request: send them the request id. {_THEN}"
)
_FIREWALL = (
    "In the cluster's Networking, admit Adobe's addresses: they stand on Adobe's page"
    f" `sources/ip-address-allow-list` and change, so compare them again. {_THEN}"
)
_PAST_FIREWALL = (
    "Most often it is the cluster's firewall, or a cluster that is stopped or reached by a private"
    f" endpoint only. {_FIREWALL}"
)

_BY_NUMBER: Final[Mapping[str, Remedy]] = {
    # The key
    "7000215": ("The key is wrong", f"{_VALUE} {_SEND_KEY} {_MINUTES_KEY}"),
    "7000222": ("The key has expired", f"Make a new key in Entra. {_SEND_KEY} {_MINUTES_KEY}"),
    "70002": ("The key does not fit the principal", f"{_VALUE} {_SEND_KEY} {_MINUTES_KEY}"),
    "50012": ("The principal could not prove itself", f"{_VALUE} {_SEND_KEY} {_MINUTES_KEY}"),
    "7000216": ("No key was sent for the principal", _SEND_KEY),
    "7000218": ("No key reached Entra", _SEND_KEY),
    "90014": ("A field of the sign-in is missing", _SHAPES),
    "900144": ("A parameter of the sign-in is missing", _SHAPES),
    "700025": (
        "The app is a public client, which has no key",
        f"In the app's Authentication, switch public client flows off, or take another app. {_THEN}",
    ),
    # The app
    "700016": ("The tenant does not know this principal", f"{_APP} {_MINUTES_APP}"),
    "700011": ("The directory does not know this principal", f"{_APP} {_MINUTES_APP}"),
    "70001": ("The app is not known or disabled", _APP),
    "7000112": ("The app is disabled", f"Enable it under Enterprise applications. {_THEN}"),
    "1000031": ("The app cannot be used at this time", _ADMIN),
    "7000229": (
        "The app has no service principal in the tenant",
        f"An admin of the tenant adds the app under Enterprise applications. {_MINUTES_APP} {_THEN}",
    ),
    "50194": ("The app is of another tenant only", _TENANT),
    "90099": ("The tenant has not authorized the app", _ADMIN),
    "50105": ("The principal has no role for the cluster's app", _ADMIN),
    "501051": ("The app has no role for the cluster's app", _ADMIN),
    "65005": ("The app's permissions do not fit", _ADMIN),
    "650052": ("The tenant has not enabled the cluster's service", _ADMIN),
    "650056": ("The app is not set up whole", _ADMIN),
    "650057": ("The app may not ask for this cluster", _RESOURCE),
    # The tenant
    "90002": ("There is no such tenant", _TENANT),
    "900023": ("The tenant is neither an id nor a domain", _TENANT),
    "50034": ("The directory does not know this account", _APP),
    "50059": ("The sign-in names no tenant", _TENANT),
    "50128": ("The tenant's domain is not valid", _TENANT),
    "90019": ("The tenant cannot be told", _TENANT),
    "9001023": ("The sign-in went to no one tenant", _TENANT),
    "50049": ("The Azure cloud is not known", _CLOUD),
    "90038": ("The tenant is of another Azure cloud", _CLOUD),
    "90051": ("The Azure cloud is not valid", _CLOUD),
    "900382": ("The app may not sign in across clouds", _CLOUD),
    "900432": ("The app may not sign in to this cloud", _CLOUD),
    # The cluster, as Entra knows it
    "500011": ("The tenant does not know this cluster", _RESOURCE),
    "50001": ("The cluster is not known or disabled", _RESOURCE),
    "70011": ("The scope is not valid", _RESOURCE),
    "1002012": ("The scope is not the cluster's default", _RESOURCE),
    "700022": ("The scope names several resources", _RESOURCE),
    "700023": ("The scope names no resource", _RESOURCE),
    "28002": ("The scope is not known", _RESOURCE),
    # Policies
    "53003": ("Conditional Access blocks the principal", _POLICY),
    "530032": ("A security policy of the tenant blocks the principal", _POLICY),
    "50131": ("Conditional Access refuses the sign-in", _POLICY),
    # What passes
    "50000": ("Entra could not issue a token", _LATER),
    "50033": ("Entra failed for a moment", _LATER),
    "50196": ("Entra saw the same sign-in too often", _LATER),
    "90006": ("Entra is not available for a moment", _LATER),
    "90012": ("Entra did not answer in time", _LATER),
    "90024": ("Entra is too busy", _LATER),
    "90033": ("Entra's directory is not available", _LATER),
    "90055": ("The tenant has too many sign-ins", _LATER),
    "90090": ("Entra's graph is not available for a moment", _LATER),
    "90091": ("Entra's graph is not reachable", _LATER),
    # The form of the sign-in
    "90004": ("The sign-in has a wrong form", _SHAPES),
    "90013": ("A value of the sign-in is not valid", _SHAPES),
    "90023": ("The sign-in is not valid", _SHAPES),
    "90100": ("A parameter of the sign-in is not valid", _SHAPES),
    "9002313": ("The sign-in is malformed", _SHAPES),
}

TABLE: Final[Mapping[str, Remedy]] = {
    **{f"{ENTRA}{number}": remedy for number, remedy in _BY_NUMBER.items()},
    "entra_refused": (
        "Entra refused the principal without a number",
        f"Check tenant and servicePrincipalId of the row. {_SEND_KEY}",
    ),
    "kusto_suspended": (
        "The cluster is stopped",
        f"Start it in the Azure portal; idle clusters are stopped by themselves. {_THEN}",
    ),
    "kusto_firewall": ("The cluster's firewall refuses Adobe", _FIREWALL),
    "kusto_no_database": (
        "There is no such database",
        f"Compare database with the cluster's list, and endpoint with the cluster's URI. {_KEPT}",
    ),
    "kusto_no_table": (
        "There is no such table",
        "It was renamed or dropped since the tables were listed: list them again.",
    ),
    "kusto_not_authorized": (
        "The principal has no role on the database",
        (
            "Make it at least Database viewer on the database, in the tenant that the row names. Entra may"
            f" need some minutes for a new role. {_THEN}"
        ),
    ),
    "kusto_throttled": ("The cluster is too busy", _LATER),
    "kusto_no_cluster": (
        "The cluster's host is not known",
        (
            "Compare endpoint with the URI of the cluster's overview; a cluster that is stopped or deleted has"
            f" no host either. {_KEPT}"
        ),
    ),
    "kusto_not_reachable": ("The cluster does not answer", _PAST_FIREWALL),
}
"""By code, as `source_code` gives it."""


def source_remedy(code: str) -> Remedy | None:
    """Title and advice of a reason of the source; None where the code is none."""
    number = code.removeprefix(ENTRA)
    is_number = number != code and number.isdigit()
    return TABLE.get(code) or (_general(number) if is_number else None)


def is_of_key(code: str) -> bool:
    """Whether a reason of the source is the key: its cell is the one to correct."""
    remedy = source_remedy(code)
    return remedy is not None and _SEND_KEY in remedy[1]


def _general(number: str) -> Remedy:
    return (
        "Microsoft Entra refused the principal",
        (
            f"Look the number up at {_LOOK_UP}{number} and check tenant, servicePrincipalId and"
            f" servicePrincipalKey of the row. {_THEN}"
        ),
    )
