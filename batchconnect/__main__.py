"""
`python -m batchconnect`, and the console script.

The one place that turns errors into text and exit codes.
"""

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress

from batchconnect.model.errors import BatchConnectError, ExitCode
from batchconnect.model.fault import fault_of

_MISUNDERSTOOD = "the command line cannot be understood: stderr says why"
_COLLECT_AFTER = 500_000
"""New objects until Python looks for cycles: more than a start makes. Rows leave none behind, and looking after each 700,
as Python does by itself, takes 6 % of a run that waits for nothing."""

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
"""Pydantic looks through all that is installed for plugins, which then see the settings: we have none, and want none."""

_LAST_WORDS_S = 0.2
"""How long a thread has that is just ending."""


def script() -> None:
    """The console script, and `python -m batchconnect`: as `main`, in a process of its own that ends with it."""
    try:
        main()
    except SystemExit as ended:
        _leave(ended.code)
        raise


def _leave(code: object) -> None:
    """
    End the process at once, and not take its modules apart first: that is a third of a short command.

    What was registered for the end is done. Where a thread is still at work, or a stream takes nothing, this
    returns, and Python ends as it does by itself.
    """
    if not isinstance(code, int):
        return
    for one in threading.enumerate():
        if one is not threading.main_thread() and not one.daemon:
            # One that waited for work has been told that there is none, and may not have heard it yet.
            with suppress(KeyboardInterrupt):
                one.join(_LAST_WORDS_S)
            if one.is_alive():
                return
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other name for it
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def main() -> None:
    """Run the command line; never ends in a traceback."""
    gc.set_threshold(_COLLECT_AFTER)
    os.environ.setdefault(_NO_PLUGINS, "1")
    _open_missing_streams()
    sys.exit(_main(sys.argv[1:]))


def _open_missing_streams() -> None:
    """A scheduler may start us without streams: no other file may get their numbers, the ledger least."""
    # In the order of their numbers, for each takes the lowest that is free.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - a stream is open as long as the process lives


def _main(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except BatchConnectError as error:
        return _told(arguments, error.message, error.hint, error.exit_code)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last door: a person gets a sentence
        # The text of a foreign error may repeat what it was given, so only its kind is told.
        message = f"unexpected error: {fault_of(error).label}"
        hint = "Please report it with this line. The ledger is safe: give the same command again."
        return _told(arguments, message, hint, ExitCode.UNEXPECTED)


def _run(arguments: list[str]) -> int:
    from batchconnect.cli.app import command  # noqa: PLC0415 - so that its import errors are told, too

    # Typer ends the process itself for --help, usage errors (2) and `typer.Exit`.
    try:
        command(arguments[0] if arguments else None)(arguments, prog_name="batchconnect")
    except SystemExit as exited:
        code = exited.code if isinstance(exited.code, int) else int(exited.code is not None)
        # A command that returns 2 has told its result, and Typer ends it by an `Exit`; otherwise it did not
        # understand the options, and has said so on stderr.
        is_told = type(exited.__context__).__name__ == "Exit"
        if code == ExitCode.USAGE and "--json" in arguments and not is_told:
            _print_error(_MISUNDERSTOOD, "batchconnect COMMAND --help", ExitCode.USAGE)
        return code
    return ExitCode.OK


def _told(arguments: list[str], message: str, hint: str | None, code: ExitCode) -> int:
    from batchconnect.cli.options import OutputOptions  # noqa: PLC0415 - only errors pay for it
    from batchconnect.cli.screen.console import Console  # noqa: PLC0415 - only errors pay for it
    from batchconnect.model.escape import escape_control  # noqa: PLC0415 - only errors pay for it

    lines = [escape_control(line) for line in message.splitlines()]
    text = "\n".join([f"error: {lines[0] if lines else ''}", *(f"  {line}" for line in lines[1:])])
    Console(OutputOptions()).say(f"{text}\nhint:  {escape_control(hint)}" if hint else text)
    if "--json" in arguments:
        _print_error(message, hint, code)
    return int(code)


def _print_error(message: str, hint: str | None, code: ExitCode) -> None:
    from batchconnect.cli.options import OutputOptions  # noqa: PLC0415 - only errors pay for it
    from batchconnect.cli.screen.console import Console  # noqa: PLC0415 - only errors pay for it

    document = {"error": message, "hint": hint, "exit_code": int(code)}
    # A device that takes no result takes no error either: stderr has said it.
    with suppress(BatchConnectError):
        Console(OutputOptions(json=True)).result(document, [])


if __name__ == "__main__":
    script()
