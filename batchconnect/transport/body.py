"""
Takes in the body of an answer without trusting it: never more than a fixed size of it, after
decompression, so that neither 50 MB nor a gzip bomb nor an unknown encoding can hurt.
"""

import zlib

BODY_LIMIT = 1024 * 1024
"""Bytes after decompression; what is longer is cut off there."""


class Body:
    """The text of an answer, as it comes in: decompressed, and never longer than the limit."""

    def __init__(self, encoding: str) -> None:
        self.text = bytearray()
        self.fault: str | None = None
        self._raw = 0
        # NOTE: not aiohttp's own decompression: an encoding that it does not know costs the whole
        # answer there, `Location` included. 47 = the largest window, and gzip or zlib by its header.
        self._inflate = None if encoding.lower() in {"", "identity"} else zlib.decompressobj(47)
        if self._inflate is not None and encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
            self.fault = "encoding"

    def feed(self, chunk: bytes) -> None:
        """Take what came over the socket; at most one byte beyond the limit is ever unpacked."""
        self._raw += len(chunk)
        room = BODY_LIMIT - len(self.text)
        if self._inflate is None:
            self.text += chunk[: room + 1]
        else:
            try:
                self.text += self._inflate.decompress(chunk, room + 1)
            except zlib.error:
                self.fault = "encoding"
        if len(self.text) > BODY_LIMIT or self._raw > BODY_LIMIT:
            del self.text[BODY_LIMIT:]
            self.fault = "too_large"

    def ended(self) -> str | None:
        """What is wrong with a body that ended where its framing says."""
        if self._inflate is not None and self._raw and not self._inflate.eof:
            return "cut"
        return None
