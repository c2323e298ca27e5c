"""What a plan says of keys that stand in stores: had, refused, unanswered; and sent only where they have changed."""

from collections import Counter
from dataclasses import replace

import pytest

from batchconnect.lane.decision import Decided, SendKey
from batchconnect.model.outcome import NotAttempted, Problem, Rejected
from batchconnect.model.reference import KeyOrigin, Reference
from batchconnect.model.secret import Secret
from batchconnect.run.keys.key_plan import KeyLook, look_at_keys
from batchconnect.run.plan.plan_run import _take_out_unchanged
from batchconnect.run.plan.row_plan import Action, row_plan
from batchconnect.run.plan.sheet_plan import SandboxPlan
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import CANARY, cells, judged

pytestmark = pytest.mark.anyio

ORIGIN = KeyOrigin(reference="kv:acme", version="7")


class Keys:
    """By the row's number, what comes of its key."""

    async def ready(self, connection: BaseConnection) -> BaseConnection | Rejected | NotAttempted:
        match connection.row:
            case 2:
                had = replace(connection, service_principal_key=Secret(CANARY))
                return replace(had, key_origin=ORIGIN)
            case 3:
                what = "the store `kv` does not hold the secret"
                return Rejected(problems=(Problem(code="secret_not_found", what=what, remedy="x"),))
            case 4:
                return NotAttempted(code="store_down", detail="It answered 503.", store="kv")
            case _:
                return connection


async def test_every_key_is_looked_up_and_none_is_kept() -> None:
    """A key that stands in its cell has no origin, and nothing to tell."""
    connection = replace(judged(cells(1)), service_principal_key=Reference("kv:acme"))
    found = await look_at_keys(
        [replace(connection, row=number) for number in (5, 4, 3, 2)],
        Keys(),  # type: ignore[arg-type]
    )

    assert found.origins == {2: ORIGIN}
    assert [row for row, _why in found.refused] == [3]
    assert (found.stores, found.unanswered) == ({"kv": "It answered 503."}, {4: "kv"})
    assert found.missing == 2
    assert CANARY not in repr(found)


def test_with_changed_a_key_of_the_same_version_is_no_work() -> None:
    """That is known once it was looked up: the plan's numbers are those of the run."""
    connection = judged(cells(1))

    def decided(row: int, before: KeyOrigin) -> Decided:
        decision = SendKey(
            connection_id="c", is_adopted=False, only_changed=True, key_before=before
        )
        return Decided(connection=replace(connection, row=row), offset=row, decision=decision)

    rows = {2: decided(2, ORIGIN), 3: decided(3, replace(ORIGIN, version="6"))}
    one = SandboxPlan(
        org="acme",
        sandbox="dev",
        rows=2,
        counts=Counter({Action.SEND_KEY: 2}),
        planned=[row_plan(row) for row in rows.values()],
        keys=KeyLook(origins=dict.fromkeys(rows, ORIGIN)),
    )

    _take_out_unchanged(one, rows)

    assert [(row.row, row.action) for row in one.planned] == [
        (2, Action.UNCHANGED),
        (3, Action.SEND_KEY),
    ]
    assert one.counts == {Action.SEND_KEY: 1, Action.UNCHANGED: 1}
