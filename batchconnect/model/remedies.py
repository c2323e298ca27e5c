"""
What to do next, in one or two plain sentences, for every code that people meet.

One table for the screen, the incidents and `failed.csv`, so that the same trouble gets the same
advice everywhere; Microsoft's reasons stand in a table of their own (`source_remedies`). A code without an entry gets the advice of its kind, at last of its status.
"""

import re

from batchconnect.model.contact import may_pass
from batchconnect.model.fault import INTERNAL_FAULT, TITLE
from batchconnect.model.outcome import DONE, Status
from batchconnect.model.source_remedies import source_remedy

_FLOW = re.compile(r"[A-Z]+-(\d{4}-\d{3})")

NOT_FOUND = "not_found"
"""Code of a connection that the service does not know, or does not show."""

_AGAIN = "Run `batchconnect rerun` when it is fixed: it sends only what is unfinished."
_LATER = "Run `batchconnect rerun` later: it sends only what is unfinished."
_OPEN = "Run `batchconnect reconcile` to look again; nothing is sent by that."
_ADMIN = (
    "Ask the organization's admin for a product profile of Experience Platform on this credential,"
    f" and a role with Manage Sources and the sandbox. {_AGAIN}"
)
_CLIENT = (
    f"Check client_id, client_secret and org_id of this org with `batchconnect orgs`. {_AGAIN}"
)
_SANDBOX = (
    "Check the sandbox name (lower case, as Experience Platform shows it) and that the credential's"
    f" role includes it. {_AGAIN}"
)
_OURS = (
    "Every row would be refused alike: update batchconnect or report this answer with its"
    " request id. The rows are fine as they are."
)
_CELLS = f"Correct the row's cells by the service's message. {_AGAIN}"
_AZURE = (
    "Check endpoint, database, tenant, servicePrincipalId and servicePrincipalKey of the row, that"
    " the principal is at least Database viewer, and that the cluster's firewall admits Adobe."
    f" {_AGAIN}"
)
_WHO_MADE_IT = "`batchconnect doctor` tells who made the certificate."
_HOW_FAR_OFF = "`batchconnect doctor` tells by how much it is off."
DOCTOR = "`batchconnect doctor` looks closer."
_NETWORK = f"Check network, proxy and the platform URL from this machine: {DOCTOR} {_LATER}"
NOT_ADOBES = "Not an answer of Adobe's"
"""Title of what stops a lane because something else answers in Adobe's place."""
_NO_CERTIFICATE = "batchconnect has no client certificate to show."
_DOUBT = f"The answer was lost, so the connection may exist. {_OPEN}"
_OVERLOAD = f"The service failed while it worked on the row, so the connection may exist. {_OPEN}"
_PLATFORM_URL = f"Check BATCHCONNECT_PLATFORM_URL and the credential's access to the API. {_AGAIN}"
_ONE_LEDGER = "A team ledger, --ledger postgresql://..., keeps this from happening: there both work on one run."
_COPIES = f"Did two people run copies of one sheet? {_ONE_LEDGER}"
_ELSE_WAIT = (
    "Where that cannot be, wait the settle window (--settle) before a run with a new ledger."
)
_PEOPLE = "A person decides: look at the named connections in Experience Platform."

_NO_LOOK = (
    "The service offers no look into this source. That says nothing of the key: `batchconnect verify`"
    " tests it."
)

_GONE = (
    "It was deleted in Experience Platform, or this credential does not see it any more. If it is gone,"
    " `batchconnect run` with --recreate makes it again."
)

_SEND_US = (
    "Not the sheet's fault: please send us the version, the type, the place and the trace that the"
    " report shows, never the sheet. Rows in doubt: `batchconnect reconcile`; the others: `batchconnect"
    " rerun`, with a mended version if it fails again."
)

_TABLE: dict[str, tuple[str, str]] = {
    # Gateway: code -> (title, hint)
    "400003": ("A header is missing", _OURS),
    "401013": (
        "The access token is refused",
        f"The token was refused even when fresh: check the credential, or the ready token. {_AGAIN}",
    ),
    "403000": ("The API key is missing", _CLIENT),
    "403003": ("The API key is not valid", _CLIENT),
    "403010": ("The access token is missing", _CLIENT),
    "403011": ("The token's scopes do not fit", f"Check the scopes setting of this org. {_AGAIN}"),
    "403012": ("This address is blocked", f"Ask Adobe why this IP address is blocked. {_LATER}"),
    "403013": ("This address is not admitted", f"Have this IP address admitted. {_AGAIN}"),
    "403025": (
        "The credential has no right for this organization",
        f"The credential is another organization's than org_id, or has no product profile. {_ADMIN}",
    ),
    "403027": (
        "The credential has no product profile, or the org id is wrong",
        f"Compare org_id with the organization that owns the credential. {_ADMIN}",
    ),
    "429050": ("Too many requests", f"The lane slows down by itself; nothing to do. {_LATER}"),
    "503000": ("The gateway could not check the API key", _LATER),
    "503010": ("The gateway could not check the token", _LATER),
    "503020": ("The gateway could not read the profile", _LATER),
    # Flow Service: number and status
    "1001-401": ("Unauthorized", _ADMIN),
    "1002-403": ("Forbidden", _ADMIN),
    "1007-400": ("A header is not valid", _OURS),
    "1008-401": ("The token has no access to this organization", _CLIENT),
    "1009-403": ("The organization id is missing", _OURS),
    "1100-400": ("Refused by the connector", _AZURE),
    "1105-401": ("Unauthorized", _ADMIN),
    "1106-403": ("Forbidden", _ADMIN),
    "1301-400": ("The authentication type is not supported", _OURS),
    "1302-400": ("The authentication type is not supported", _OURS),
    "1304-400": ("A mandatory field is missing", _CELLS),
    "1308-400": ("Azure Data Explorer refused the credentials", _AZURE),
    "1330-400": (
        "The source has no such table any more",
        "It went between two questions: give the same command again.",
    ),
    "1336-400": ("The source cannot be explored", _NO_LOOK),
    "1337-400": ("An exploration without a table", _OURS),
    "1339-400": ("The organization id is malformed", f"Check org_id in the settings. {_AGAIN}"),
    "1358-400": ("An exploration of an unknown kind", _OURS),
    "1359-400": ("An exploration without a kind", _OURS),
    "1372-400": ("The source cannot be explored", _NO_LOOK),
    "1405-400": ("The request was empty", _OURS),
    "1413-400": ("The connection spec is unknown", _OURS),
    "1415-400": ("The authentication spec is unknown", _OURS),
    "1605-401": ("Unauthorized", _ADMIN),
    "1606-403": ("Forbidden", _ADMIN),
    "2000-401": ("The token has no access to this organization", _CLIENT),
    "2001-401": ("The organization header is missing", _CLIENT),
    "2002-401": ("The organization header is empty", _CLIENT),
    "2100-404": ("The sandbox does not exist", _SANDBOX),
    "2101-404": ("The sandbox does not exist", _SANDBOX),
    "2103-404": ("The sandbox does not exist", _SANDBOX),
    "2105-400": ("The sandbox header is missing", _OURS),
    "2106-404": ("The organization has no default sandbox", _SANDBOX),
    "2110-400": ("The sandbox is not allowed here", _SANDBOX),
    "2111-403": ("The sandbox or token is refused", _ADMIN),
    "2118-403": ("A permission is missing", _ADMIN),
    "2120-403": ("The credential lacks a permission", _ADMIN),
    "2121-403": ("The credential may not manage this source", _ADMIN),
    # By HTTP status, where no code is named
    "http-400": ("The request was refused", _CELLS),
    "http-401": ("Sign-in refused", _CLIENT),
    "http-403": ("Access refused", _ADMIN),
    "http-404": ("The service is not there", _PLATFORM_URL),
    "http-407": (
        "The proxy asks for a sign-in",
        f"Give --proxy a name and a password that it takes: --proxy env:NAME keeps them off the screen. {_AGAIN}",
    ),
    "http-422": ("The request was refused", _CELLS),
    "http-429": ("Too many requests", f"The lane slows down by itself; nothing to do. {_LATER}"),
    # IMS
    "invalid_client": (
        "The client id or client secret is refused",
        f"Check client_id and client_secret of this org; the secret may have been rotated. {_AGAIN}",
    ),
    "invalid_scope": ("The scopes are refused", f"Check the scopes setting of this org. {_AGAIN}"),
    "unauthorized_client": ("The credential is not set up for server-to-server", _CLIENT),
    "no_token": (
        "Adobe's sign-in (IMS) does not work now",
        (
            "It says nothing against the credential: look at status.adobe.com, or wait longer with --patience."
            f" {_LATER}"
        ),
    ),
    "no_client_secret": ("The client secret is missing", _CLIENT),
    "foreign_answer": (
        NOT_ADOBES,
        (
            "A filter, a proxy or a Wi-Fi's sign-in page answered in Adobe's place. Open https://platform.adobe.io"
            " in a browser here and pass what it shows, or have the hosts admitted, or set --proxy. The credential"
            f" is not to blame. {_AGAIN}"
        ),
    ),
    # Network, nothing sent
    "host_not_allowed": (
        "The host is not allowed",
        f"Check the platform and IMS URLs; name a host that is meant with --allow-host. {_AGAIN}",
    ),
    "bad_request": ("The request cannot be sent", f"Check the platform URL and proxy. {_AGAIN}"),
    "dns": ("The host's name is not known", _NETWORK),
    "refused": ("The host refuses connections", _NETWORK),
    "unreachable": ("The host is not reachable", _NETWORK),
    "connect_timeout": ("The host does not answer", _NETWORK),
    "tls": (
        "The host's certificate is not trusted",
        (
            "Behind a company's inspection box name the box's authority with --ca-bundle FILE.pem."
            f" {_WHO_MADE_IT} {_AGAIN}"
        ),
    ),
    "clock": (
        "The host's certificate is not valid at this machine's date",
        (
            "Most often this machine's clock is wrong: compare `date` with another clock, and set it."
            f" {_HOW_FAR_OFF} {_AGAIN}"
        ),
    ),
    "client_certificate": (
        "The server demands a client certificate",
        f"{_NO_CERTIFICATE} A gateway of your own has to let this machine through. {_AGAIN}",
    ),
    "tls_refused": (
        "The server refuses the TLS handshake",
        f"It may demand a client certificate, or ciphers that are not ours. {_NO_CERTIFICATE} {_NETWORK}",
    ),
    "proxy": (
        "The proxy does not open a tunnel",
        f"It is not reached, or does not reach the host itself: check --proxy. {DOCTOR} {_LATER}",
    ),
    "proxy_refused": (
        "The proxy refuses the host",
        f"Have it admitted: platform.adobe.io and ims-na1.adobelogin.com, port 443. {_AGAIN}",
    ),
    # Sent, the answer unknown
    "timeout": ("No answer in time", _DOUBT),
    "connection_lost": ("The answer was lost", _DOUBT),
    "token_refused": (
        "The access token was refused on the way",
        f"A request that was refused so may have been applied all the same. {_OPEN}",
    ),
    "bad_answer": ("The answer was no HTTP", _DOUBT),
    "interrupted": ("Interrupted", "Run the same command again: it goes on where it stopped."),
    "terminated": ("Terminated", "Run the same command again: it goes on where it stopped."),
    "ledger": (
        "The ledger could not be written",
        "The message names the cause. When it is mended, run the same command again: it goes on.",
    ),
    "protocol_surprise": (
        "The service answered out of its contract",
        f"The connection most likely exists, its id is not sure. {_OPEN}",
    ),
    "possible_match": (
        "A connection with the same target stands there",
        f"{_PEOPLE} Give it this row's name to adopt it, or delete it; then `batchconnect rerun`.",
    ),
    INTERNAL_FAULT: (
        TITLE,
        _SEND_US,
    ),
    "proven_absent": ("Proven absent", f"It was not applied, nothing stands there. {_LATER}"),
    "row_gone": (
        "The row is no longer in the sheet",
        "Put it back if it is meant to be onboarded, and run the sheet again.",
    ),
    "not_selected": (
        "Left out by --only",
        "Run without --only, or with another, to take it as well.",
    ),
    "not_planned": (
        "The approved plan does not create it",
        "What stands there changed after the last look: plan again, and have that approved.",
    ),
    "somebody_else": (
        "Somebody else is creating the rows of this sheet",
        f"Wait until that other run has ended, then give the same command again. {_ONE_LEDGER}",
    ),
    "ledger_gone": (
        "The ledger, or its lock, was taken away during the run",
        f"Put the folder back as it was and give the same command again: it goes on. {_ELSE_WAIT}",
    ),
    "lease_over": (
        "The lane's lease was over",
        "Nothing was sent: another worker takes the lane up. Give the same command again to join.",
    ),
    "sheet_changed": (
        "The sheet was changed during the run",
        "Run the same command again with the sheet as it is now.",
    ),
    "came_late": (
        "It came after its absence was proven",
        "Run the same command again: it is looked for by its marker, and not sent.",
    ),
    "held": ("Proven absent, held", "Run `batchconnect rerun --on-doubt resend` to send it again."),
    # Ours
    "never_applied": (
        "Sent, and never applied",
        f"The service lost the request each time; it is proven absent. {_LATER}",
    ),
    "name_taken": (
        "The name is taken",
        f"Another connection has this name and points elsewhere. Rename the row, or that one. {_AGAIN}",
    ),
    "target_hidden": (
        "The name is taken, the target hidden",
        "If that connection is the row's own, use --adopt-by-name; otherwise rename the row.",
    ),
    "target_differs": (
        "The row's connection points elsewhere",
        f"The connection was changed after its create. {_PEOPLE}",
    ),
    "duplicated": (
        "The connection exists more than once",
        f"{_PEOPLE} Keep the one in use, delete the others by hand. {_COPIES}",
    ),
    "initializing": (
        "The connection is not ready yet",
        f"It stands there, and is never sent again. {_OPEN}",
    ),
    "disabled": (
        "The connection is disabled",
        f"Enable it in Experience Platform if it is meant to be used. {_AGAIN}",
    ),
    "draft": (
        "The connection is a draft",
        f"Publish it, or delete it, in Experience Platform: drafts do not work. {_AGAIN}",
    ),
    "finalizing": (
        "The connection is being changed or deleted",
        f"Wait until Experience Platform is done with it. {_AGAIN}",
    ),
    "odd_state": (
        "The connection is in a state that is not documented",
        f"Look at it in Experience Platform. {_AGAIN}",
    ),
    NOT_FOUND: (
        "No such connection any more",
        _GONE,
    ),
    "no_connection": (
        "The row has no connection",
        "Nothing is created here: `batchconnect run` creates it, with the key of the sheet.",
    ),
    "changed_meanwhile": (
        "Somebody else changed the connection meanwhile",
        "It was left as it is. Look at it in Experience Platform, then give the same command again.",
    ),
    "params_of_others": (
        "The connection has parameters of others",
        "The service would drop them with our change. Set the key in Experience Platform.",
    ),
    "target_not_shown": (
        "The connection's target is hidden",
        "What is hidden would be replaced by the row's. Set the key in Experience Platform.",
    ),
    "no_etag": (
        "The connection names no etag that can be used",
        "Without one, the change of somebody else could be overwritten. Set the key in Experience Platform.",
    ),
    "not_readable": (
        "The connection could not be read",
        "No key was sent to it. Give the same command again later.",
    ),
    "same_version": (
        "Its connection has this version of its key",
        "Nothing is wrong. Leave --changed out to send its key as well.",
    ),
    "no_version": (
        "No version tells whether its key has changed",
        "Leave --changed out to send its key.",
    ),
    "not_failing": ("Its last test did not say no", "Leave --failing out to send its key as well."),
    "no_result": (
        "The answer to the test says neither yes nor no",
        "Run `batchconnect verify` again; if it stays so, report it with the request's time.",
    ),
    "test_false": (
        "The source refuses the connection",
        (
            "It gave no reason. Check the key, the principal's role on the database, and the cluster's firewall;"
            " then `batchconnect rerun` sends the sheet's key."
        ),
    ),
    "deleted_since": (
        "The connection was deleted since",
        "`batchconnect run` with --recreate makes it again; or take the row out of the sheet.",
    ),
    "no_progress": (
        "The lane made no progress",
        f"The service throttled or was not reachable beyond --patience. {_LATER}",
    ),
    "banned_until": (
        "The service asks to be left alone for longer than --patience",
        "Run `batchconnect rerun` after the time that it names, or with a longer --patience.",
    ),
    "lane_stopped": ("Stopped with its lane", f"See the incident that stopped the lane. {_AGAIN}"),
    "sandbox_stopped": ("Stopped with its sandbox", f"See the incident of this sandbox. {_AGAIN}"),
    "max_rows": ("Stopped by --max-rows", "Run the same command again for the next rows."),
    "max_failures": (
        "Stopped by --max-failures",
        f"Look at the failed rows first. {_AGAIN}",
    ),
    "unproven_listing": (
        "Nothing proves that the listing is whole",
        (
            "No count of the service confirms it, and two readings in two orders did not agree, so that what stands"
            " there already could be created again. Try later; --accept-unproven-listing goes on at your own risk."
        ),
    ),
    "odd_id": (
        "A connection with an odd id",
        (
            "What stands there as the connection's id is none that the service makes, so it is not reported."
            " Look at the connection in Experience Platform."
        ),
    ),
    "changed_since": (
        "The connection was changed since",
        (
            "The connection that an earlier run created lost its marker: somebody edited it. Put the marker back"
            " at the end of its description, or delete it and run with --recreate."
        ),
    ),
    "wrong_id": (
        "The service answered with another connection's id",
        "Which connection is the row's, if any, is not known yet. `batchconnect reconcile` looks for it.",
    ),
    # Undo
    "undo_open": (
        "An undo of its connection is not finished",
        (
            "Give `batchconnect undo RUN`, with the run that the message names: its last line is the command that ends"
            " it, with --yes 0 where nothing more is deleted. Then run the sheet again."
        ),
    ),
    "in_use": (
        "A dataflow uses it",
        (
            "Delete the dataflow first, in Experience Platform, if it is not wanted either; then give `batchconnect"
            " undo RUN` again."
        ),
    ),
    "changed_by_others": (
        "Changed since, or not provably as we left it",
        (
            "Somebody may rely on the change: look at the connection in Experience Platform, and delete it there if"
            " nobody does."
        ),
    ),
    "not_enabled": (
        "Not in a state in which it is deleted",
        "Look at the connection in Experience Platform: a person, or the service, gave it that state.",
    ),
    "already_gone": (
        "Gone already",
        (
            "Somebody else deleted it, or this credential may not see it any more. `batchconnect run --recreate` makes"
            " it again."
        ),
    ),
    "not_answered": (
        "Nobody said whether it may go",
        (
            "Without an answer nothing is deleted: give `batchconnect undo RUN` again later. A refusal of"
            " /sourceConnections is a permission that the credential lacks."
        ),
    ),
    "not_deleted": (
        "The service did not delete it",
        "Give `batchconnect undo RUN` again later, or delete it in Experience Platform.",
    ),
    "create_in_doubt": (
        "Whether it was created is not known",
        "Run `batchconnect reconcile` first, then give the same command again.",
    ),
    "update_in_doubt": (
        "Whether a key arrived is not known",
        (
            "Send the key once more, so that it is known how the connection stands; then `batchconnect undo RUN`"
            " again."
        ),
    ),
    "delete_unfinished": (
        "The connection is going",
        "The service has not finished the delete yet: give `batchconnect undo RUN` again later.",
    ),
    "shared_id": (
        "Two rows were answered with one id",
        "A connection is one row's: which of them has it is not known yet. `batchconnect reconcile` looks for both.",
    ),
    "store_down": (
        "A store of keys did not answer",
        f"See that it is reachable from this machine, proxy and --ca-bundle included. {_LATER}",
    ),
    "store_throttled": (
        "A store of keys asks to be left alone",
        f"Lower `rate` in its section of the settings, or its other load. {_LATER}",
    ),
    "store_signed_out": (
        "A store of keys does not take our sign-in",
        f"Check its section of the settings with `batchconnect orgs`. {_AGAIN}",
    ),
    "store_unusable": (
        "A store of keys cannot be used",
        f"Check its section of the settings with `batchconnect orgs`. {_AGAIN}",
    ),
    "listing_failed": (
        "The sandbox could not be listed",
        f"Without a whole listing nothing is sent, lest it exist already. {_LATER}",
    ),
    "rejected_rows": (
        "The sheet has rejected rows",
        "Correct the rejected rows, or run with --skip-invalid to send the others.",
    ),
    "sheet_unreadable": (
        "The sheet could not be read to its end",
        "Mend the file (`batchconnect validate` says where), then give the same command again.",
    ),
}

_BY_STATUS: dict[Status, str] = {
    Status.CREATED: "Nothing to do.",
    Status.EXISTING: "Nothing to do. Its key was not compared and not sent.",
    Status.FAILED: _CELLS,
    Status.REJECTED: f"Correct the named cell. {_AGAIN}",
    Status.CONFLICT: _PEOPLE,
    Status.IN_DOUBT: _DOUBT,
    Status.NOT_ATTEMPTED: _LATER,
    Status.UPDATED: "Nothing to do.",
    Status.UNCHANGED: "Nothing to do.",
    Status.DELETED: "Nothing to do.",
    Status.KEPT: _PEOPLE,
}


def title_for(code: str) -> str:
    """A few words for a headline, without the code, which stands beside it everywhere."""
    entry = _entry(code)
    if entry is not None:
        return entry[0]
    return "The service failed" if _is_server_fault(code) else "The service refused it"


def is_titled(code: str) -> bool:
    """Whether the table has a title for just this code."""
    return _entry(code) is not None


def hint_for(code: str, status: Status) -> str:
    """
    Say what to do next.

    Args:
        code: The outcome's code, as `FLOW-1308-400`, `403025`, `http-502`, `name_taken`; may be `""`.
        status: What the row became; it decides where the code is not in the table.
    """
    if status in DONE:
        return _BY_STATUS[status]
    entry = _entry(code)
    if status in _UNSENT and (unsent := _unsent_hint(code)):
        return unsent
    if status is Status.IN_DOUBT and entry is None and _is_server_fault(code):
        return _OVERLOAD
    return entry[1] if entry else _BY_STATUS[status]


_UNSENT = frozenset({Status.NOT_ATTEMPTED, Status.KEPT})


def _unsent_hint(code: str) -> str:
    """Of what a row that was sent is in doubt by, and one that never was is only kept from its turn."""
    if code in {"timeout", "connection_lost", "bad_answer"}:
        return f"Nothing was sent: the first look already got no answer. {_NETWORK}"
    if may_pass(code) and _is_server_fault(code):
        return (
            f"Nothing was sent. Look at status.adobe.com, or wait longer with --patience. {_LATER}"
        )
    return ""


def untested_hint_for(code: str) -> str:
    """As `hint_for`, of a connection of which it could not be asked whether it works."""
    entry = _entry(code)
    if entry and code in _OF_TEST:
        return entry[1]
    return "Nothing is known of its credentials. Run `batchconnect verify` again."


_OF_TEST = frozenset({NOT_FOUND, "no_result"})
"""Codes whose own remedy is that of a test: one more test finds no connection that is gone."""


def look_hint_for(code: str) -> str:
    """As `hint_for`, of a command that only looks: there is nothing unfinished of it that a rerun would take."""
    hint = hint_for(code, Status.NOT_ATTEMPTED)
    for of_run, of_look in _OF_LOOK.items():
        hint = hint.replace(of_run, of_look)
    return hint


_OF_LOOK: dict[str, str] = {
    _AGAIN: "Then give the same command again.",
    _LATER: "Give the same command again later.",
}


def doctor_hint_for(code: str) -> str:
    """As `look_hint_for`, of a diagnosis itself: it sends nobody to where he is."""
    hint = look_hint_for(code)
    for sentence in (DOCTOR, _WHO_MADE_IT, _HOW_FAR_OFF):
        hint = hint.replace(f": {sentence}", ".").replace(f" {sentence}", "")
    return hint.replace("Then give the same command again.", "").strip()


def undo_hint_for(code: str, status: Status, *, run_id: str) -> str:
    """
    As `hint_for`, of an undo: nothing is created by it, and the undo itself goes on.

    Args:
        code: The outcome's code.
        status: What became of the row.
        run_id: The run that is undone.
    """
    hint = hint_for(code, status)
    if hint == _CELLS:
        hint = f"The service refused the delete: its message says why. {_AGAIN}"
    for of_create, of_undo in _OF_UNDO.items():
        hint = hint.replace(of_create, of_undo)
    return hint.replace("undo RUN", f"undo {run_id}")


_OF_UNDO: dict[str, str] = {
    _AGAIN: "Give `batchconnect undo RUN` again when it is fixed: it shows what is left.",
    _LATER: "Give `batchconnect undo RUN` again later: it shows what is left.",
    _OPEN: "Give `batchconnect undo RUN` again: it looks.",
    "so the connection may exist": "so the connection may be gone",
}
"""What is said of a create, and what of a delete."""


def _entry(code: str) -> tuple[str, str] | None:
    flow = _FLOW.fullmatch(code)
    if flow is not None:
        return _TABLE.get(flow[1])
    if code.endswith("-finalizing"):
        return _TABLE["finalizing"]
    if code.startswith("ims-"):
        return _TABLE["invalid_client"]
    if code.startswith("body_"):
        return ("The answer could not be read whole", _DOUBT)
    if code.startswith("403") and len(code) == len("403000") and code not in _TABLE:
        return _TABLE["http-403"]
    return _TABLE.get(code) or source_remedy(code)


def _is_server_fault(code: str) -> bool:
    return re.search(r"-5\d\d$", code) is not None
