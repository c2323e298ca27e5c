"""
The hosts that Microsoft lists for Azure Data Explorer and what speaks its language, as data.

From `wellKnownKustoEndpoints.json` of Azure/azure-kusto-python (contract, section 8).
"""

DOCUMENTED_SUFFIX = ".kusto.windows.net"
"""The one suffix that Adobe's and Azure Data Factory's pages document for this source."""

SUFFIXES: dict[str, tuple[str, ...]] = {
    "login.microsoftonline.com": (
        ".kusto.windows.net",
        ".kusto.azuresynapse.net",
        ".kusto.fabric.microsoft.com",
        ".kusto.data.microsoft.com",
        ".kustomfa.windows.net",
        ".kustodev.windows.net",
        ".kustodev.azuresynapse-dogfood.net",
        # Other services that speak Kusto:
        ".dxp.aad.azure.com",
        ".dxp-dev.aad.azure.com",
        ".playfabapi.com",
        ".playfab.com",
        ".azureplayfab.com",
        ".api.securityplatform.microsoft.com",
        ".securitycenter.windows.com",
        ".arg.core.windows.net",
        ".arg-int.core.windows.net",
        ".arg-df.core.windows.net",
    ),
    "login.microsoftonline.us": (
        ".kusto.usgovcloudapi.net",
        ".kustomfa.usgovcloudapi.net",
        ".arg.core.usgovcloudapi.net",
    ),
    "login.partner.microsoftonline.cn": (
        ".kusto.azuresynapse.azure.cn",
        ".kusto.chinacloudapi.cn",
        ".kustomfa.chinacloudapi.cn",
        ".playfab.cn",
        ".arg.core.chinacloudapi.cn",
    ),
    "login.microsoftonline.eaglex.ic.gov": (
        ".kusto.core.eaglex.ic.gov",
        ".kustomfa.core.eaglex.ic.gov",
        ".arg.core.eaglex.ic.gov",
    ),
    "login.microsoftonline.microsoft.scloud": (
        ".kusto.core.microsoft.scloud",
        ".kustomfa.core.microsoft.scloud",
        ".arg.core.microsoft.scloud",
    ),
    "login.sovcloud-identity.fr": (".kusto.sovcloud-api.fr", ".kustomfa.sovcloud-api.fr"),
    "login.sovcloud-identity.de": (".kusto.sovcloud-api.de", ".kustomfa.sovcloud-api.de"),
    "login.sovcloud-identity.sg": (".kusto.sovcloud-api.sg", ".kustomfa.sovcloud-api.sg"),
}
"""Sign-in authority -> suffixes, which match at the border of a label."""

_MONITORS = ("adx.applicationinsights", "adx.loganalytics", "adx.monitor")
"""The three hosts of Azure Monitor that each cloud has below its own domain."""

HOSTS: dict[str, tuple[str, ...]] = {
    "login.microsoftonline.com": (
        "kusto.aria.microsoft.com",
        "eu.kusto.aria.microsoft.com",
        # Other services that speak Kusto:
        "ade.applicationinsights.io",
        "ade.loganalytics.io",
        "adx.aimon.applicationinsights.azure.com",
        "adx.int.applicationinsights.azure.com",
        "adx.int.loganalytics.azure.com",
        "adx.int.monitor.azure.com",
        "api.securityplatform.microsoft.com",
        *(f"{monitor}.azure.com" for monitor in _MONITORS),
    ),
    "login.microsoftonline.us": tuple(f"{name}.azure.us" for name in _MONITORS),
    "login.partner.microsoftonline.cn": tuple(f"{name}.azure.cn" for name in _MONITORS),
    "login.microsoftonline.eaglex.ic.gov": tuple(
        f"{name}.azure.eaglex.ic.gov" for name in _MONITORS
    ),
    "login.microsoftonline.microsoft.scloud": tuple(
        f"{name}.azure.microsoft.scloud" for name in _MONITORS
    ),
    "login.sovcloud-identity.fr": tuple(f"{name}.azure.fr" for name in _MONITORS),
    "login.sovcloud-identity.de": tuple(f"{name}.azure.de" for name in _MONITORS),
    "login.sovcloud-identity.sg": tuple(f"{name}.azure.sg" for name in _MONITORS),
}
"""Sign-in authority -> hosts, which match as a whole."""

PORTALS = (
    "portal.azure.com",
    "portal.azure.us",
    "portal.azure.cn",
    "dataexplorer.azure.com",
    "dataexplorer.azure.us",
    "dataexplorer.azure.cn",
    "app.fabric.microsoft.com",
    "entra.microsoft.com",
    "experience.adobe.com",
)
"""Pages for people, which are copied from the browser's address line by mistake."""

_ALL_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
_CUT_OFF = tuple(
    suffix[:length]
    for suffix in _ALL_SUFFIXES
    if suffix.startswith(".kusto.")
    for length in range(len(".kusto"), len(suffix))
    if suffix[length - 1] != "."
)
_ALL_HOSTS = frozenset(host for hosts in HOSTS.values() for host in hosts)


def is_listed(host: str) -> bool:
    """Whether Microsoft lists the host, given in lower case."""
    return host in _ALL_HOSTS or host.endswith(_ALL_SUFFIXES)


def is_portal(host: str) -> bool:
    """Whether the host, given in lower case, serves a portal's pages, as `ms.portal.azure.com`."""
    return host in PORTALS or host.endswith(tuple(f".{portal}" for portal in PORTALS))


def is_cut_off(host: str) -> bool:
    """Whether the host, given in lower case, is a cluster's that lost its end: `a.b.kusto.windows.ne`."""
    return not is_listed(host) and host.endswith(_CUT_OFF)
