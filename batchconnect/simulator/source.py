"""
What stands behind a connection: Entra and the cluster, as a test or an exploration meets them.

Whether a key is right is told by rules, one per key. A rule comes from the text of the key, so that whoever
only has a sheet can practise, or from a test by `Simulator.source`. Rules name a key by its SHA-256, for the key
itself is kept nowhere.
"""

import re
from dataclasses import dataclass

from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection, KeyRule, digest
from batchconnect.simulator.store import Store

WRONG_SECRET, EXPIRED = "7000215", "7000222"
WRONG = re.compile(r"wrong-at-test(?:-(\d{5,8}|database|role|firewall))?")
RIGHT_LATER = re.compile(r"right-at-test-(\d{1,3})")
EXPIRES = re.compile(r"expires-at-(\d{9,11})")

REASONS = {
    WRONG_SECRET: "Invalid client secret provided. Ensure the secret being sent in the request is the client "
    "secret value, not the client secret ID, for a secret added to app '{app}'.",
    EXPIRED: "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new "
    "keys for your app.",
    "700016": "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if "
    "the application has not been installed by the administrator of the tenant.",
    "90002": "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
    "the correct cloud.",
    "900023": "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
    "50034": "The user account does not exist in the directory '{tenant}'.",
    "53003": "Access has been blocked by Conditional Access policies.",
    "1002012": "The provided value for scope is not valid. Client credential flows must have a scope value with "
    "/.default suffixed to the resource identifier.",
}
"""By the number of Entra's error: its text, shortened."""
OF_KUSTO = {
    "database": "BadRequest_EntityNotFound: Entity ID '{database}' of kind 'Database' was not found.",
    "role": "Principal 'aadapp={app};{tenant}' is not authorized to read database '{database}'. Forbidden (403).",
    "firewall": "Access to cluster '{endpoint}' is denied: the request's public address is blocked by the "
    "cluster's network policy.",
}
CONNECTOR = (
    "ErrorCode=UserErrorFailedToConnectToAzureDataExplorer,"
    "'Type=Microsoft.DataTransfer.Common.Shared.HybridDeliveryException,"
    "Message=Failed to connect to the Azure Data Explorer cluster '{endpoint}', database '{database}'.,"
    "Source=Microsoft.DataTransfer.Runtime.AzureDataExplorerConnector,"
    "''Type=Kusto.Data.Exceptions.KustoClientAuthenticationException,Message={reason}'"
)
"""The connector's words around the reason. As in life, they are long, and the reason comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Entra and the clusters.

    Args:
        store: Keeps the rules.
        habits: Say how slow Entra is to spread a new key.
    """

    store: Store
    habits: Habits

    # Rules

    def refuse(self, key: str, reason: str = WRONG_SECRET, *, since: float = 0.0) -> None:
        """
        Let a key be wrong.

        Args:
            key: As a client sends it; it need not have been sent yet.
            reason: A number of Entra's, as "7000222", or one of `database`, `role`, `firewall`.
            since: Unix time from which it is wrong.
        """
        with self.store.transaction():
            self._rule(key, reason, since, None)

    def expire(self, key: str, at: float) -> None:
        """Let a key be right until a time, and expired from then on."""
        self.refuse(key, EXPIRED, since=at)

    def delay(self, key: str, tests: int, reason: str = WRONG_SECRET) -> None:
        """Let so many tests of each connection that has the key say false, and the later ones true."""
        with self.store.transaction():
            self._rule(key, reason, 0.0, tests)

    def accept(self, key: str) -> None:
        """Let a key be right, whatever its text says."""
        with self.store.transaction():
            self._rule(key, WRONG_SECRET, 0.0, 0)

    def meet(self, key: str) -> None:
        """Read the rule, if any, out of the text of a key that a client has sent."""
        if self._rule_of(digest(key)) is not None:
            return
        if (wrong := WRONG.search(key)) is not None:
            self._rule(key, wrong.group(1) or WRONG_SECRET, 0.0, None)
        elif (later := RIGHT_LATER.search(key)) is not None:
            self._rule(key, WRONG_SECRET, 0.0, int(later.group(1)) - 1)
        elif (expires := EXPIRES.search(key)) is not None:
            self._rule(key, EXPIRED, float(expires.group(1)), None)

    def _rule(self, key: str, reason: str, since: float, tests: int | None) -> None:
        self.store.db.execute(
            "insert or replace into key_rules values (?, ?, ?, ?)",
            (digest(key), reason, since, tests),
        )

    def _rule_of(self, key_sha256: str) -> KeyRule | None:
        row = self.store.db.execute(
            "select reason, since, tests from key_rules where key_sha256 = ?", (key_sha256,)
        ).fetchone()
        return None if row is None else KeyRule(**dict(row))

    # What it says

    def trouble(self, connection: Connection, now: float) -> str | None:
        """Why the source does not let a connection in, in the connector's words; None: it does."""
        reason = self._reason(connection, now)
        if reason is None:
            return None
        values = {
            name: str(connection.params.get(name, ""))
            for name in ("endpoint", "database", "tenant")
        }
        values["app"] = str(connection.params.get("servicePrincipalId", ""))
        return CONNECTOR.format(**values, reason=reason.format(**values))

    def _reason(self, connection: Connection, now: float) -> str | None:
        lacking = connection.lacking
        if lacking:
            return f"The value of the property '{lacking[0]}' is missing."
        if connection.key_sha256 is None:
            return None  # planted: whoever made it had a key, and we do not
        rule = self._rule_of(connection.key_sha256)
        if rule is None:
            early = connection.tests < self.habits.tests_before_right
            return text_of(WRONG_SECRET) if early else None
        early = rule.tests is None or connection.tests < rule.tests
        return text_of(rule.reason) if early and now >= rule.since else None


def text_of(reason: str) -> str:
    """A reason in Entra's words, or the cluster's; with places for what it is about."""
    if reason in OF_KUSTO:
        return OF_KUSTO[reason]
    text = REASONS.get(reason, "The request could not be authenticated.")
    return f"AADSTS{reason}: {text} Trace ID: 00000000-0000-0000-0000-000000000000"
