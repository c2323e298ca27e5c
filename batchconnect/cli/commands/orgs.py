"""Signs in to each org of the settings and says what is refused, and why."""

import os
import sys
import textwrap
from functools import partial

import anyio

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.screen.refusals import refusal_lines
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import as_part, options_of, settings_of, warn_ignored_flags
from batchconnect.model.escape import escape_control
from batchconnect.model.remedies import look_hint_for
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.org_check import OrgCheck, check_orgs, exit_code_of
from batchconnect.run.diagnosis.store_check import CheckedStore


def run(output: OutputOptions, given: Given) -> int:
    """Check every org, or those that were chosen; reads only."""
    console = Console(output)
    settings = settings_of(as_part(given), os.environ)
    options = options_of(settings, given)
    warn_ignored_flags(given, console)
    console.warn(settings.warnings)
    stores: list[CheckedStore] = []
    with ending_at_once(), looking(console) as hear:
        found = anyio.run(
            partial(
                check_orgs,
                settings,
                options,
                sandbox=given.options.sandbox,
                on_event=hear,
                hold=console.redactor.hold,
                on_store=stores.append,
                patience_s=given.options.patience,
            ),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    causes = [
        *refusal_lines(
            (check.code for check in found), what="org", whats="orgs", width=console.width
        )
    ]
    refused = [check for check in found if check.refusal is not None]
    console.result(
        {
            "orgs": [org_document(check) for check in found],
            "stores": [
                {"store": one.name, "ok": one.refusal is None, "refusal": one.refusal}
                for one in stores
            ],
        },
        [
            *(line for check in found for line in org_lines(check)),
            *(line for store in stores for line in _store_lines(store)),
            *causes,
        ]
        or [_none(options)],
        errors=[
            *(line for check in refused for line in org_lines(check)),
            *(line for one in stores if one.refusal is not None for line in _store_lines(one)),
            *causes,
        ],
    )
    is_odd = bool(settings.warnings) or any(check.is_odd for check in found)
    return exit_code_of(found, stores, is_odd=options.strict and is_odd)


def _none(options: MergedOptions) -> str:
    if options.only:
        return f"no org of the settings is chosen by {', '.join(options.only)}"
    return "no org is set; in the simulator any `org` cell is an org"


def org_document(check: OrgCheck) -> dict[str, object]:
    """What one org answered, for programs."""
    return {
        "org": check.org.key,
        "org_id": check.org.org_id,
        "sandbox": check.sandbox,
        "ok": check.refusal is None,
        "refusal": check.refusal,
        "code": check.code or None,
        "remedy": look_hint_for(check.code) if check.code else None,
        "note": check.note,
    }


def org_lines(check: OrgCheck) -> list[str]:
    """The same for a person."""
    verdict = "refused" if check.refusal is not None else "ok"
    org = check.org
    # The environment as settings has no key of its own: there the org id is the key.
    key = f"{org.key:<16} " if org.key != org.org_id else ""
    name = escape_control(f"{key}{org.org_id:<36} {check.sandbox or '-':<12}")
    return [f"{name} {verdict}", *_wrapped(check.refusal or check.note)]


def _store_lines(store: CheckedStore) -> list[str]:
    verdict = "ok" if store.refusal is None else "refused"
    opened = "open to sheets" if store.is_open else "for the settings alone"
    how = f"{store.kind}: by {store.auth}" if store.auth else f"{store.kind}:"
    line = escape_control(f"store {store.name:<38} {how:<21} {verdict}")
    return [line, *_wrapped(store.refusal or opened)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(escape_control(text), 80, initial_indent="    ", subsequent_indent="    ")
