"""Options of load() and generate() as callers give them: checked, and shown by help().

The library's table (_core.options()) says which there are; option_types.py says it to type checkers.
"""

from __future__ import annotations

import inspect
import secrets
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from . import _core
from .arguments import boolean, integer, number, string, strings

F = TypeVar("F", bound=Callable[..., Any])
Check = Callable[[str, Any], Any]

_ALIASES = {"max_new_tokens": "max_tokens", "n_predict": "max_tokens", "temp": "temperature"}


def _new_seed() -> int:
    return secrets.randbits(64)


def _seed(name: str, value: Any) -> int:
    return integer(name, value, 0, (1 << 64) - 1)


_CHECKS: Mapping[str, Check] = {
    "int": integer,
    "float": number,
    "bool": boolean,
    "str": string,
    "seed": _seed,
}


def _listed(call: str) -> list[_core.OptionInfo]:
    return [o for o in _core.options() if o.call == call]


def _checked(call: str, options: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """The options that are not None, by their own names."""
    result: dict[str, Any] = {}
    given: dict[str, str] = {}
    for alias, value in options.items():
        if value is None:
            continue
        name = _ALIASES.get(alias, alias)
        if name in given:
            raise TypeError(f"[{call}] {alias}, got it besides {given[name]}, expected one of them")
        given[name] = alias
        result[name] = checks[name](f"[{call}] {alias}", value)
    return result


_LOAD = {o.name: _CHECKS[o.type] for o in _listed("load")}
_GENERATE = {o.name: _CHECKS[o.type] for o in _listed("generate")} | {"stop": strings}


def load_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """What _core.Model.load() takes."""
    for name in options:
        if name not in _LOAD:
            raise TypeError(f"load() got an unexpected keyword argument {name!r}")
    return _checked("load", options, _LOAD)


def generate_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """What _core.Model.generate() takes, with a seed and a list of stop texts."""
    for name in options:
        if _ALIASES.get(name, name) not in _GENERATE:
            raise TypeError(f"unexpected keyword argument {name!r}, expected one of {', '.join(_GENERATE)}")
    return {"seed": _new_seed(), "stop": []} | _checked("generate", options, _GENERATE)


def options_of_each(options: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    """The same for n texts: with the seed that is given, or each with a new one."""
    arguments = generate_options(options)
    if options.get("seed") is not None:
        return [arguments] * n
    return [arguments | {"seed": _new_seed()} for _ in range(n)]


# --- how they are shown -----------------------------------------------------------------------------------


def python_type(option: _core.OptionInfo) -> str:
    return {"seed": "int"}.get(option.type, option.type) + " | None"


def explanation(option: _core.OptionInfo) -> str:
    """What it means, and its default."""
    text = option.help
    if option.default not in (None, "") and "default" not in text:
        text += f"; default: {option.default!r}"
    return text


def _parameter(option: _core.OptionInfo) -> inspect.Parameter:
    default = None if option.type == "seed" else option.default
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=python_type(option)
    )


def with_options(call: str) -> Callable[[F], F]:
    """Spells the **options of a function out for help() and inspect.signature()."""

    def spell_out(function: F) -> F:
        signature = inspect.signature(function)
        given = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        n_first = sum(p.kind is not inspect.Parameter.KEYWORD_ONLY for p in given)
        options = [_parameter(o) for o in _listed(call)]
        vars(function)["__signature__"] = signature.replace(
            parameters=[*given[:n_first], *options, *given[n_first:]]
        )
        if function.__doc__:
            rows = (f"{o.name}: {explanation(o)}" for o in _listed(call))
            wrapped = (textwrap.fill(row, 100, subsequent_indent="    ") for row in rows)
            function.__doc__ = inspect.cleandoc(function.__doc__) + "\n\n" + "\n".join(wrapped)
        return function

    return spell_out
