"""From a template and its variables to text, or to a ValueError that says what went wrong and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateSyntaxError

from .budget import Budget
from .interpreter import Interpreter
from .source import parse
from .text import Text, origin

_CALL = re.compile(r"([\w.<>]+\(\) )(takes|got|missing)\b")  # Python names its own function and counts ours, too


def render(source: str, variables: Mapping[str, Any], until: float | None = None) -> Text:
    """The rendered text; it knows which characters are the template's.

    `variables` must be plain data: None, bool, int, float, str, list, and dict with such keys. A str is the
    conversation's, a Text says for itself. `until`: the budget's deadline, where several renders
    share one. Raises ValueError for whatever goes wrong in the template.
    """
    interpreter = Interpreter(Budget(*_extent(variables), until))
    try:
        text = interpreter.render(parse(source), variables)
        text.encode()  # escapes in a template can make half of a surrogate pair
    except Exception as e:  # a template can raise anything that Python code can
        line = getattr(e, "lineno", None) or interpreter.line
        where = f", line {line}" if line else ""
        raise ValueError(f"[chat template] {_cause(e)}{where}") from e
    return Text(text, origin(text))


def _cause(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it makes half of a surrogate pair"
    if isinstance(error, TemplateSyntaxError):
        return error.message or "a syntax error"  # its text has the line, too
    if isinstance(error, TypeError) and (call := _CALL.match(str(error))):
        what = "got too many arguments" if call[2] == "takes" else str(error)[call.end(1) :]
        return f"a call of a function, filter or test {'is ' * (call[2] == 'missing')}{what[:4096]}"
    return str(error)[:4096] or type(error).__name__


def _extent(value: Any) -> tuple[int, int]:
    """Values and characters of the variables."""
    values = characters = 0
    stack = [value]
    while stack:
        item = stack.pop()
        values += 1
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
    return values, characters
