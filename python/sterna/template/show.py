"""Values as text: what {{ }} prints, how lists show their elements, and JSON."""

from __future__ import annotations

import json
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from .budget import Budget, TemplateFault
from .values import Cycler, Function, Loop, Namespace, Undefined, type_name

_ESCAPED = 10  # characters that repr and JSON make of one, at most (\U0001f600)


def to_text(budget: Budget, value: Any) -> str:
    """As str() has it; text itself with its origin, anything else as of no origin."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return ""
    return represent(budget, value)


def represent(budget: Budget, value: Any) -> str:
    """As repr() has it."""
    pieces: list[str] = []
    _represent(budget, value, pieces)
    return "".join(pieces)


def _represent(budget: Budget, value: Any, out: list[str]) -> None:
    budget.step()
    if isinstance(value, str):
        budget.make(_ESCAPED * len(value))
        out.append(repr(str(value)))
    elif value is None or isinstance(value, (bool, int, float)):
        budget.make(32)
        out.append(repr(value))
    elif isinstance(value, (list, tuple)):
        begin, end = "[]" if isinstance(value, list) else "()"
        out.append(begin)
        for i, item in enumerate(value):
            if i:
                out.append(", ")
            with budget:
                _represent(budget, item, out)
        out.append(",)" if isinstance(value, tuple) and len(value) == 1 else end)
    elif isinstance(value, dict):
        out.append("{")
        for i, (key, item) in enumerate(value.items()):
            if i:
                out.append(", ")
            _represent(budget, key, out)
            out.append(": ")
            with budget:
                _represent(budget, item, out)
        out.append("}")
    elif isinstance(value, (Undefined, Function, Namespace, Loop, Cycler)):
        out.append("Undefined" if isinstance(value, Undefined) else f"<{type_name(value).lower()}>")
    else:
        raise TemplateFault(f"a value of type {type_name(value)} cannot be shown")


def to_json(
    budget: Budget,
    value: Any,
    /,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face has it: json.dumps, where Jinja's own filter escapes for HTML."""
    return _Json(budget, bool(ensure_ascii), indent, separators, bool(sort_keys)).text(value)


class _Json:
    def __init__(
        self, budget: Budget, ensure_ascii: bool, indent: Any, separators: Any, sort_keys: bool
    ) -> None:
        if isinstance(indent, int):
            budget.make(max(indent, 0))
            indent = " " * indent
        if indent is not None and not isinstance(indent, str):
            raise TemplateFault("tojson: indent must be a number or text")
        if separators is None:
            separators = (", ", ": ") if indent is None else (",", ": ")
        if len(separators) != 2 or not all(isinstance(s, str) for s in separators):
            raise TemplateFault("tojson: separators must be two texts")
        self._budget = budget
        self._quote = encode_basestring_ascii if ensure_ascii else encode_basestring
        self._indent: str | None = indent
        self._comma, self._colon = separators
        self._sort_keys = sort_keys
        self._out: list[str] = []

    def text(self, value: Any) -> str:
        self._value(value, 0)
        return "".join(self._out)

    def _put(self, text: str) -> None:
        self._budget.make(len(text))
        self._out.append(text)

    def _string(self, text: str) -> None:
        self._budget.make(_ESCAPED * len(text))
        self._out.append(self._quote(text))

    def _line(self, depth: int) -> None:
        if self._indent is not None:
            self._budget.make(len(self._indent) * depth)
            self._put("\n" + self._indent * depth)

    def _value(self, value: Any, depth: int) -> None:
        self._budget.step(2)
        if isinstance(value, str):
            self._string(value)
        elif type(value) is int:
            self._put(repr(value))
        elif value is None or isinstance(value, (bool, float)):
            self._put(json.dumps(value))
        elif isinstance(value, (list, tuple)):
            self._items("[]", value, depth)
        elif isinstance(value, dict):
            items = sorted(value.items()) if self._sort_keys else value.items()
            self._items("{}", items, depth)
        else:
            raise TemplateFault(f"tojson: {type_name(value)} is not JSON")

    def _items(self, brackets: str, items: Any, depth: int) -> None:
        self._put(brackets[0])
        for i, item in enumerate(items):
            if i:
                self._put(self._comma)
            self._line(depth + 1)
            if brackets == "{}":
                key, item = item
                self._string(key if isinstance(key, str) else json.dumps(key))
                self._put(self._colon)
            with self._budget:
                self._value(item, depth + 1)
        if items:
            self._line(depth)
        self._put(brackets[1])
