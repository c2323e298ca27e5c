"""
What of a foreign text may be shown: only words that are known to be harmless.

A service, a proxy, a database may repeat what was sent to it, and the spellings of a secret are endless. So
nothing is looked for here but what may go out: words of published messages, documented codes, short
numbers, GUIDs, and the row's own values as a whole. All else becomes `…`. A word that the secret itself is
made of is no such word, however common it is: a key may be a sentence.

The text is judged before anything keeps it: neither ledger nor log nor an error ever holds it as it came.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final, final

from batchconnect.model.echo import ECHO, Spellings
from batchconnect.model.secret import MASK, SHORTEST_REDACTED, Secret
from batchconnect.model.shown_words import SHOWN_WORDS
from batchconnect.model.source_reason import source_code

LONGEST_SHOWN: Final = 200
"""Characters (contract, section 4, parse order)."""
HIDDEN: Final = "…"

_LONGEST_READ: Final = 2000
"""Characters that are taken apart; only codes are looked for behind them."""
_LONGEST_NUMBER: Final = 7
_MOST_NUMBERS: Final = 3
"""Numbers in a row: more of them spell something."""
_MOST_NUMBERS_IN_ALL: Final = 6
_MOST_DIGITS: Final = 12
"""Of all numbers of a text, whatever stands between them: line and column need no more, and a key does."""
_NUMBERS_IN_WORDS: Final = frozenset(
    [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
)
"""They count as numbers, with a digit for each letter: a key of digits may be read aloud."""
_MOST_CODES: Final = 3
_SHORT_WORD: Final = 3
"""Letters; such a word does not end a row of numbers."""
_SHORTEST_VALUE: Final = 2
_LONGEST_CODE: Final = 100
_LONGEST_OPAQUE: Final = 36
"""As long as a GUID; what is to hold a whole secret is at least as long as that is."""

_HEX: Final = "[0-9A-Fa-f]"
_GUID_PATTERN: Final = (
    f"{_HEX}{{8}}-{_HEX}{{4}}-[1-8]{_HEX}{{3}}-[89ABab]{_HEX}{{3}}-{_HEX}{{12}}"
    f"|0000000{_HEX}-0000-0000-[Cc]000-000000000000"
)
"""As RFC 9562 has them, or of Microsoft's own applications: letters in hexadecimal are neither."""
_GUID: Final = re.compile(_GUID_PATTERN)
_CODE_PATTERN: Final = r"FLOW-[12]\d{3}-[45]\d{2}|AADSTS[1-9]\d{3,6}"
_HEADERS: Final = "x-(?:gw-ims-org-id|sandbox-name|api-key|request-id)"
"""Of the contract, section 1; their single letters would hide them."""
_CODE: Final = re.compile(rf"(?<![A-Za-z0-9])(?:{_CODE_PATTERN})(?![A-Za-z0-9])", re.ASCII)
_WHOLE: Final = re.compile(
    rf"(?<![A-Za-z0-9-])(?:{_GUID_PATTERN}|{_CODE_PATTERN}|{_HEADERS})(?![A-Za-z0-9-])", re.ASCII
)
_NUMERIC_CODE: Final = re.compile(r"\d{4}(?:-\d{3})?|\d{6}", re.ASCII)
_NAMED_CODES: Final = frozenset(
    (
        *("invalid_client", "invalid_scope", "invalid_request", "invalid_grant", "invalid_token"),
        *("unauthorized_client", "unsupported_grant_type", "access_denied", "server_error"),
        *("temporarily_unavailable", "insufficient_scope"),
    )
)
"""Of OAuth (RFC 6749 and 6750): they stay, whatever words a secret is made of."""
_OPAQUE: Final = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
_USUAL_ETAG: Final = re.compile(
    f'"(?:{_GUID_PATTERN}|{_HEX}{{8}}-0000-{_HEX}{{4}}-0000-{_HEX}{{8}}0000)"'
)
"""A GUID, or what the service's database makes of a time, which is formed like one."""
_ETAG: Final = re.compile(r'(?:W/)?"?[A-Za-z0-9+/=_.:-]*"?', re.ASCII)
_TAG: Final = re.compile(r"<[^<>]*>")
_PIECE: Final = re.compile(r"[A-Za-z0-9.,;:!?()\[\]{}'\"/=_-]+", re.ASCII)
_PARTS: Final = re.compile(r"[A-Za-z0-9]+(?:'[a-z]{1,2}(?![A-Za-z0-9]))?|[^A-Za-z0-9]+", re.ASCII)
_LONGEST_PUNCTUATION: Final = 3
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.ASCII)
_MOST_HUMPS: Final = 6
_LETTERS: Final = re.compile("[a-z]+")

_FIRST_HOLDER: Final = 0xE000
"""Private characters stand for what was found to be shown as a whole; none survives in a foreign text."""
_MOST_HELD: Final = 1000
_HOLDERS: Final = f"[{chr(_FIRST_HOLDER)}-{chr(_FIRST_HOLDER + _MOST_HELD)}]"
_HOLDER: Final = re.compile(f"({_HOLDERS})")


def is_harmless_etag(text: str) -> bool:
    """Whether an etag is of a form that holds no part of any secret, known or not."""
    return _USUAL_ETAG.fullmatch(text) is not None or len(text.strip('W/"')) < ECHO


class _Kind(Enum):
    WORD = auto()
    NUMBER = auto()
    WHOLE = auto()
    """A code, a GUID, a value of the row."""
    PUNCTUATION = auto()
    HIDDEN = auto()


_SAYS: Final = frozenset({_Kind.WORD, _Kind.NUMBER, _Kind.WHOLE})
"""What means something by itself."""


@dataclass(slots=True)
class _Part:
    """A piece of a token."""

    kind: _Kind
    text: str


_Token = list[_Part]


class _Known:
    """A secret, and what no text may show for its sake."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.lowered = value.lower()
        self._spellings = Spellings(value)

    # Words are asked for by refusals alone.
    @cached_property
    def words(self) -> frozenset[str]:
        """Its own words, of whatever length."""
        if len(self.value) > 2 * _long_from(0):
            return frozenset()
        camel = (part.lower() for part in _CAMEL.findall(self.value))
        return frozenset((*_LETTERS.findall(self.lowered), *camel))

    def holds_word(self, word: str) -> bool:
        """Whether a word in lower case may be a piece of the secret."""
        return word in self.words or (
            len(word) >= _shortest_piece(len(self.value)) and word in self.lowered
        )

    def holds_digits(self, digits: str) -> bool:
        """Whether a number may be a piece of it."""
        return digits in self.value and (len(digits) > 1 or self.value.isdigit())

    def is_echoed(self, text: str) -> bool:
        """Whether an id holds a part of the secret, or of what it is in another spelling."""
        return self.lowered in text.lower() or self._spellings.are_in(text)


@final
class KnownSecrets:
    """What is known of secrets that outlive a row, made once: a token has thousands of spellings."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Secret, _Known]] = {}

    def keep(self, secrets: Iterable[Secret]) -> None:
        """Have these, and no others: a token that was replaced is forgotten."""
        kept = {id(secret): secret for secret in secrets}
        if kept.keys() != self._known.keys():
            self._known = {
                key: self._known.get(key) or (secret, _Known(secret.reveal()))
                for key, secret in kept.items()
            }

    def of(self, secret: Secret) -> _Known:
        """What is known of one, kept or not."""
        kept = self._known.get(id(secret))
        return kept[1] if kept is not None else _Known(secret.reveal())


@final
class ForeignText:
    """
    What may be shown of texts that were written by others.

    Args:
        secrets: What they may repeat. Where one is below `SHORTEST_REDACTED` characters, no text is
            shown at all: it could be any word.
        values: Whole values that are known to the reader anyway, as the row's name and database; those
            that hold a secret are not shown.
        mute: The texts are secret as a whole, as those of listings: codes and GUIDs are all that is shown.
        known: What is known already of those that outlive this text.
    """

    def __init__(
        self,
        secrets: Iterable[Secret] = (),
        values: Iterable[str] = (),
        *,
        mute: bool = False,
        known: KnownSecrets | None = None,
    ) -> None:
        self._given_secrets = tuple(secrets)
        self._given_values = values
        self._is_silent = mute
        self._kept = known

    # Made when they are first asked for: most answers are no errors, and have nothing to be taken apart.

    @cached_property
    def _secrets(self) -> tuple[Secret, ...]:
        return tuple(secret for secret in self._given_secrets if secret)

    @cached_property
    def _is_mute(self) -> bool:
        return self._is_silent or any(len(one) < SHORTEST_REDACTED for one in self._secrets)

    @cached_property
    def _known(self) -> list[_Known]:
        kept = self._kept or KnownSecrets()
        return [kept.of(secret) for secret in self._secrets]

    @cached_property
    def _values(self) -> list[str]:
        """The longest first, so that none is found within another."""
        named = {unicodedata.normalize("NFC", value) for value in _with_hosts(self._given_values)}
        shown = (
            value
            for value in named
            if len(value) >= _SHORTEST_VALUE
            and not any(known.lowered in value.lower() for known in self._known)
        )
        return sorted(shown, key=lambda value: (-len(value), value))

    def shown(self, text: str) -> str:
        """
        One line of a text: what of it may be shown, at most `LONGEST_SHOWN` characters.

        A documented code that stands behind that is kept at the end: it is looked for in the whole text.
        """
        if self._is_mute or not text:
            return ""
        masked = self._masked(text)
        line = _joined(self._tokens(_visible(_TAG.sub(" ", masked[: 4 * _LONGEST_READ]))))
        codes = dict.fromkeys(_CODE.findall(masked))
        return _cut(line, codes if len(codes) <= _MOST_CODES else ())

    def own(self, text: str) -> str:
        """A line of ours that names something foreign, as a host: its words are known, so it is kept."""
        return _cut(_visible(self._masked(text)), ())

    def code(self, text: str) -> str:
        """A code where it is of a documented form, or made of known words; "" otherwise."""
        text = text.strip()
        if text in _NAMED_CODES or _CODE.fullmatch(text) or _NUMERIC_CODE.fullmatch(text):
            return text
        if self._is_mute or len(text) > _LONGEST_CODE or self._masked(text) != text:
            return ""
        parts = re.split("[_.-]", text)
        return text if all(len(part) > 1 and self._is_word(part) for part in parts) else ""

    def reason(self, text: str) -> str:
        """The source's reason that a text names anywhere, as `source_code` tells it; "" for none."""
        return source_code(self._masked(text)) or ""

    def opaque(self, text: str) -> str:
        """An id or a host that means nothing by itself; "" where it may hold a part of a secret."""
        if _GUID.fullmatch(text):
            return text
        is_id = not self._is_mute and self._is_short(text) and _OPAQUE.fullmatch(text)
        return text if is_id and not self._is_echo(text) else ""

    def etag(self, text: str) -> str | None:
        """An etag byte for byte; None where it may hold a part of a secret."""
        if _USUAL_ETAG.fullmatch(text):
            return text
        is_etag = self._is_short(text.strip('W/"')) and _ETAG.fullmatch(text) is not None
        return text if is_etag and not self._is_echo(text) else None

    def _is_short(self, text: str) -> bool:
        """Whether it is too short to hold a whole secret in any spelling, one that nobody knows too."""
        return len(text) <= _LONGEST_OPAQUE and all(len(text) < len(one) for one in self._secrets)

    def _is_echo(self, text: str) -> bool:
        for known in self._known:  # noqa: SIM110 - each row's etag passes here, and `any` takes half as long again
            if known.is_echoed(text):
                return True
        return False

    def _masked(self, text: str) -> str:
        """The text without the exact values, in any letter case and in the spellings that are known."""
        text = unicodedata.normalize("NFC", text)
        for secret in self._secrets:
            for spelling in secret.spelled():
                composed = unicodedata.normalize("NFC", spelling)
                if composed.lower() in text.lower():
                    text = re.sub(re.escape(composed), MASK, text, flags=re.IGNORECASE)
        return text

    def _tokens(self, text: str) -> list[_Token]:
        held, text = self._held(text[:_LONGEST_READ])
        tokens = [self._token(token, held) for token in text.split()]
        _hide_rows_of_numbers(tokens)
        return [_hidden() if _has_hidden_number(token) else token for token in tokens]

    def _held(self, text: str) -> tuple[list[str], str]:
        """Put a private character in the place of all that is shown as a whole."""
        held: list[str] = []

        def hold(whole: str) -> str:
            if len(held) >= _MOST_HELD:
                return HIDDEN
            held.append(whole)
            return chr(_FIRST_HOLDER + len(held) - 1)

        for value in self._values:
            text = _with_value_held(text, value, hold)

        has_many = len({*_CODE.findall(text)}) > _MOST_CODES

        def of_pattern(found: re.Match[str]) -> str:
            if has_many and _CODE.fullmatch(found[0]):
                return HIDDEN
            is_echo = _CODE.fullmatch(found[0]) is None and self._is_echo(found[0])
            return HIDDEN if is_echo else hold(found[0])

        return held, _WHOLE.sub(of_pattern, text)

    def _token(self, token: str, held: list[str]) -> _Token:
        """One run without white space. What is not known hides all of it but the wholes in it."""
        parts: _Token = []
        for piece in filter(None, _HOLDER.split(token)):
            if _HOLDER.fullmatch(piece):
                parts.append(_Part(_Kind.WHOLE, held[ord(piece) - _FIRST_HOLDER]))
            else:
                parts += self._piece(piece)
        return parts

    def _piece(self, piece: str) -> _Token:
        if _PIECE.fullmatch(piece) is None:
            return _hidden()
        parts = [self._part(text) for text in _PARTS.findall(piece)]
        return _hidden() if any(part.kind is _Kind.HIDDEN for part in parts) else parts

    def _part(self, text: str) -> _Part:
        if not text[0].isalnum():
            is_short = len(text) <= _LONGEST_PUNCTUATION
            return _Part(_Kind.PUNCTUATION if is_short else _Kind.HIDDEN, text)
        if text.isdigit():
            is_shown = len(text) <= _LONGEST_NUMBER and not any(
                known.holds_digits(text) for known in self._known
            )
            return _Part(_Kind.NUMBER if is_shown else _Kind.HIDDEN, text)
        if not self._is_word(text):
            return _Part(_Kind.HIDDEN, text)
        return _Part(_Kind.NUMBER if text.lower() in _NUMBERS_IN_WORDS else _Kind.WORD, text)

    def _is_word(self, text: str) -> bool:
        word = text.lower()
        if word not in SHOWN_WORDS:
            word = word.removesuffix("'s")
            humps = _CAMEL.findall(text)
            is_camel = (
                1 < len(humps) <= _MOST_HUMPS
                and "".join(humps) == text
                and all(len(hump) > 1 and hump.lower() in SHOWN_WORDS for hump in humps)
            )
            if word not in SHOWN_WORDS and not is_camel:
                return False
            if is_camel and any(self._is_of_secret(hump.lower()) for hump in humps):
                return False
        return not self._is_of_secret(word)

    def _is_of_secret(self, word: str) -> bool:
        return any(known.holds_word(word) for known in self._known)


def _hidden() -> _Token:
    return [_Part(_Kind.HIDDEN, HIDDEN)]


def _hide_rows_of_numbers(tokens: list[_Token]) -> None:
    """More than three numbers in a row, or many in a text, spell something: none of them is shown."""
    row: list[_Part] = []
    for part in (part for token in tokens for part in token):
        if part.kind is _Kind.NUMBER:
            row.append(part)
        elif part.kind is _Kind.WHOLE or (part.kind is _Kind.WORD and len(part.text) > _SHORT_WORD):
            _hide_row(row)
            row = []
    _hide_row(row)
    numbers = [part for token in tokens for part in token if part.kind is _Kind.NUMBER]
    if len(numbers) > _MOST_NUMBERS_IN_ALL or sum(len(one.text) for one in numbers) > _MOST_DIGITS:
        for part in numbers:
            part.kind = _Kind.HIDDEN


def _hide_row(row: list[_Part]) -> None:
    if len(row) > _MOST_NUMBERS:
        for part in row:
            part.kind = _Kind.HIDDEN


def _has_hidden_number(token: _Token) -> bool:
    return any(part.kind is _Kind.HIDDEN and part.text != HIDDEN for part in token)


def _joined(tokens: list[_Token]) -> str:
    """
    One line; runs of what is hidden collapse.

    A single letter is shown beside a word only, and punctuation by itself between two things that are shown: a
    key may be spelled in dots and dashes.
    """
    is_anchor = [
        any(
            part.kind is _Kind.WHOLE or (part.kind is _Kind.WORD and len(part.text) > 1)
            for part in token
        )
        for token in tokens
    ]
    says = [any(part.kind in _SAYS for part in token) for token in tokens]
    texts: list[str] = []
    for at, token in enumerate(tokens):
        is_between = all(says[max(at - 1, 0) : at]) and all(says[at + 1 : at + 2])
        is_bare = all(part.kind is _Kind.PUNCTUATION for part in token)
        is_near = any(is_anchor[max(at - 1, 0) : at + 2])
        is_letter = any(part.kind is _Kind.WORD and len(part.text) == 1 for part in token)
        is_lone = (is_letter and not is_near) or (is_bare and not is_between)
        text = HIDDEN if is_lone else "".join(part.text for part in token)
        is_run = text == HIDDEN and texts and texts[-1] == HIDDEN
        if not is_run:
            texts.append(text)
    return " ".join(texts)


def _cut(line: str, codes: Iterable[str]) -> str:
    if len(line) <= LONGEST_SHOWN:
        missing = [code for code in codes if code not in line]
        if not missing:
            return line
    missing = [code for code in codes if code not in line[: LONGEST_SHOWN // 2]][:3]
    tail = f" ({', '.join(missing)})" if missing else ""
    room = LONGEST_SHOWN - len(tail)
    # Behind a word: a part of one could be another.
    head = line if len(line) <= room else line[: room - 1].rpartition(" ")[0] + HIDDEN
    return head + tail


def _visible(text: str) -> str:
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    return " ".join("".join(kept).split())


def _with_hosts(values: Iterable[str]) -> Iterator[str]:
    """The values; of an endpoint its host and the cluster's name, without and with its region, as well."""
    for value in values:
        yield value
        scheme, separator, host = value.partition("://")
        if separator and scheme == "https":
            yield host
            yield host.partition(".")[0]
            yield host.partition(".kusto.")[0]


def _with_value_held(text: str, value: str, hold: Callable[[str], str]) -> str:
    lowered, wanted = text.lower(), value.lower()
    if len(lowered) != len(text):  # a letter that grows when it is lowered: its places do not fit
        lowered, wanted = text, value
    pieces: list[str] = []
    done = 0
    at = lowered.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        is_whole = not (
            (at > 0 and _continues(text[at - 1]) and _continues(text[at]))
            or (end < len(text) and _continues(text[end]) and _continues(text[end - 1]))
        )
        if is_whole:
            pieces += text[done:at], hold(text[at:end])
            done = end
        at = lowered.find(wanted, end)
    return "".join((*pieces, text[done:]))


def _continues(character: str) -> bool:
    return character.isalnum() or character in "_~%&#\\"


def _long_from(step: int) -> int:
    return 64 << 2 * step


def _shortest_piece(length: int) -> int:
    """
    How long a word has to be so that it lies within a random text of a length by no chance.

    A key of 40 characters may be a sentence; a token of 1,500 holds every word of four letters.
    """
    return 4 + sum(length > _long_from(step) for step in range(3))
