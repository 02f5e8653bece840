"""`'%s: %d' % (a, b)` and `'{}: {}'.format(a, b)`, with bounded widths and without a look into objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .budget import Budget, TemplateFault
from .show import represent, to_text
from .text import concat, cut
from .values import Undefined, type_name

# Four digits bound a width; a fifth is taken as the kind and refused.
_PERCENT = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?(?P<flags>[#0\- +]{0,5})(?P<width>[0-9]{0,4})(?:\.(?P<precision>[0-9]{0,4}))?(?P<kind>.)",
    re.S,
)
_BRACE = re.compile(r"(?P<escaped>\{\{|\}\})|\{(?P<name>\w*)(?:!(?P<change>[rsa]))?(?::(?P<spec>[^{}]*))?\}")
_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?[0-9]{0,4}[,_]?(?:\.[0-9]{1,4})?[a-zA-Z%]?", re.S)
_STEPS_PER_FIELD = 4
_LONGEST_NUMBER = 400  # of a float, before its precision


def _sized(budget: Budget, text: str, match: re.Match[str]) -> str:
    if match["precision"] is not None:
        text = cut(text, slice(int(match["precision"] or 0)))
    missing = int(match["width"] or 0) - len(text)
    if missing <= 0:
        return text
    budget.make(len(text) + missing)
    return concat((text, " " * missing) if "-" in match["flags"] else (" " * missing, text))


def _converted(budget: Budget, value: Any, match: re.Match[str]) -> str:
    kind = match["kind"]
    if kind in "sra":
        text = to_text(budget, value) if kind == "s" else represent(budget, value)
        return _sized(budget, ascii_only(budget, text) if kind == "a" else text, match)
    if kind not in "diouxXeEfFgGc":
        raise TemplateFault(f"unsupported format {match[0]!r}")
    if isinstance(value, Undefined):
        value.fail()
    if not isinstance(value, (int, float)) and not (kind == "c" and isinstance(value, str)):
        raise TemplateFault(f"%{kind} needs a number, got {type_name(value)}")
    budget.make(_LONGEST_NUMBER + int(match["width"] or 0) + int(match["precision"] or 0))
    precision = "" if match["precision"] is None else "." + match["precision"]
    return ("%" + match["flags"] + match["width"] + precision + kind) % value


def ascii_only(budget: Budget, text: str) -> str:
    budget.make(10 * len(text))
    return text.encode("ascii", "backslashreplace").decode("ascii")


def percent(budget: Budget, text: str, values: Any) -> str:
    """text % values."""
    positional: Sequence[Any] = values if isinstance(values, tuple) else (values,)
    pieces: list[str] = []
    at = used = 0
    budget.scan(len(text))
    for match in _PERCENT.finditer(str(text)):
        budget.step(_STEPS_PER_FIELD)
        pieces.append(cut(text, slice(at, match.start())))
        at = match.end()
        if match["kind"] == "%":
            pieces.append(cut(text, slice(match.start(), match.start() + 1)))
        elif match["key"] is not None:
            if not isinstance(values, dict):
                raise TemplateFault("a format with names needs a mapping")
            pieces.append(
                _converted(budget, values.get(match["key"], Undefined(f"no {match['key'][:64]!r}")), match)
            )
        else:
            if used >= len(positional):
                raise TemplateFault("not enough arguments for format string")
            pieces.append(_converted(budget, positional[used], match))
            used += 1
    pieces.append(cut(text, slice(at, None)))
    if "%" in str(pieces[-1]):
        raise TemplateFault("incomplete format")
    if used < len(positional) and (
        isinstance(values, tuple) or not isinstance(values, (dict, list, Undefined))
    ):
        raise TemplateFault("not all arguments converted during string formatting")
    budget.make(sum(map(len, pieces)))
    return concat(pieces)


def brace(budget: Budget, text: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """text.format(*args, **kwargs). A field names a value and nothing inside it."""
    pieces: list[str] = []
    at = automatic = 0
    budget.scan(len(text))

    def put_plain(end: int) -> None:
        plain = cut(text, slice(at, end))
        if "{" in plain or "}" in plain:
            raise TemplateFault("a format with a field other than {}, {0}, {name}, {:8}")
        pieces.append(plain)

    for match in _BRACE.finditer(str(text)):
        budget.step(_STEPS_PER_FIELD)
        put_plain(match.start())
        at = match.end()
        if match["escaped"]:
            pieces.append(cut(text, slice(match.start(), match.start() + 1)))
            continue
        name = match["name"]
        if not name:
            name, automatic = str(automatic), automatic + 1
        pieces.append(_field(budget, _argument(name, args, kwargs), match))
    put_plain(len(text))
    budget.make(sum(map(len, pieces)))
    return concat(pieces)


def _argument(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    if name.isdecimal():
        if len(name) > 6 or int(name) >= len(args):
            raise TemplateFault(f"format has no argument {name[:32]}")
        return args[int(name)]
    if name not in kwargs:
        raise TemplateFault(f"format has no argument {name[:32]!r}")
    return kwargs[name]


def _field(budget: Budget, value: Any, match: re.Match[str]) -> str:
    if match["change"]:
        value = to_text(budget, value) if match["change"] == "s" else represent(budget, value)
        if match["change"] == "a":
            value = ascii_only(budget, value)
    spec = match["spec"] or ""
    if not spec:
        return to_text(budget, value)
    if not _SPEC.fullmatch(spec):
        raise TemplateFault(f"unsupported format {spec[:32]!r}")
    if not isinstance(value, (str, int, float)):
        raise TemplateFault(f"unsupported format {spec[:32]!r} for {type_name(value)}")
    if isinstance(value, str):
        budget.make(len(value))
        value = str(value)
    budget.make(_LONGEST_NUMBER + sum(map(int, re.findall("[0-9]+", spec))))
    return format(value, spec)
