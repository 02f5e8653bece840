"""The functions that a template finds by name, Hugging Face's and Jinja's; each is made for one interpreter."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from .budget import TemplateFault
from .operators import elements, key
from .show import to_text
from .values import Cycler, Function, Namespace

if TYPE_CHECKING:
    from .interpreter import Interpreter as Run

_LONGEST_DATE_FORMAT = 256


def _mapping(run: Run, /, *args: Any, **kwargs: Any) -> dict[Any, Any]:
    """dict() of a mapping, of pairs, and of names."""
    if len(args) > 1:
        raise TemplateFault("dict() and namespace() take one mapping or list of pairs, and names")
    result: dict[Any, Any] = {}
    for source in args:
        for item in elements(run.budget, source):
            pair = (item, source[item]) if isinstance(source, dict) else elements(run.budget, item)
            if len(pair) != 2:
                raise TemplateFault("dict() and namespace() need pairs")
            result[key(run.budget, pair[0])] = pair[1]
    run.budget.step(len(kwargs))
    return result | kwargs


def _range(run: Run, /, *args: Any) -> list[int]:
    if not 1 <= len(args) <= 3 or not all(isinstance(arg, int) for arg in args):
        raise TemplateFault("range() takes one to three whole numbers")
    numbers = range(*args)
    try:
        n = len(numbers)
    except OverflowError:
        run.budget.fail()
    run.budget.step(n)
    return list(numbers)


def _raise_exception(run: Run, /, message: Any = "") -> NoReturn:
    raise TemplateFault(str(to_text(run.budget, message))[:4096])


def _strftime_now(run: Run, /, format: Any) -> str:
    text = to_text(run.budget, format)
    # The C library knows widths such as %1000000d.
    if len(text) > _LONGEST_DATE_FORMAT or re.search(r"%(?![-_^#]?[a-zA-Z%])", text) or "\0" in text:
        raise TemplateFault("strftime_now: a short format of plain %-letters is expected")
    run.budget.step(len(text))
    return datetime.now().strftime(str(text))


def _joiner(run: Run, /, sep: Any = ", ") -> Function:
    used = False

    def join() -> Any:
        nonlocal used
        before, used = used, True
        return sep if before else ""

    return Function("joiner", join)


def _of(function: Callable[..., Any]) -> Callable[[Run], Callable[..., Any]]:
    return lambda run: functools.partial(function, run)


GLOBALS: dict[str, Callable[[Run], Callable[..., Any]]] = {
    "cycler": lambda run: Cycler,
    "dict": _of(_mapping),
    "joiner": _of(_joiner),
    "namespace": lambda run: lambda *args, **kwargs: Namespace(_mapping(run, *args, **kwargs)),
    "raise_exception": _of(_raise_exception),
    "range": _of(_range),
    "strftime_now": _of(_strftime_now),
}
