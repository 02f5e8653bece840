"""The tests of Jinja (`x is NAME`) that a template may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .budget import Budget, TemplateFault
from .filters import FILTERS
from .operators import COMPARISONS, is_number, modulo
from .show import to_text
from .values import Function, Group, Loop, Undefined


def _is(*kinds: type) -> Callable[[Budget, Any], bool]:
    return lambda budget, value, /: isinstance(value, kinds)


def _remainder(budget: Budget, value: Any, by: Any) -> Any:
    if isinstance(value, str):
        raise TemplateFault("a number is expected, got text")
    return modulo(budget, value, by)


def _cased(name: str) -> Callable[[Budget, Any], bool]:
    def test(budget: Budget, value: Any, /) -> bool:
        text = to_text(budget, value)
        budget.scan(len(text), 8)
        return bool(getattr(str(text), name)())

    return test


def _sameas(budget: Budget, value: Any, other: Any, /) -> bool:
    return value is other


TESTS: dict[str, Callable[..., bool]] = {
    "boolean": _is(bool),
    "callable": _is(Function, Loop, Undefined),  # as in Jinja
    "defined": lambda budget, value, /: not isinstance(value, Undefined),
    "divisibleby": lambda budget, value, /, num: _remainder(budget, value, num) == 0,
    "escaped": lambda budget, value, /: False,
    "even": lambda budget, value, /: _remainder(budget, value, 2) == 0,
    "false": lambda budget, value, /: value is False,
    "filter": lambda budget, value, /: isinstance(value, str) and value in FILTERS,
    "float": _is(float),
    "integer": lambda budget, value, /: isinstance(value, int) and not isinstance(value, bool),
    "iterable": _is(str, list, tuple, dict, Undefined),
    "lower": _cased("islower"),
    "mapping": _is(dict),
    "none": lambda budget, value, /: value is None,
    "number": lambda budget, value, /: is_number(value),
    "odd": lambda budget, value, /: _remainder(budget, value, 2) == 1,
    "sameas": _sameas,
    "sequence": _is(str, list, tuple, dict, Group, Undefined),
    "string": _is(str),
    "test": lambda budget, value, /: isinstance(value, str) and value in TESTS,
    "true": lambda budget, value, /: value is True,
    "undefined": _is(Undefined),
    "upper": _cased("isupper"),
}
for _names in (
    ("eq", "==", "equalto"),
    ("ne", "!="),
    ("lt", "<", "lessthan"),
    ("gt", ">", "greaterthan"),
    ("lteq", "<=", "le"),
    ("gteq", ">=", "ge"),
    ("in",),
):
    TESTS |= dict.fromkeys(_names, COMPARISONS[_names[0]])
del TESTS["lteq"], TESTS["gteq"]
