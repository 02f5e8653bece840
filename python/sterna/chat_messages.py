"""Conversations as templates expect them: each message in one shape, whichever client wrote it.

Clients of the OpenAI API send lists of parts, nulls for what is absent, and the arguments of tool calls as
JSON text. Few templates know all of these, and a template that does not know one renders it wrongly without
a word; so there is one shape here, and what has no place in it is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 64
MAX_VALUES = 200_000
MAX_INT_BITS = 256

_TEXT_PARTS = ("text", "input_text", "output_text")


class _PlainCopy:
    """Copies data made of text, numbers, lists and mappings; refuses all else by its place and type."""

    def __init__(self) -> None:
        self._n_values = 0

    def copy(self, value: Any, where: str, depth: int = 0) -> Any:
        self._n_values += 1
        if self._n_values > MAX_VALUES:
            raise ValueError(f"[chat] {where}, got more than {MAX_VALUES} values, expected fewer")
        if depth > MAX_DEPTH:
            raise ValueError(f"[chat] {where}, got deeper data, expected at most {MAX_DEPTH} levels")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _text(value, where)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, int):
            if int(value).bit_length() > MAX_INT_BITS:
                raise ValueError(
                    f"[chat] {where}, got a larger integer, expected at most {MAX_INT_BITS} bits"
                )
            return int(value)
        if isinstance(value, Mapping):
            return self._mapping(value, where, depth)
        if isinstance(value, (list, tuple)):
            return [self.copy(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
        raise TypeError(
            f"{where}: got {type(value).__name__}, expected plain data (text, numbers, lists, mappings)"
        )

    def _mapping(self, value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
        result = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: got a key of type {type(key).__name__}, expected str")
            result[_text(key, where)] = self.copy(item, f"{where}.{key[:64]}", depth + 1)
        return result


def _text(value: str, where: str) -> str:
    """The text as str itself, also of an enumeration's member."""
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise ValueError(
            f"[chat] {where}, got half of a surrogate pair at {e.start}, expected text"
        ) from None
    return text


def plain_data(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a template's variables. Raises TypeError for what is not plain data, ValueError for too much."""
    copier = _PlainCopy()
    return {name: copier.copy(value, name) for name, value in variables.items()}


def _content(content: Any, role: str, where: str) -> Any:
    """Text; what else a tool returned, a mapping or a list of other things than parts, is left to the template."""
    if content is None:
        return ""
    if isinstance(content, (bool, int, float)):
        raise TypeError(f"{where}: got {type(content).__name__}, expected text or a list of text parts")
    said = role in ("user", "system", "developer", "assistant")
    if isinstance(content, dict) and (said or content.get("type") in _TEXT_PARTS):
        return _part(content, where)  # as one part without its list
    if not isinstance(content, list):
        return content
    if not said and not any(map(_looks_like_a_part, content)):
        return content or ""
    return "".join(_part(part, f"{where}[{i}]") for i, part in enumerate(content))


def _looks_like_a_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and ("type" in part or "text" in part))


def _part(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise TypeError(f"{where}: got {type(part).__name__}, expected a text part")
    kind = part.get("type", "text" if "text" in part else None)
    if kind not in _TEXT_PARTS:
        raise ValueError(f"[chat] {where}, got a part of type {kind!r}, expected text: this is a text model")
    if not isinstance(part.get("text"), str):
        raise ValueError(f"[chat] {where}, got a part without text, expected its key 'text'")
    return part["text"]


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item is not None}


def _arguments(arguments: Any, where: str) -> Any:
    """A mapping from its JSON text. Text that is none, or one that plain data does not hold, stays text: models
    do write such, and the conversation goes on.
    """
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return {}
    if isinstance(arguments, str):
        try:
            parsed = json.loads(arguments)
            return _PlainCopy().copy(parsed, where) if isinstance(parsed, dict) else arguments
        except (ValueError, RecursionError):
            return arguments
    return arguments


def _tool_call(call: Any, where: str) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise TypeError(f"{where}: got {type(call).__name__}, expected a mapping with the key 'function'")
    call = _without_nulls(call)
    holder, at = (call.get("function"), f"{where}.function") if "function" in call else (call, where)
    if not isinstance(holder, dict) or not isinstance(holder.get("name"), str):
        raise ValueError(f"[chat] {at}, got no name, expected the name of the function that is called")
    holder = _without_nulls(holder)
    holder["arguments"] = _arguments(holder.get("arguments"), f"{at}.arguments")
    return {**call, "function": holder} if "function" in call else holder


def _message(message: Any, where: str) -> dict[str, Any]:
    if not isinstance(message.get("role"), str):
        raise ValueError(f"{where}: got no role, expected 'system', 'user', 'assistant' or the like")
    has_content = "content" in message
    result = {k: v for k, v in message.items() if v is not None and k not in ("tool_calls", "function_call")}
    calls = message.get("tool_calls")
    if calls is None and message.get("function_call") is not None:  # its name before there were several
        calls = [{"type": "function", "function": message["function_call"]}]
    if calls:
        if not isinstance(calls, list):
            raise TypeError(f"{where}.tool_calls: got {type(calls).__name__}, expected a list")
        result["tool_calls"] = [_tool_call(c, f"{where}.tool_calls[{i}]") for i, c in enumerate(calls)]
    elif not has_content and "reasoning_content" not in result:
        raise ValueError(f"[chat] {where}, got neither content nor tool_calls, expected one of them")
    result["content"] = _content(message.get("content"), message["role"], f"{where}.content")
    return result


def normalise(messages: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a template, `messages` and `tools` among them, in the shape that templates expect.

    Absent and null are the same in a message: such keys are left out, but content, which is then "". Inside
    tools and arguments null is a value and stays. Raises TypeError for what is not plain data, ValueError for
    what cannot be put into words.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes, bytearray)):
        raise TypeError('messages: expected a list of mappings such as {"role": "user", "content": "..."}')
    if not all(isinstance(m, Mapping) for m in messages):
        raise TypeError('messages: expected a list of mappings such as {"role": "user", "content": "..."}')
    if not messages:
        raise ValueError("[chat] messages, got none, expected at least one")
    data = plain_data({**variables, "messages": list(messages)})
    data["messages"] = [_message(m, f"messages[{i}]") for i, m in enumerate(data["messages"])]
    for name in ("tools", "documents"):
        items = data[name] = data.get(name) or None
        if items is not None and not isinstance(items, list):
            raise TypeError(f"{name}: got {type(items).__name__}, expected a list of mappings")
    return data
