"""Progress on a terminal: the bar, drawn by Rich, with the messages above it."""

from collections.abc import Mapping, Sequence
from typing import final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from batchconnect.cli.progress.bar import bar
from batchconnect.cli.progress.messages import Message
from batchconnect.cli.progress.output import Stream
from batchconnect.cli.progress.view import View


@final
class LiveRenderer:
    """
    A bar that is drawn anew in its place, below the messages; a `Renderer`.

    Args:
        output: A terminal.
        environ: As of `open_progress`.
    """

    def __init__(self, output: Stream, environ: Mapping[str, str]) -> None:
        console = self._console = Console(
            file=output,  # type: ignore[arg-type]  # it has what Rich asks of a file
            force_terminal=True,
            force_jupyter=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ=environ,
        )
        self._output = output
        self._live = Live(
            console=console,
            auto_refresh=False,
            # What others print, --json above all, goes its own way.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, said: Sequence[Message], view: View, now: float) -> None:  # noqa: ARG002 - the other renderer needs the time
        """Draw; the bar begins with the first event, so that what comes before is not overdrawn."""
        with self._console:  # one write for all of it
            if view.has_begun:
                self._live.start()
            if said:
                lines = [
                    Text(self._output.shown(one.text), style="red" if one.is_error else "")
                    for one in said
                ]
                self._console.print(Group(*lines))
            if view.has_begun:
                self._live.update(self._bar(view, is_last=False), refresh=True)

    def close(self, view: View) -> None:
        """Leave bar and counts, without the lanes."""
        # A run that ended before its plan stood leaves nothing.
        self._live.transient = not view.is_planned
        try:
            self._live.update(self._bar(view, is_last=True))
        finally:
            self._live.stop()  # the cursor comes back in any case

    def _bar(self, view: View, *, is_last: bool) -> Group:
        width, height = self._console.size
        return bar(
            view, width=width, height=height, shown=self._output.shown, has_lanes=not is_last
        )
