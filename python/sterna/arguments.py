"""Checks of arguments: a wrong type is an error that names the argument, and None means the default."""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
D = TypeVar("D")


def shown(value: object) -> str:
    """A value for an error message."""
    try:
        text = repr(value)
    except Exception:  # an integer of too many digits, or anybody's __repr__
        text = "a value"
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{text} ({type(value).__name__})"


def wrong_type(name: str, value: object, expected: str) -> TypeError:
    return TypeError(f"{name}, got {shown(value)}, expected {expected}")


def optional(check: Callable[[str, Any], T], name: str, value: Any, default: D) -> T | D:
    return default if value is None else check(name, value)


def integer(name: str, value: Any, low: int = -(1 << 31), high: int = (1 << 31) - 1) -> int:
    """An int, also numpy's, by default of the size of C's."""
    try:
        result = operator.index(bool(value) if isinstance(value, np.bool_) else value)
    except TypeError:
        raise wrong_type(name, value, "an integer") from None
    if not low <= result <= high:
        raise ValueError(f"{name}, got {shown(result)}, expected {low} to {high}")
    return result


def count(name: str, value: Any) -> int:
    """An integer that is not negative."""
    return integer(name, value, 0, (1 << 63) - 1)


def number(name: str, value: Any) -> float:
    """A real number, also numpy's."""
    if not isinstance(value, (numbers.Real, np.bool_)):
        raise wrong_type(name, value, "a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name}, got {shown(value)}, expected a number that fits a float") from None


def boolean(name: str, value: Any) -> bool:
    """A bool, also numpy's, or 0 or 1."""
    if not isinstance(value, (numbers.Integral, np.bool_)) or value not in (0, 1):
        raise wrong_type(name, value, "True or False")
    return bool(value)


def string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type(name, value, "a str")
    try:
        value.encode()
    except UnicodeEncodeError as e:
        raise ValueError(
            f"{name}, got a lone surrogate at {e.start}, expected text that is Unicode"
        ) from None
    return value


def strings(name: str, value: Any) -> list[str]:
    """One str or several."""
    if isinstance(value, str):
        return [string(name, value)]
    expected = "a str or a sequence of str"
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise wrong_type(name, value, expected)
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise wrong_type(name, value, expected)
    result = list(value)
    for item in result:
        if not isinstance(item, str):
            raise wrong_type(name, item, expected)
    return [string(name, item) for item in result]


def function(name: str, value: Any) -> Callable[..., object]:
    if not callable(value):
        raise wrong_type(name, value, "a callable")
    return value


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong_type(name, value, "a mapping")
    return value


def file_name(path: Any) -> bytes:
    """A path as the system wants it."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise wrong_type("path", path, "a str or a path")
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("path: got an embedded null byte, expected a file name")
    return name
