"""
Events and errors of a run as JSON lines: in `run.log.jsonl`, and on stderr with `--log-json`.

Only the command line opens a log; nothing of structlog is configured globally, so a program that
calls us keeps its own. Redaction is the last step, over the final text. A log that cannot be written
is said once and then given up: it never stops a run, since the ledger, not the log, is the truth.
"""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging import DEBUG, INFO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, final

import orjson

from batchconnect.cli.log.output import LogFile, LogFiles, OnTrouble, open_file
from batchconnect.cli.log.value import fields_of, json_line, json_value, snake_case
from batchconnect.cli.log.without import without
from batchconnect.model.event import (
    CellsWarned,
    Draining,
    Event,
    FaultMet,
    LanePaused,
    LaneStopped,
    Looked,
    NotReached,
    PageRead,
    RowInDoubt,
    RowStarted,
    RunStarted,
    StorePaused,
    StoreStopped,
    Swept,
)
from batchconnect.model.redactor import Redactor
from batchconnect.model.row_place import NOWHERE, own_number

# Its tracebacks for a terminal, which no log of ours has, would be a twentieth of a short run.
with without("rich"):
    import structlog
    from structlog import make_filtering_bound_logger
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

_NOT_INERT = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What a terminal may act upon, beyond what JSON escapes anyway: C1 controls, text direction."""


@final
class Log:
    """
    The log of one run; made by `open_log`, closed by `with`.

    Args:
        file: Where the lines go, None where it could not be opened.
        stderr: A second place for them.
        redactor: Knows the live secrets.
        verbose: From 1 on, the events of level `debug` as well.
        on_trouble: Is told that an output failed.
    """

    def __init__(
        self,
        *,
        file: LogFile | None,
        stderr: LogFile | None,
        redactor: Redactor,
        verbose: int,
        on_trouble: OnTrouble,
    ) -> None:
        self._redactor = redactor
        self._places = NOWHERE
        self._outputs = LogFiles(file, stderr, on_trouble)
        self._has_details = verbose > 0
        level = DEBUG if self._has_details else INFO
        self._events = _logger(self._outputs, level, _begin, self._render)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._outputs.close()

    @property
    def is_written(self) -> bool:
        """Whether any output still works."""
        return self._outputs.are_open()

    def event(self, event: Event) -> None:
        """Write an event as one line: its name in snake case, then its fields."""
        if isinstance(event, RunStarted):
            self._places = event.places
        level = _level(event)
        # What nobody asked for is not even made.
        if (level == "debug" and not self._has_details) or not self.is_written:
            return
        log = getattr(self._events, level)
        log(snake_case(type(event).__name__), fields=self._placed(fields_of(event)))

    def _placed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Rows of several sheets are told by their own numbers and their sheets."""
        # A line has the keys themselves, and only where a number does not tell the row.
        fields.pop("at", None)
        if not self._places.are_several:
            fields.pop("places", None)
            if isinstance(row := fields.get("row"), int):
                fields["row"] = own_number(row)
            return fields
        if isinstance(row := fields.get("row"), int):
            fields |= self._places.keys(row)
        for name in ("rows", "left_out"):
            if isinstance(rows := fields.get(name), tuple):
                fields[name] = [self._places.keys(row) for row in rows]
        return fields

    def _render(self, _logger: object, _method: str, event_dict: EventDict) -> str:
        """The last step: one line of JSON without a secret."""
        line = _inert(json_line(event_dict))
        redacted = self._redactor.text(line)
        # A secret of digits alone, or with a quote at its end, may take a piece of the JSON with it:
        # then each value is redacted by itself, and a line that still breaks is dropped.
        if redacted is not line and not _is_json(redacted):
            line = _inert(json_line(self._redacted(json_value(event_dict))))
            redacted = self._redactor.text(line)
            if not _is_json(redacted):
                return '{"event":"line_withheld"}'
        return redacted

    def _redacted(self, value: Any) -> Any:
        match value:
            case dict():
                return {
                    self._redactor.text(key): self._redacted(each) for key, each in value.items()
                }
            case list() | tuple():
                return [self._redacted(each) for each in value]
            case None | bool():
                return value
            case _:
                text = str(value)
                redacted = self._redactor.text(text)
                return value if redacted == text else redacted


def open_log(
    path: Path | None,
    *,
    redactor: Redactor,
    json_stderr: bool = False,
    verbose: int = 0,
    on_trouble: OnTrouble = lambda _message: None,
) -> Log:
    """
    Open the log of a run.

    Args:
        path: The file, made with mode 0600 where it does not exist, else gone on with; None: no file.
        redactor: Knows the live secrets.
        json_stderr: Whether the lines also go to stderr.
        verbose: From 1 on, the events of level `debug` as well: each row as it starts.
        on_trouble: Is told, once for each output, that it cannot be written and is given up.

    Returns:
        The log. A file that cannot be opened is told to *on_trouble* and is no error.
    """
    file = None
    if path is not None:
        try:
            file = LogFile(open_file(path), str(path), is_ours=True)
        except OSError as error:
            on_trouble(f"there is no log: {path} cannot be written: {error.strerror or error}")
    stream: BinaryIO | None = getattr(sys.stderr, "buffer", None) if json_stderr else None
    stderr = None if stream is None else LogFile(stream, "stderr", is_ours=False)
    return Log(file=file, stderr=stderr, redactor=redactor, verbose=verbose, on_trouble=on_trouble)


def _logger(outputs: LogFiles, level: int, *steps: Processor) -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.wrap_logger(
        outputs,
        processors=steps,
        wrapper_class=make_filtering_bound_logger(level),
        context_class=dict,
    ).bind()
    return logger


_LEVELS: Final[Mapping[type, str]] = {
    # Most of all lines, and the ledger has the rows: its intent is what `status` reads.
    **dict.fromkeys((RowStarted, PageRead, Looked), "debug"),
    **dict.fromkeys(
        (RowInDoubt, LanePaused, NotReached, StorePaused, Draining, CellsWarned), "warning"
    ),
    **dict.fromkeys((LaneStopped, StoreStopped, FaultMet), "error"),
}
"""Of those that are not `info`."""


def _level(event: Event) -> str:
    if isinstance(event, Swept) and not event.is_clean:
        return "error"
    return _LEVELS.get(type(event), "info")


def _begin(_logger: object, method: str, event_dict: EventDict) -> EventDict:
    """Time, level and name come first, so that a person finds the beginning."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    name, fields = event_dict.pop("event"), event_dict.pop("fields")
    return {"timestamp": f"{now[:-6]}Z", "level": method, "event": name, **fields, **event_dict}


def _inert(line: str) -> str:
    if line.isascii() and "\x7f" not in line:
        return line
    return _NOT_INERT.sub(lambda match: f"\\u{ord(match.group()):04x}", line)


def _is_json(line: str) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
