"""Text that knows where each of its characters comes from: the template, or anywhere else.

A str of Python is of no known origin and counts as the conversation's. So an operation that forgets the
origin is safe: what it gives may lose the meaning that the template gave it, but can never win one.

Which of its own words a template writes may depend on the conversation, as with a role: an element or a
character of a literal at a computed index stays the template's. One that spells out a message that way would
have to contain every character of it on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_LONGEST_BY_CHARACTER = 1 << 16  # text whose letters are changed one by one to see what becomes of each
TEMPLATE, OTHER = b"\1", b"\0"


class Text(str):
    """A str with one byte per character: TEMPLATE where it is the template's, else OTHER."""

    __slots__ = ("origin",)
    origin: bytes

    def __new__(cls, text: str, origin: bytes) -> Text:
        self = super().__new__(cls, text)
        self.origin = origin
        return self


def literal(text: str) -> Text:
    return Text(text, TEMPLATE * len(text))


def origin(text: str) -> bytes:
    return text.origin if isinstance(text, Text) else bytes(len(text))


def concat(pieces: Iterable[str]) -> str:
    pieces = list(pieces)
    joined = "".join(pieces)
    if any(isinstance(piece, Text) for piece in pieces):
        return Text(joined, b"".join(map(origin, pieces)))
    return joined


def cut(text: str, at: slice) -> str:
    return Text(text[at], text.origin[at]) if isinstance(text, Text) else text[at]


def span(text: str, begin: int, size: int) -> str:
    return cut(text, slice(begin, begin + size))


def repeat(text: str, times: int) -> str:
    times = max(times, 0) if text else 0
    return Text(str(text) * times, text.origin * times) if isinstance(text, Text) else text * times


def recase(text: str, change: Callable[[str], str]) -> str:
    """`change` for letters: the origin goes with each character, also with one that becomes several."""
    changed = change(str(text))
    if not isinstance(text, Text):
        return changed
    if len(changed) == len(text):
        return Text(changed, text.origin)
    if len(text) > _LONGEST_BY_CHARACTER:
        return changed
    parts = [change(c) for c in str(text)]
    if "".join(parts) != changed:
        return changed
    return Text(changed, b"".join(text.origin[i : i + 1] * len(part) for i, part in enumerate(parts)))


def runs(text: str) -> list[tuple[int, int, bool]]:
    """Begin, end and whether it is the template's, of each longest piece of one origin."""
    return [(m.start(), m.end(), m[0][:1] == TEMPLATE) for m in re.finditer(rb"\x00+|\x01+", origin(text))]
