"""
The stream that progress is written to, which never fails.

Its reader may be gone, its encoding may be ASCII, its pipe may be full: a run must not lose a row for
what nobody sees.
"""

from typing import TextIO, final

from batchconnect.model.escape import escape_control


@final
class Stream:
    """
    A text stream that stops quietly where it cannot be written.

    It has what `rich.console.Console` asks of a file.

    Args:
        stream: As a rule stderr; it is not closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"
        self.is_open = True
        """False: it failed, and nothing is written any more."""

    def write(self, text: str) -> int:
        """Write all of the text or, once the stream is gone, nothing."""
        if self.is_open:
            try:
                self._stream.write(self._encodable(text))
            except BlockingIOError:
                pass  # a pipe without blocking is full now: this text is lost, the next one may pass
            except (OSError, ValueError):
                self.is_open = False
        return len(text)

    def flush(self) -> None:
        """Bring out what was written."""
        if self.is_open:
            try:
                self._stream.flush()
            except BlockingIOError:
                pass
            except (OSError, ValueError):
                self.is_open = False

    def isatty(self) -> bool:
        """Whether somebody may be looking."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def shown(self, text: str) -> str:
        """The text without anything that steers a terminal, in characters that it can show."""
        return self._encodable(escape_control(text))

    def _encodable(self, text: str) -> str:
        if text.isascii():
            return text
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)
