"""
One store as all lanes share it: what waits is asked once, at a bounded pace, and a store in trouble is left alone.

Whoever wants a secret that is being asked for already waits for the same answer. A secret is kept only as long
as somebody holds it, and given out for a minute at most: a sheet where one key stands in a thousand rows asks for
it once a minute, as long as one of them is on its way.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final
from weakref import WeakValueDictionary

import anyio
from anyio.abc import TaskGroup

from batchconnect.model.event import Event, StorePaused, StoreStopped
from batchconnect.model.fault import fault_of
from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import AT_ONCE, StoreProfile
from batchconnect.model.value import Value
from batchconnect.stores.interface import Answer, Refusal, Store, Trouble, TroubleKind
from batchconnect.stores.limiter import Limiter
from batchconnect.stores.quiet import unheard
from batchconnect.stores.words import told, word_of

_FRESH_S: Final = 60.0
"""Seconds after which a secret that somebody still holds is asked for again."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


class _Flight:
    """One place that is being asked for, and whoever waits for it."""

    __slots__ = ("answer", "done", "error", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.done = anyio.Event()
        self.answer: Answer | Trouble | None = None
        self.error: Exception | None = None


class _About(Value):
    """What was said of a secret beside its text, and when."""

    at_s: float
    version: str | None
    expires_at_ms: int | None


class StoreLine:
    """
    The way to one store.

    Args:
        profile: Of the settings.
        store: Its client.
        tasks: In which it is asked, whoever stops waiting.
        patience_s: How long it may be in trouble before nothing more is asked of it.
        rng: Draws the jitter.
        on_event: Told of pauses, and of the end.
    """

    def __init__(
        self,
        profile: StoreProfile,
        store: Store,
        *,
        tasks: TaskGroup,
        patience_s: float,
        rng: Random,
        on_event: Callable[[Event], None],
    ) -> None:
        self.profile = profile
        self._store = store
        self._tasks = tasks
        self._patience_s = patience_s
        self._rng = rng
        self._on_event = on_event
        self._limiter = Limiter(profile.rate)
        self._flights: dict[Place, _Flight] = {}
        self._waiting: deque[_Flight] = deque()
        self._kept: WeakValueDictionary[Place, Secret] = WeakValueDictionary()
        """The very object that a row holds: it is gone with the last of them."""
        self._about: dict[Place, _About] = {}
        self._at_work = 0
        self._has_answered = False
        self._troubled_since: float | None = None
        self._pauses = 0
        self._until_s = 0.0
        self._stopped: Trouble | None = None
        self._over = anyio.Event()
        """The end of the trouble that it is in."""

    @property
    def trouble(self) -> anyio.Event | None:
        """Set when the trouble that the store is in is over, or it is given up; None: it is in none."""
        is_in_trouble = self._troubled_since is not None and self._stopped is None
        return self._over if is_in_trouble else None

    async def look_up(self, place: Place) -> Answer | Trouble:
        """
        What the store holds there.

        Args:
            place: Name, version and field.

        Returns:
            A trouble where the store gives nothing, and nothing more is asked of it.
        """
        kept = self._fresh(place)
        if kept is not None:
            return kept
        if self._stopped is not None:
            return self._stopped
        flight = self._flights.get(place)
        if flight is None:
            flight = self._flights[place] = _Flight(place)
            self._waiting.append(flight)
            self._pump()
        await flight.done.wait()
        if flight.error is not None:
            raise flight.error
        assert flight.answer is not None
        return flight.answer

    async def check(self) -> Trouble | None:
        """Sign in, and ask for nothing; a fault of its client's is a trouble too, so that others are still told of."""
        try:
            with unheard():
                return await self._store.check()
        except Exception as error:  # noqa: BLE001 - one store's fault hides what others and the orgs say
            return Trouble(
                kind=TroubleKind.UNUSABLE,
                detail=f"It was not asked, by a fault of batchconnect ({fault_of(error).label}).",
            )

    def _fresh(self, place: Place) -> StoredSecret | None:
        kept = self._kept.get(place)
        if kept is None:
            self._about.pop(place, None)
            return None
        about = self._about[place]
        if anyio.current_time() - about.at_s >= _FRESH_S:
            return None
        return StoredSecret(value=kept, version=about.version, expires_at_ms=about.expires_at_ms)

    def _pump(self) -> None:
        most = AT_ONCE if self._troubled_since is None else 1
        while self._at_work < min(most, len(self._waiting)):
            self._at_work += 1
            self._tasks.start_soon(self._work)

    async def _work(self) -> None:
        try:
            # A store in trouble is tried by one request at a time.
            while self._waiting and (self._troubled_since is None or self._at_work == 1):
                await anyio.sleep_until(self._until_s)
                await self._limiter.wait()
                flights = self._taken()
                if flights:
                    await self._ask(flights)
        finally:
            self._at_work -= 1
        self._pump()

    def _taken(self) -> list[_Flight]:
        count = min(self._store.batch, len(self._waiting))
        return [self._waiting.popleft() for _ in range(count)]

    async def _ask(self, flights: list[_Flight]) -> None:
        try:
            with unheard():
                found = await self._store.fetch([flight.place for flight in flights])
        except Exception as error:  # noqa: BLE001 - a fault of ours costs these rows their turn, no others
            for flight in flights:
                flight.error = error
                self._land(flight)
            # It is no trouble of the store's: whoever was put aside would wait for an end that nobody tells.
            self._recover()
            return
        if isinstance(found, Trouble):
            if self._stopped is not None:  # meanwhile
                self._answer_all(flights, self._stopped)
                return
            self._waiting.extendleft(reversed(flights))
            self._meet(found)
            return
        self._has_answered = True
        self._recover()
        for flight in flights:
            # What a client leaves out it does not know.
            answer = flight.answer = found.get(flight.place, Refusal.NOT_FOUND)
            self._keep(flight.place, answer)
            self._land(flight)

    def _recover(self) -> None:
        self._troubled_since, self._pauses = None, 0
        self._over.set()

    def _keep(self, place: Place, answer: Answer) -> None:
        if isinstance(answer, StoredSecret):
            self._kept[place] = answer.value
            self._about[place] = _About(
                at_s=anyio.current_time(),
                version=answer.version,
                expires_at_ms=answer.expires_at_ms,
            )
            if len(self._about) > 2 * len(self._kept) + AT_ONCE:
                self._about = {one: of for one, of in self._about.items() if one in self._kept}

    def _land(self, flight: _Flight) -> None:
        del self._flights[flight.place]
        flight.done.set()

    def _meet(self, trouble: Trouble) -> None:
        now = anyio.current_time()
        if self._troubled_since is None:
            self._over = anyio.Event()
        since = self._troubled_since = now if self._troubled_since is None else self._troubled_since
        pause_s = trouble.retry_after_s
        if pause_s is None:
            pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(self._pauses, 20), _LONGEST_PAUSE_S)
            pause_s *= 0.5 + self._rng.random() / 2
        # A sign-in that was never taken is wrong, and will be; one that was may be renewed meanwhile.
        is_wrong = trouble.kind is TroubleKind.SIGNED_OUT and not self._has_answered
        is_late = now + pause_s - since > self._patience_s
        if is_wrong or is_late or trouble.kind is TroubleKind.UNUSABLE:
            self._stop(trouble)
            return
        self._pauses += 1
        self._until_s = max(self._until_s, now + pause_s)
        self._on_event(
            StorePaused(store=self.profile.name, pause_s=pause_s, reason=word_of(trouble))
        )

    def _stop(self, trouble: Trouble) -> None:
        if self._stopped is None:
            self._on_event(
                StoreStopped(
                    store=self.profile.name,
                    code=word_of(trouble),
                    detail=told(trouble, self.profile),
                )
            )
        self._stopped = trouble
        self._over.set()
        self._answer_all(list(self._waiting), trouble)
        self._waiting.clear()

    def _answer_all(self, flights: list[_Flight], trouble: Trouble) -> None:
        for flight in flights:
            flight.answer = trouble
            self._land(flight)
