"""The library's options (include/sterna/options.inc) as rows of the parser's table and as arguments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import _core
from .options import FLOAT_MAX, INT_MAX, Option, Reader, choice, listed, number, one_of, ranges, text, whole

if TYPE_CHECKING:
    from .._core import OptionInfo

MAX_CONTEXT = 1 << 30
_TABLE = {o.name: o for o in _core.options()}
_KV_TYPES = {"f16": "f16", "fp16": "f16", "q8_0": "int8", "int8": "int8"}


def kv_type_name(word: str) -> str:
    if word not in _KV_TYPES:
        raise ValueError("f16, or q8_0, which is int8 here")
    return _KV_TYPES[word]


def _threads(word: str) -> int | None:
    most = int(_TABLE["n_threads"].high)
    n = whole(-1, most)(word)
    if n == 0:
        raise ValueError(f"1 to {most}, or -1 for the usable CPUs")
    return None if n < 0 else n


# What a command line says otherwise than the library.
_OTHERWISE: dict[str, dict[str, Any]] = {
    "n_threads": {"read": _threads},
    "n_ctx": {"read": whole(0, MAX_CONTEXT)},
    "activation": {"read": choice("relu2", "silu")},
    "kv_type": {"read": kv_type_name, "default": None},  # -ctk and -ctv say it, too
    "max_tokens": {"read": whole(-2)},  # llama.cpp's -2 is -1 here
    "top_k": {"read": whole(-1)},
    "lookup": {"bare": 8},
}


def _bounds(o: OptionInfo) -> tuple[int, int]:
    return int(max(o.low, -INT_MAX)), int(min(o.high, INT_MAX))


def _reader(o: OptionInfo) -> Reader | None:
    if o.type == "bool":
        return None
    if o.choices:
        return one_of(*map(int, o.choices)) if o.type == "int" else choice(*o.choices)
    if o.type == "int":
        return whole(*_bounds(o))
    if o.type == "seed":
        return whole(-1, 2**64 - 1)
    if o.type == "float":
        low, high = max(o.low, -FLOAT_MAX), min(o.high, FLOAT_MAX)
        return number(high=high, above=low) if o.open else number(low, high)
    return text


def _row(o: OptionInfo) -> Option:
    row = Option(o.flags, o.name, o.help, _reader(o), o.placeholder, o.default, sets=not o.default)
    if o.type == "seed":
        row = row._replace(default=-1)
    return row._replace(**_OTHERWISE.get(o.name, {}))


def library_options(call: str, without: str = "") -> tuple[Option, ...]:
    """Rows of load() or generate(); `without` are names, with a space between."""
    left_out = without.split()
    return tuple(_row(o) for o in _TABLE.values() if o.call == call and o.flags and o.name not in left_out)


def several(option: Option) -> Option:
    """The row as one that takes a list of values, whole numbers also as ranges, and may be repeated."""
    o = _TABLE[option.dest]
    numbers = o.type == "int" and not o.choices
    read = ranges(*_bounds(o)) if numbers else listed(option.read or text)
    default = None if option.default is None else [option.default]
    return option._replace(read=read, value=f"{option.value},...", default=default, repeat=True)


def arguments(call: str, args: SimpleNamespace) -> dict[str, Any]:
    """What the command line says of them, as keyword arguments."""
    options = [o for o in _TABLE.values() if o.call == call and hasattr(args, o.name)]
    values = {o.name: getattr(args, o.name) for o in options}
    drawn = {o.name: None for o in options if o.type == "seed" and values[o.name] < 0}
    return values | drawn
