"""Operators on values. Each asks the budget for what it will do, then does it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .budget import Budget, TemplateFault
from .formats import percent
from .show import to_text
from .text import concat, repeat, span
from .values import Loop, Undefined, bounded, type_name

MAX_KEY = 1 << 31  # a whole number as a key: its hash is itself, so larger ones could be made to collide


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _unsupported(symbol: str, left: Any, right: Any) -> NoReturn:
    for value in (left, right):
        if isinstance(value, Undefined):
            value.fail()
    raise TemplateFault(f"unsupported operand types for {symbol}: {type_name(left)} and {type_name(right)}")


# --- comparison -------------------------------------------------------------------------------------------


def _are_sequences(left: Any, right: Any) -> bool:
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in (list, tuple))


def equal(budget: Budget, left: Any, right: Any) -> bool:
    budget.step()
    if isinstance(left, str) and isinstance(right, str):
        if len(left) != len(right):
            return False
        budget.scan(len(left))
        return str.__eq__(left, right)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if _are_sequences(left, right):
        with budget:
            return len(left) == len(right) and all(map(functools.partial(equal, budget), left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        with budget:
            return len(left) == len(right) and all(
                key in right and equal(budget, item, right[key]) for key, item in left.items()
            )
    if isinstance(left, Undefined) and isinstance(right, Undefined):
        return True
    return left is right


def less(budget: Budget, left: Any, right: Any, symbol: str = "<") -> bool:
    budget.step()
    if isinstance(left, str) and isinstance(right, str):
        budget.scan(min(len(left), len(right)))
        return str.__lt__(left, right)
    if is_number(left) and is_number(right):
        return bool(left < right)
    if _are_sequences(left, right):
        with budget:
            for a, b in zip(left, right, strict=False):
                if not equal(budget, a, b):
                    return less(budget, a, b, symbol)
        return len(left) < len(right)
    _unsupported(symbol, left, right)


def _at_most(budget: Budget, left: Any, right: Any, symbol: str) -> bool:
    return less(budget, left, right, symbol) or equal(budget, left, right)


def contains(budget: Budget, container: Any, item: Any) -> bool:
    budget.step()
    if isinstance(container, str):
        if not isinstance(item, str):
            _unsupported("in", item, container)
        budget.scan(len(container), min(len(item), 100))
        return str(item) in str(container)
    if isinstance(container, dict):
        return not isinstance(item, Undefined) and key(budget, item) in container
    if isinstance(container, (list, tuple)):
        return any(equal(budget, item, other) for other in container)
    if isinstance(container, Undefined):
        return False
    _unsupported("in", item, container)


def key(budget: Budget, value: Any) -> Any:
    """A value as the key of a mapping."""
    if isinstance(value, str):
        budget.scan(len(value))
    elif isinstance(value, Undefined):
        value.fail()
    elif not (value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < MAX_KEY)):
        raise TemplateFault(f"a key of type {type_name(value)}, expected text or a small integer")
    return value


COMPARISONS: dict[str, Callable[[Budget, Any, Any], bool]] = {
    "eq": equal,
    "ne": lambda budget, a, b: not equal(budget, a, b),
    "lt": less,
    "gt": lambda budget, a, b: less(budget, b, a, ">"),
    "lteq": lambda budget, a, b: _at_most(budget, a, b, "<="),
    "gteq": lambda budget, a, b: _at_most(budget, b, a, ">="),
    "in": lambda budget, a, b: contains(budget, b, a),
    "notin": lambda budget, a, b: not contains(budget, b, a),
}


def sort(
    budget: Budget, items: Sequence[Any], sort_key: Callable[[Any], Any], reverse: bool = False
) -> list[Any]:
    """Stable; each comparison is paid for."""
    keys = [(sort_key(item), item) for item in items]
    budget.step(len(keys))

    def compare(a: tuple[Any, Any], b: tuple[Any, Any]) -> int:
        return -1 if less(budget, a[0], b[0]) else int(less(budget, b[0], a[0]))

    return [item for _, item in sorted(keys, key=functools.cmp_to_key(compare), reverse=reverse)]


# --- arithmetic -------------------------------------------------------------------------------------------


def add(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        budget.make(len(left) + len(right))
        return concat((left, right))
    if is_number(left) and is_number(right):
        return bounded(left + right)
    if type(left) is type(right) and isinstance(left, (list, tuple)):
        budget.step(len(left) + len(right))
        return left + right
    _unsupported("+", left, right)


def multiply(budget: Budget, left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return bounded(left * right)
    if isinstance(left, int):
        left, right = right, left
    if isinstance(right, int) and isinstance(left, str):
        budget.make(len(left) * max(right, 0))
        return repeat(left, right)
    if isinstance(right, int) and isinstance(left, (list, tuple)):
        budget.step(len(left) * max(right, 0))
        return left * (right if left else 0)
    _unsupported("*", left, right)


def _number(symbol: str, change: Callable[[Any, Any], Any]) -> Callable[[Budget, Any, Any], Any]:
    def operate(budget: Budget, left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            _unsupported(symbol, left, right)
        return bounded(change(left, right))

    return operate


def modulo(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return percent(budget, left, right)
    if is_number(left) and is_number(right):
        return left % right
    _unsupported("%", left, right)


def power(budget: Budget, left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        _unsupported("**", left, right)
    if isinstance(left, int) and isinstance(right, int) and right > 0 and abs(left) > 1:
        if right > 1024:
            raise TemplateFault("a power that is too large")
        budget.make(left.bit_length() * right)
    return bounded(left**right)


def join_as_text(budget: Budget, values: Sequence[Any]) -> str:
    """The operator ~."""
    pieces = [to_text(budget, value) for value in values]
    budget.make(sum(map(len, pieces)))
    return concat(pieces)


BINARY: dict[str, Callable[[Budget, Any, Any], Any]] = {
    "Add": add,
    "Sub": _number("-", lambda a, b: a - b),
    "Mul": multiply,
    "Div": _number("/", lambda a, b: a / b),
    "FloorDiv": _number("//", lambda a, b: a // b),
    "Mod": modulo,
    "Pow": power,
}


def negative(value: Any) -> Any:
    if not is_number(value):
        _unsupported("-", value, value)
    return -value


def positive(value: Any) -> Any:
    if not is_number(value):
        _unsupported("+", value, value)
    return +value


# --- elements ---------------------------------------------------------------------------------------------


def truth(value: Any) -> bool:
    return bool(value)  # of our own types only Undefined is false


def size_of(value: Any) -> int:
    if isinstance(value, (str, list, tuple, dict)):
        return len(value)
    if isinstance(value, Undefined):
        return 0
    if isinstance(value, Loop):
        return value.length()
    raise TemplateFault(f"{type_name(value)} has no length")


def elements(budget: Budget, value: Any) -> list[Any]:
    """What a loop over the value gives, all paid for."""
    if isinstance(value, Undefined):
        return []
    if isinstance(value, (str, list, tuple, dict)):
        budget.step(len(value))
    if isinstance(value, str):
        return [span(value, i, 1) for i in range(len(value))]
    if isinstance(value, (list, tuple, dict)):
        return list(value)
    raise TemplateFault(f"{type_name(value)} cannot be looped over")
