"""
Asks the service one thing about each of many connections, many at once and at each lane's pace.

A refusal that every connection of a lane, or of a sandbox, would meet is met once: the others of it get the
same answer unasked.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

import anyio

from batchconnect.flow_service import Unreadable
from batchconnect.flow_service.answer import StopScope
from batchconnect.lane.lane import Lane
from batchconnect.lane.pool import work_on_all
from batchconnect.model.event import Looked
from batchconnect.run.opening.service import ConnectedService


class Placed(Protocol):
    """What is asked about lies somewhere."""

    @property
    def org(self) -> str:
        """The org's settings key."""
        ...

    @property
    def sandbox(self) -> str:
        """Which of the org's."""
        ...


_Item = TypeVar("_Item", bound=Placed)
_Answer = TypeVar("_Answer")


async def read_each(
    items: Iterable[_Item],
    ask: Callable[[Lane, _Item], Awaitable[_Answer]],
    *,
    service: ConnectedService,
    at_once: int,
    on_answer: Callable[[_Item, _Answer | Unreadable], None],
) -> None:
    """
    Ask about every item.

    Args:
        items: What is asked about.
        ask: The question.
        service: Whose lanes carry it.
        at_once: Questions that wait for their answers, in each lane.
        on_answer: Told of each answer as it comes.
    """
    by_org: defaultdict[str, list[_Item]] = defaultdict(list)
    for item in items:
        by_org[item.org].append(item)
    refused: dict[tuple[str, str | None], Unreadable] = {}
    looked: Counter[str] = Counter()

    def told(item: _Item, answer: _Answer | Unreadable) -> None:
        on_answer(item, answer)
        looked[item.org] += 1
        service.on_event(Looked(org=item.org, looked=looked[item.org], of=len(by_org[item.org])))

    async def one(item: _Item) -> None:
        known = refused.get((item.org, None)) or refused.get((item.org, item.sandbox))
        if known is not None:
            told(item, known)
            return
        answer = await ask(service.lane_of(item.org), item)
        if isinstance(answer, Unreadable) and answer.refusal is not None:
            is_of_sandbox = answer.refusal.scope is StopScope.SANDBOX
            refused[item.org, item.sandbox if is_of_sandbox else None] = answer
        told(item, answer)

    async with anyio.create_task_group() as tasks:
        for of_org in by_org.values():
            tasks.start_soon(lambda items: work_on_all(items, one, at_once=at_once), of_org)
