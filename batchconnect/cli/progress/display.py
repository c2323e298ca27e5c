"""
What a person sees on stderr while a run goes on: a live bar on a terminal, plain lines elsewhere.

It must never cost the run anything. An event only moves counters; a thread of its own draws, so neither
a slow terminal nor one that was stopped with Ctrl-S holds the event loop. Whatever fails here switches the
display off, without a word.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event as Flag, Lock, Thread
from types import TracebackType
from typing import Final, Protocol, Self, TextIO, final

from batchconnect.cli.progress.messages import Message, Messages
from batchconnect.cli.progress.output import Stream
from batchconnect.cli.progress.state import ProgressState
from batchconnect.cli.progress.view import View
from batchconnect.cli.progress.words import state_line
from batchconnect.model.event import Event

_DRAW_EVERY_S: Final = 0.25
LINE_EVERY_S: Final = 10.0
"""Seconds between two plain lines of a run that moves."""
IDLE_LINE_EVERY_S: Final = 60.0
"""Seconds between two plain lines while no row is settled, and none tested."""
_MOST_LINES: Final = 10_000
"""Messages that may wait for the terminal; beyond, all but errors are left out, and counted."""
_LAST_DRAWING_S: Final = 2.0
"""How long the end waits for a terminal that takes nothing."""


def open_progress(
    stream: TextIO,
    *,
    quiet: bool,
    verbose: int,
    is_terminal: bool | None = None,
    environ: Mapping[str, str],
    clock: Callable[[], float],
) -> "Progress":
    """
    Make the progress of one run; it shows from `with` on.

    Args:
        stream: Where it is shown, as a rule stderr; it is left open.
        quiet: Show errors only.
        verbose: From 1 on, each row gets a line, and so does each cut of the pace.
        is_terminal: Whether to draw a live bar; None: on a terminal, unless `CI` is set. A dumb terminal
            cannot redraw, so it gets plain lines in any case.
        environ: `NO_COLOR`, `TERM`, `COLUMNS`, `CI`, ...
        clock: Monotonic seconds; any thread may call it.
    """
    output = Stream(stream)
    if is_terminal is None:
        is_terminal = output.isatty() and environ.get("CI", "").lower() in {"", "0", "false"}
    is_dumb = environ.get("TERM", "").lower() in {"dumb", "unknown"}
    renderer: Renderer
    if is_terminal and not is_dumb and not quiet:
        # In a pipe nobody waits for Rich to be imported.
        from batchconnect.cli.progress.live import LiveRenderer  # noqa: PLC0415 - see above

        renderer = LiveRenderer(output, environ)
    else:
        renderer = PlainRenderer(output, has_state=not quiet)
    return Progress(renderer, output, quiet=quiet, verbose=verbose, clock=clock)


class Renderer(Protocol):
    """Where progress is shown; only one thread at a time calls it."""

    def show(self, said: Sequence[Message], view: View, now: float) -> None:
        """Show new messages, and how things stand."""

    def close(self, view: View) -> None:
        """Leave the last state on the screen."""


@final
class PlainRenderer:
    """
    Lines, for a file, a pipe, a CI log.

    Args:
        output: Where they go.
        has_state: Whether the state is told every now and then, and at the end.
    """

    def __init__(self, output: Stream, *, has_state: bool) -> None:
        self._output = output
        self._has_state = has_state
        self._told_at: float | None = None
        self._begun_at: float | None = None
        self._told_done = 0

    def show(self, said: Sequence[Message], view: View, now: float) -> None:
        """Write the messages, and the state where it is due."""
        for one in said:
            self._line(one.text)
        if self._has_state and view.is_at_work and self._is_due(view, now):
            self._told_at, self._told_done = now, _moved(view)
            self._line(state_line(view))
        self._output.flush()

    def close(self, view: View) -> None:
        """The last line is always written."""
        if self._has_state and view.is_planned:
            self._line(state_line(view))
            self._output.flush()

    def _is_due(self, view: View, now: float) -> bool:
        if self._told_at is None:
            # What is done at once needs no word of what it does.
            self._begun_at = now if self._begun_at is None else self._begun_at
            return view.is_planned or now - self._begun_at >= LINE_EVERY_S
        if view.finished_s is not None:
            return False  # the last line tells it
        every_s = LINE_EVERY_S if _moved(view) != self._told_done else IDLE_LINE_EVERY_S
        return now - self._told_at >= every_s

    def _line(self, text: str) -> None:
        self._output.write(f"{self._output.shown(text)}\n")


def _moved(view: View) -> int:
    """Rows and tests that are done, pages and connections that were looked at: it grows while something moves."""
    tested = view.tests.tested if view.tests is not None else 0
    looked = view.looked[0] if view.looked is not None else 0
    return view.done + tested + looked + (view.reading.page if view.reading is not None else 0)


@final
class Progress:
    """
    The progress of one run, made by `open_progress`.

    Args:
        renderer: Where it is shown.
        output: What the renderer writes to.
        quiet: Errors only.
        verbose: `-v`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        renderer: Renderer,
        output: Stream,
        *,
        quiet: bool,
        verbose: int,
        clock: Callable[[], float],
    ) -> None:
        self._renderer = renderer
        self._output = output
        self._is_quiet = quiet
        self._clock = clock
        self._state = ProgressState()
        self._messages = Messages(verbose)
        self._said: deque[Message] = deque()
        self._left_out = 0
        self._is_off = False
        self._lock = Lock()
        self._closing = Flag()
        self._thread = Thread(target=self._draw, name="batchconnect-progress", daemon=True)

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # no thread to be had: what was said comes at the end
            self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_DRAWING_S)
        if self._thread.is_alive():
            self._is_off = True  # the terminal takes nothing; let it be
            return
        self.tick()
        try:
            self._renderer.close(self._state.view(self._clock()))
        except Exception:  # noqa: BLE001 - the run's end is not to be lost for its picture
            self._is_off = True
        # What is said from now on stands below the last picture.
        self._renderer = PlainRenderer(self._output, has_state=False)

    def event(self, event: Event) -> None:
        """Take an event in. This never raises, and never waits for the terminal."""
        if self._is_off:
            return
        try:
            with self._lock:
                # `--quiet` shows no state.
                if not self._is_quiet:
                    self._state.event(event, self._clock())
                said = self._messages.of(event)
                if said is not None:
                    self._say(said)
        except Exception:  # noqa: BLE001 - a row is not to be lost for its picture
            self._is_off = True

    def message(self, text: str, *, is_error: bool = False) -> None:
        """
        Say one line, above the bar where there is one; this never raises.

        Args:
            text: One line; line ends within it are shown as escapes.
            is_error: Whether it is said with `--quiet` too.
        """
        if self._is_off:
            return
        with self._lock:
            self._say(Message(text, is_error=is_error))
        if self._closing.is_set():
            self.tick()

    def tick(self) -> None:
        """Show what is new; the progress's own thread does so four times a second."""
        if self._is_off:
            return
        try:
            with self._lock:
                now = self._clock()
                view = self._state.view(now)
                said, self._said = self._said, deque()
                if self._left_out:
                    text = f"{self._left_out} lines left out, since the terminal is too slow"
                    said.append(Message(text))
                    self._left_out = 0
            self._renderer.show(said, view, now)
        except Exception:  # noqa: BLE001 - nor is the run
            self._is_off = True
        if not self._output.is_open:
            self._is_off = True

    def _say(self, said: Message) -> None:
        if self._is_quiet and not said.is_error:
            return
        if len(self._said) >= _MOST_LINES and not said.is_error:
            self._left_out += 1
        else:
            self._said.append(said)

    def _draw(self) -> None:
        while not self._closing.wait(_DRAW_EVERY_S):
            self.tick()
