"""Renders Jinja templates that came with a model file, which is code by a stranger.

The sandbox lets a template see plain data only. Limits keep it from using up time and memory: the size of
its source, the time it runs, and the size of every value: the result of a call or operator is bounded
through the product of the sizes of its operands, before it is made.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE = 1 << 16  # characters; the largest template of a published model has about 20,000
MAX_SIZE = 1 << 26  # characters or elements of a value
MAX_SECONDS = 5.0

_FILTERS = (
    "abs capitalize count d default dictsort first float indent int items join last length list lower map "
    "max min reject rejectattr replace reverse round safe select selectattr slice sort string sum title "
    "trim truncate unique upper wordcount"
)


def _size(value: Any) -> int:
    """Characters and elements of a value, all levels. A number alone counts as itself: it may be a width."""
    if isinstance(value, (int, float)):
        return int(min(abs(value), MAX_SIZE + 1)) if value == value else 1
    total, stack = 0, [value]
    while stack and total <= MAX_SIZE:
        item = stack.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, range):
            total += len(item) + 1
        else:
            total += 1
            if isinstance(item, Mapping):
                stack.extend(item.keys())
                stack.extend(item.values())
            elif isinstance(item, Collection):
                stack.extend(item)
    return total


def _check_sizes(*operands: Any) -> None:
    product = 1
    for operand in operands:
        product *= max(_size(operand), 1)
        if product > MAX_SIZE:
            raise TemplateError("a value is too large")


def _check_format(text: str, values: Sequence[Any]) -> None:
    """Widths may have four digits, and not come from the values."""
    if re.search(r"[0-9]{5}|%[^%a-zA-Z]*\*|:[^{}]*\{", text):
        raise TemplateError("a format is too wide")
    _check_sizes(text, values)


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter with checked operands; a lazy result is made a list so that its size is known."""
    n_values = (
        2 if hasattr(function, "jinja_pass_arg") else 1
    )  # what is filtered, after the context if it is asked for

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        _check_sizes(args[:n_values], *args[n_values:], *kwargs.values())
        result = function(*args, **kwargs)
        if isinstance(result, Iterator):
            result = list(result)
            _check_sizes(result)
        return result

    return call


def _format(text: str, *args: Any, **kwargs: Any) -> str:
    _check_format(text, [*args, *kwargs.values()])
    return str(text) % (kwargs or args)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face has it: the text itself, where Jinja's own filter escapes for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    _check_format(format, [])
    return datetime.now().strftime(format)


class _LoopControls(Extension):
    """{% break %} and {% continue %}."""

    tags = {"break", "continue"}

    def parse(self, parser: Parser) -> nodes.Node:
        token = next(parser.stream)
        return (nodes.Break if token.value == "break" else nodes.Continue)(lineno=token.lineno)


class _Generation(Extension):
    """{% generation %} marks the assistant's words for training; here it is transparent."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _CodeGenerator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concat_bounded((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])
    code_generator_class = _CodeGenerator

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants are computed under the same limits as everything else
            finalize=self._finalize,
            extensions=[_LoopControls, _Generation],
        )
        self.filters = {name: _bounded(self.filters[name]) for name in _FILTERS.split()}
        self.filters |= {
            "format": _format,
            "tojson": _bounded(_tojson),
            "strip": _bounded(lambda text: str(text).strip()),
        }
        self.globals = {
            "range": self.globals["range"],  # of at most sandbox.MAX_RANGE numbers
            "dict": dict,
            "namespace": self.globals["namespace"],
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
        }

    @staticmethod
    def _finalize(value: Any) -> Any:
        if not isinstance(value, str):
            _check_sizes([value])
        return value

    def concat_bounded(self, parts: tuple[Any, ...]) -> str:
        _check_sizes(parts)
        return str_join(parts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            _check_sizes([left, right])
        elif operator == "**":
            _check_sizes(*[left] * _size(right))
        elif operator == "*" and not isinstance(left, (int, float)):
            _check_sizes(left, right)
        elif operator == "*" and not isinstance(right, (int, float)):
            _check_sizes(right, left)
        elif operator == "%" and isinstance(left, str):
            _check_format(left, [right])
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(function, "__wrapped__", function)  # the sandbox wraps str.format
        owner, values = getattr(method, "__self__", None), [*args, *kwargs.values()]
        if isinstance(owner, str) and method.__name__ in ("format", "format_map"):
            _check_format(owner, values)
        elif isinstance(owner, (str, list, dict)):
            _check_sizes(owner, *values)
        return super().call(context, function, *args, **kwargs)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raises in this thread when Python code runs longer. One C call is not interrupted: the size limits
    bound it.
    """
    end = time.monotonic() + seconds

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if time.monotonic() > end:
            raise TemplateError(f"it runs longer than {seconds:g} s")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


_environment = _Environment()
_compile = functools.lru_cache(maxsize=8)(_environment.from_string)


def render(source: str, variables: Mapping[str, Any]) -> str:
    """The rendered text. `variables` must be plain data. ValueError for whatever goes wrong in the
    template.
    """
    if len(source) > MAX_SOURCE:
        raise ValueError(
            f"[chat template] source, got {len(source)} characters, expected at most {MAX_SOURCE}"
        )
    try:
        with _time_limit(MAX_SECONDS):
            size, pieces = 0, []
            for piece in _compile(source).generate(variables):
                size += len(piece)
                if size > MAX_SIZE:
                    raise TemplateError("the output is too large")
                pieces.append(piece)
            return "".join(pieces)
    except Exception as e:  # a template can raise anything Python can
        line = getattr(e, "lineno", None)
        where = f", line {line}" if line else ""
        raise ValueError(f"[chat template] {type(e).__name__}: {e}{where}") from e
