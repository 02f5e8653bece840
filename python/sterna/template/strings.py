"""The methods of text that a template may call: as Python's, but paid for and with the origin kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .budget import Budget, TemplateFault
from .formats import brace
from .operators import elements
from .text import OTHER, Text, concat, cut, recase, span
from .values import type_name

_LINE = re.compile(r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ALMOST_LINEAR = 100  # a longer needle does not make Python's search slower; searched from the right it does


def _text(value: Any, what: str = "argument") -> str:
    if not isinstance(value, str):
        raise TemplateFault(f"a text is expected, got {type_name(value)} as {what}")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TemplateFault(f"a whole number is expected, got {type_name(value)}")
    return value


def _forward(budget: Budget, text: str, needle: Any) -> str:
    budget.scan(len(text), min(len(_text(needle)), _ALMOST_LINEAR))
    return str(needle)


def _backward(budget: Budget, text: str, needle: Any) -> str:
    budget.scan(len(text), len(_text(needle)))
    return str(needle)


# --- cutting ----------------------------------------------------------------------------------------------


def _strip(left: bool, right: bool) -> Callable[..., str]:
    def strip(budget: Budget, text: str, chars: Any = None, /) -> str:
        if chars is not None:
            chars = str(_text(chars))
        budget.scan(len(text), len(chars or " "))
        budget.make(len(text))
        plain = str(text)
        begin = len(plain) - len(plain.lstrip(chars)) if left else 0
        end = len(plain.rstrip(chars)) if right else len(plain)
        return cut(text, slice(begin, max(begin, end)))

    return strip


def _placed(text: str, pieces: Sequence[str], gap: int) -> list[str]:
    """The pieces of a split text with their origin; they stand in its order, `gap` apart at least."""
    if not isinstance(text, Text):
        return list(pieces)
    found, at, plain = [], 0, str(text)
    for piece in pieces:
        at = plain.index(piece, at)
        found.append(span(text, at, len(piece)))
        at += len(piece) + gap
    return found


def _split(name: str) -> Callable[..., list[str]]:
    def split(budget: Budget, text: str, /, sep: Any = None, maxsplit: Any = -1) -> list[str]:
        if sep is not None:
            sep = (_forward if name == "split" else _backward)(budget, text, sep)
        budget.make(len(text))
        # No more pieces than there are steps left: so many are never made.
        left = budget.steps_left()
        most = min(_whole(maxsplit) if maxsplit >= 0 else left, left)
        pieces = getattr(str(text), name)(sep, most)
        budget.step(len(pieces) + (most == left))
        return _placed(text, pieces, len(sep or ""))

    return split


def split_lines(budget: Budget, text: str, /, keepends: Any = False) -> list[str]:
    budget.make(len(text))
    lines, at = [], 0
    for end in _LINE.finditer(str(text)):
        budget.step()
        lines.append(cut(text, slice(at, end.end() if keepends else end.start())))
        at = end.end()
    return lines + ([cut(text, slice(at, None))] if at < len(text) else [])


def _partition(budget: Budget, text: str, sep: Any, /) -> tuple[str, ...]:
    at = text.find(_forward(budget, text, sep))
    budget.make(len(text))
    if not sep:
        raise TemplateFault("empty separator")
    return (text, "", "") if at < 0 else _around(text, at, len(sep))


def _rpartition(budget: Budget, text: str, sep: Any, /) -> tuple[str, ...]:
    at = text.rfind(_backward(budget, text, sep))
    budget.make(len(text))
    if not sep:
        raise TemplateFault("empty separator")
    return ("", "", text) if at < 0 else _around(text, at, len(sep))


def _around(text: str, at: int, size: int) -> tuple[str, ...]:
    return cut(text, slice(at)), span(text, at, size), cut(text, slice(at + size, None))


def _removeprefix(budget: Budget, text: str, prefix: Any, /) -> str:
    budget.make(len(text))
    return cut(text, slice(len(prefix), None)) if text.startswith(_text(prefix)) else text


def _removesuffix(budget: Budget, text: str, suffix: Any, /) -> str:
    budget.make(len(text))
    ends = suffix and text.endswith(_text(suffix))
    return cut(text, slice(len(text) - len(suffix))) if ends else text


# --- joining ----------------------------------------------------------------------------------------------


def join(budget: Budget, separator: str, items: Iterable[str]) -> str:
    """All items are texts."""
    pieces: list[str] = []
    for i, item in enumerate(items):
        if i:
            pieces.append(separator)
        pieces.append(_text(item, "element to join"))
    budget.step(len(pieces))
    budget.make(sum(map(len, pieces)))
    return concat(pieces)


def replace(budget: Budget, text: str, old: Any, new: Any, count: Any = -1, /) -> str:
    """What stands for a word of the conversation is the conversation's, too: else its words could choose those
    of the template, piece by piece.
    """
    found = _forward(budget, text, old)
    n = text.count(found)
    if _whole(count) >= 0:
        n = min(n, count)
    budget.make(len(text) + n * len(_text(new)))
    if not found or not isinstance(text, Text):
        return str(text).replace(found, str(new), count)
    budget.step(2 * n)
    pieces, at, plain = [], 0, str(text)
    for _ in range(n):
        begin = plain.index(found, at)
        end = begin + len(found)
        is_template = OTHER not in text.origin[begin:end]
        pieces += (cut(text, slice(at, begin)), new if is_template else str(new))
        at = end
    return concat([*pieces, cut(text, slice(at, None))])


def _pad(place: Callable[[int, int], int]) -> Callable[..., str]:
    """`place`: how much of what is missing goes to the left, from that and the width."""

    def pad(budget: Budget, text: str, width: Any, fill: Any = " ", /) -> str:
        missing = max(_whole(width) - len(text), 0)
        if len(_text(fill)) != 1:
            raise TemplateFault("a single character is expected to fill with")
        budget.make(len(text) + missing)
        left = place(missing, width)
        return concat((str(fill) * left, text, str(fill) * (missing - left)))

    return pad


def _zfill(budget: Budget, text: str, width: Any, /) -> str:
    budget.make(max(_whole(width), len(text)))
    return str(text).zfill(width) if width > len(text) else text


def _expandtabs(budget: Budget, text: str, /, tabsize: Any = 8) -> str:
    tabs = text.count("\t")
    budget.make(len(text) + tabs * max(_whole(tabsize), 0))
    return str(text).expandtabs(tabsize) if tabs else text


def _format(budget: Budget, text: str, /, *args: Any, **kwargs: Any) -> str:
    return brace(budget, text, args, kwargs)


def _format_map(budget: Budget, text: str, mapping: Any, /) -> str:
    if not isinstance(mapping, dict):
        raise TemplateFault("format_map() needs a mapping")
    return brace(budget, text, (), mapping)


def _cased(change: Callable[[str], str]) -> Callable[..., str]:
    def recased(budget: Budget, text: str, /) -> str:
        budget.make(len(text) if text.isascii() else 8 * len(text))
        return recase(text, change)

    return recased


# --- looking ----------------------------------------------------------------------------------------------


def _find(name: str) -> Callable[..., int]:
    prepare = _backward if name.startswith("r") else _forward

    def find(budget: Budget, text: str, needle: Any, start: Any = None, end: Any = None, /) -> int:
        return int(getattr(str(text), name)(prepare(budget, text, needle), start, end))

    return find


def _at_end(name: str) -> Callable[..., bool]:
    def at_end(budget: Budget, text: str, what: Any, start: Any = None, end: Any = None, /) -> bool:
        options = tuple(map(_text, what)) if isinstance(what, tuple) else (_text(what),)
        budget.step(len(options))
        budget.scan(sum(map(len, options)))
        return bool(getattr(str(text), name)(options, start, end))

    return at_end


def _question(name: str) -> Callable[..., bool]:
    def ask(budget: Budget, text: str, /) -> bool:
        budget.scan(len(text), 8)
        return bool(getattr(str(text), name)())

    return ask


capitalize = _cased(str.capitalize)
lower = _cased(str.lower)
upper = _cased(str.upper)
strip = _strip(True, True)
center = _pad(lambda missing, width: missing // 2 + (missing & width & 1))

METHODS: dict[str, Callable[..., Any]] = {
    "strip": strip,
    "lstrip": _strip(True, False),
    "rstrip": _strip(False, True),
    "split": _split("split"),
    "rsplit": _split("rsplit"),
    "splitlines": split_lines,
    "partition": _partition,
    "rpartition": _rpartition,
    "removeprefix": _removeprefix,
    "removesuffix": _removesuffix,
    "join": lambda budget, text, items, /: join(budget, text, elements(budget, items)),
    "replace": replace,
    "center": center,
    "ljust": _pad(lambda missing, width: 0),
    "rjust": _pad(lambda missing, width: missing),
    "zfill": _zfill,
    "expandtabs": _expandtabs,
    "format": _format,
    "format_map": _format_map,
    "title": _cased(str.title),
    "capitalize": capitalize,
    "lower": lower,
    "upper": upper,
    "swapcase": _cased(str.swapcase),
    "casefold": _cased(str.casefold),
    **{name: _find(name) for name in ("find", "rfind", "index", "rindex", "count")},
    **{name: _at_end(name) for name in ("startswith", "endswith")},
    **{
        name: _question(name)
        for name in (
            "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
            "isprintable", "isspace", "istitle", "isupper",
        )
    },
}  # fmt: skip
