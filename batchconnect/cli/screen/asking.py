"""Asks a person, one question after the other; a secret is not shown while it is typed."""

import getpass
import sys
from collections.abc import Callable
from typing import Protocol

from batchconnect.cli.screen.console import terminal_width, wrapped
from batchconnect.model.errors import SettingsError, UsageError
from batchconnect.model.escape import escape_control


class Asker(Protocol):
    """Whoever answers."""

    def ask(self, question: str) -> str:
        """One answer, without white space around it."""
        ...

    def ask_secret(self, question: str) -> str:
        """One answer that nobody sees."""
        ...

    def say(self, text: str) -> None:
        """Something between the questions."""
        ...


class Terminal:
    """The terminal that the command was given in. Questions go to stderr: stdout is the result's."""

    def ask(self, question: str) -> str:
        """
        One answer.

        Raises:
            UsageError: There is no more input.
        """
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise _ended()
        return line.strip()

    def ask_secret(self, question: str) -> str:
        """As `ask`, unseen."""
        try:
            return getpass.getpass(f"{question} (not shown): ", stream=sys.stderr).strip()
        except EOFError:
            raise _ended() from None

    def say(self, text: str) -> None:
        """Lines on stderr."""
        for line in text.splitlines():
            for part in wrapped(escape_control(line), terminal_width(sys.stderr)):
                sys.stderr.write(f"{part}\n")


def _ended() -> UsageError:
    return UsageError("the answers ended; nothing was written", hint="Give the command again.")


def asked(
    asker: Asker, question: str, check: Callable[[str], None], *, default: str | None = None
) -> str:
    """
    Ask until the answer can be meant.

    Args:
        asker: Who answers.
        question: What is asked.
        check: Raises a `SettingsError` for what cannot be meant.
        default: What no answer stands for; None: one is needed.
    """
    while True:
        answer = asker.ask(question)
        if not answer and default is not None:
            return default
        try:
            check(answer)
        except SettingsError as error:
            asker.say(" ".join(filter(None, (f"  {error.message}.", error.hint))))
        else:
            return answer
