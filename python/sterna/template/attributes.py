"""What stands behind `.name` and `[key]`: elements, and a closed list of methods. Nothing of Python's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import strings
from .budget import Budget, TemplateFault
from .operators import elements, equal, key
from .text import cut, span
from .values import Cycler, Function, Group, Loop, Namespace, Undefined, type_name

_NONE = object()
_CHANGES_IT = {
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
}  # fmt: skip


def _get(budget: Budget, mapping: dict[Any, Any], name: Any, default: Any = None, /) -> Any:
    return mapping.get(key(budget, name), default)


def _items(budget: Budget, mapping: dict[Any, Any], /) -> list[tuple[Any, Any]]:
    budget.step(2 * len(mapping))
    return list(mapping.items())


def _values(budget: Budget, mapping: dict[Any, Any], /) -> list[Any]:
    budget.step(len(mapping))
    return list(mapping.values())


def _copy(budget: Budget, value: Any, /) -> Any:
    budget.step(len(value))
    return value.copy()


def _index(budget: Budget, items: Any, wanted: Any, /) -> int:
    for i, item in enumerate(items):
        if equal(budget, item, wanted):
            return i
    raise TemplateFault("index(): it is not in the list")


def _count(budget: Budget, items: Any, wanted: Any, /) -> int:
    return sum(equal(budget, item, wanted) for item in items)


_SEQUENCE: dict[str, Callable[..., Any]] = {"index": _index, "count": _count}
_METHODS: list[tuple[type, dict[str, Callable[..., Any]]]] = [
    (str, strings.METHODS),
    (dict, {"get": _get, "items": _items, "keys": elements, "values": _values, "copy": _copy}),
    (list, {**_SEQUENCE, "copy": _copy}),
    (tuple, _SEQUENCE),
    (int, {"bit_length": lambda budget, n, /: n.bit_length()}),
    (float, {"is_integer": lambda budget, x, /: x.is_integer()}),
]


def _missing(value: Any, name: str) -> Undefined:
    if isinstance(value, (list, dict)) and name in _CHANGES_IT:
        return Undefined(f"{name}() would change a {type_name(value)}, which a template may not")
    return Undefined(f"'{type_name(value)}' has no attribute '{name[:64]}'")


def method(budget: Budget, value: Any, name: str) -> Any:
    """value.name where that is no element; Undefined if there is no such thing."""
    budget.scan(len(name))
    if isinstance(value, Undefined):
        value.fail()
    for kind, methods in _METHODS:
        if isinstance(value, kind) and name in methods:
            return Function(name, functools.partial(methods[name], budget, value))
    if isinstance(value, Namespace):
        return value.values.get(name, _missing(value, name))
    if isinstance(value, Loop):
        return value.attribute(name, functools.partial(equal, budget))
    if isinstance(value, Group) and name in ("grouper", "list"):
        return value[name == "list"]
    if isinstance(value, Cycler):
        return _of_cycler(value, name)
    if isinstance(value, Function) and name == "name":
        return value.name
    return _missing(value, name)


def _of_cycler(value: Cycler, name: str) -> Any:
    if name == "current":
        return value.items[value.at]
    calls: dict[str, Callable[..., Any]] = {"next": value.next, "reset": value.reset}
    return Function(name, calls[name]) if name in calls else _missing(value, name)


def _element(budget: Budget, value: Any, index: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key(budget, index), _NONE)
    if isinstance(value, (str, list, tuple)) and isinstance(index, int) and -len(value) <= index < len(value):
        return span(value, index % len(value), 1) if isinstance(value, str) else value[index]
    return _NONE


def attribute(budget: Budget, value: Any, name: str) -> Any:
    """value.name: a method before an element, as Jinja has it."""
    found = method(budget, value, name)
    if isinstance(found, Undefined) and isinstance(value, dict):
        element = _element(budget, value, name)
        return found if element is _NONE else element
    return found


def subscript(budget: Budget, value: Any, index: Any) -> Any:
    """value[index]: an element before a method."""
    if isinstance(value, Undefined):
        value.fail()
    if isinstance(index, Undefined):
        return index
    element = _element(budget, value, index)
    if element is not _NONE:
        return element
    if isinstance(index, str):
        return method(budget, value, str(index))
    return Undefined(f"'{type_name(value)}' has no such element")


def sliced(budget: Budget, value: Any, at: slice) -> Any:
    """value[begin:end:step]."""
    if isinstance(value, Undefined):
        value.fail()
    for bound in (at.start, at.stop, at.step):
        if bound is not None and not isinstance(bound, int):
            raise TemplateFault("slice indices must be integers or none")
    if not isinstance(value, (str, list, tuple)):
        raise TemplateFault(f"{type_name(value)} cannot be sliced")
    n = len(range(*at.indices(len(value))))
    if isinstance(value, str):
        budget.make(n)
        return cut(value, at)
    budget.step(n)
    return value[at]
