"""What a template can hold beside None, bool, int, float, str, list, tuple and dict.

None of these has attributes that a template reaches through Python: what it may see is looked up by name in
attributes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from .budget import TemplateFault

MAX_INT_BITS = 256


class Undefined:
    """A name, key or index that is not there. Printed it is "", looped over it is empty; else an error."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def fail(self) -> NoReturn:
        raise TemplateFault(self._what)

    def __bool__(self) -> bool:
        return False


class Function:
    """Something that a template may call."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call


class Namespace:
    """namespace(): the only thing that a template may change."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


class Group(tuple[Any, list[Any]]):
    """A pair that groupby gives; also .grouper and .list."""

    __slots__ = ()


class Cycler:
    """cycler(): its values in turn."""

    __slots__ = ("at", "items")

    def __init__(self, *items: Any) -> None:
        if not items:
            raise TemplateFault("cycler() needs at least one value")
        self.items = items
        self.at = 0

    def next(self) -> Any:
        item = self.items[self.at]
        self.at = (self.at + 1) % len(self.items)
        return item

    def reset(self) -> None:
        self.at = 0


_NOTHING = object()


class Loop:
    """`loop` of a for statement. Items may come from a filter that is asked one item ahead, not more."""

    def __init__(self, items: Iterator[Any], depth0: int, recurse: Callable[[Any], str] | None) -> None:
        self._items = items
        self._next: Any = _NOTHING
        self._current: Any = _NOTHING
        self._before: Any = _NOTHING
        self._changed_from: Any = _NOTHING
        self._total: int | None = None
        self.index0 = -1
        self.depth0 = depth0
        self.recurse = recurse

    def __iter__(self) -> Iterator[Any]:
        while True:
            item = self._peek()
            if item is _NOTHING:
                return
            self._before, self._current, self._next = self._current, item, _NOTHING
            self.index0 += 1
            yield item

    def _peek(self) -> Any:
        if self._next is _NOTHING:
            self._next = next(self._items, _NOTHING)
        return self._next

    def length(self) -> int:
        if self._total is None:
            rest = list(self._items)
            self._items = iter(rest)
            self._total = self.index0 + 1 + (self._next is not _NOTHING) + len(rest)
        return self._total

    def _cycle(self, *items: Any) -> Any:
        if not items:
            raise TemplateFault("loop.cycle() needs at least one value")
        return items[self.index0 % len(items)]

    def attribute(self, name: str, equal: Callable[[Any, Any], bool]) -> Any:
        """None of Python's: the value of `loop.NAME`."""
        if name == "previtem":
            return Undefined("there is no previous item") if self._before is _NOTHING else self._before
        if name == "nextitem":
            after = self._peek()
            return Undefined("there is no next item") if after is _NOTHING else after
        if name in ("length", "revindex", "revindex0"):
            length = self.length()
            return {
                "length": length,
                "revindex": length - self.index0,
                "revindex0": length - self.index0 - 1,
            }[name]
        if name == "cycle":
            return Function("cycle", self._cycle)
        if name == "changed":
            return Function("changed", lambda *values: self._has_changed(values, equal))
        simple = {
            "index0": self.index0,
            "index": self.index0 + 1,
            "first": self.index0 == 0,
            "depth0": self.depth0,
            "depth": self.depth0 + 1,
        }
        if name == "last":
            return self._peek() is _NOTHING
        return simple.get(name, Undefined(f"'loop' has no attribute '{name[:64]}'"))

    def _has_changed(self, values: tuple[Any, ...], equal: Callable[[Any, Any], bool]) -> bool:
        if self._changed_from is not _NOTHING and equal(self._changed_from, values):
            return False
        self._changed_from = values
        return True


def type_name(value: Any) -> str:
    """For messages."""
    names = {
        Undefined: "undefined",
        Function: "function",
        Namespace: "namespace",
        Loop: "loop",
        type(None): "none",
    }
    return names.get(type(value), "str" if isinstance(value, str) else type(value).__name__)


def bounded(number: Any) -> Any:
    """A number that was just computed; integers have at most MAX_INT_BITS."""
    if isinstance(number, int) and number.bit_length() > MAX_INT_BITS:
        raise TemplateFault(f"an integer of more than {MAX_INT_BITS} bits")
    if isinstance(number, complex):
        raise TemplateFault("a complex number")
    return number
