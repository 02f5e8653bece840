"""Options as rows of a table, which the parser, the help and the tests read, and the readers of their values."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

INT_MAX = 2**31 - 1
MAX_RANGE = 10_000  # values of N-M
FLOAT_MAX = 3.4e38  # of the 32-bit numbers in the library

# From the word on the command line to the value; ValueError says what was expected.
Reader = Callable[[str], Any]


class Option(NamedTuple):
    names: str  # "-n --predict"
    dest: str
    help: str
    read: Reader | None = None  # None: a switch
    value: str = ""  # what the value is, for the help
    default: Any = None
    repeat: bool = False  # each use adds to a list
    sets: Any = True  # what a switch sets
    bare: Any = None  # the value if none follows; None: one must follow


class Command(NamedTuple):
    name: str
    summary: str
    groups: Mapping[str, Sequence[Option]]  # by title
    examples: Sequence[str]  # without "sterna NAME"
    run: Callable[[Any], None]
    operand: Option | None = None  # the word that may stand without an option
    takes_llama_flags: bool = False
    hints: Mapping[str, str] = {}  # what to use instead of options of other commands

    def options(self) -> dict[str, Option]:
        """By every name."""
        return {name: o for group in self.groups.values() for o in group for name in o.names.split()}


# --- readers ----------------------------------------------------------------------------------------------


def text(word: str) -> str:
    """A text for the model: bytes that are not UTF-8 are replaced, and a byte-order mark is not text."""
    return os.fsencode(word).decode(errors="replace").removeprefix("\ufeff")


def path(word: str) -> str:
    """A file name: its bytes as the system gave them."""
    return word


def choice(*names: str) -> Reader:
    def read(word: str) -> str:
        if word not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return word

    return read


def whole(low: int, high: int = INT_MAX) -> Reader:
    def read(word: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", word) or not low <= int(word) <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(word)

    return read


def one_of(*numbers: int) -> Reader:
    def read(word: str) -> int:
        if word not in map(str, numbers):
            raise ValueError(f"one of {', '.join(map(str, numbers))}")
        return int(word)

    return read


def number(low: float = -FLOAT_MAX, high: float = FLOAT_MAX, above: float | None = None) -> Reader:
    """A finite number from low to high, or greater than `above`."""

    def read(word: str) -> float:
        try:
            value = float(word) if "_" not in word else math.nan
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above is not None and value <= above):
            least = f" above {above:g}" if above is not None else f" from {low:g}" if low > -FLOAT_MAX else ""
            most = f" to {high:g}" if high < FLOAT_MAX else ""
            raise ValueError(f"a finite number{least}{most}")
        return value

    return read


def listed(read_one: Reader) -> Reader:
    """Values with commas between them."""

    def read(word: str) -> list[Any]:
        return [read_one(part) for part in word.split(",")]

    return read


def ranges(low: int, high: int) -> Reader:
    """llama-bench's N, N-M, N-M+STEP, N-M*FACTOR, with commas between them."""
    read_one = whole(low, high)

    def expand(part: str) -> list[int]:
        match = re.fullmatch(r"([0-9]+)-([0-9]+)(?:([+*])([0-9]+))?", part)
        if not match:
            return [read_one(part)]
        first, last = read_one(match[1]), read_one(match[2])
        step = whole(2 if match[3] == "*" else 1)(match[4] or "1")
        if first > last or (match[3] == "*" and first == 0):
            raise ValueError("a range from a smaller to a larger number")
        values = [first]
        while (after := values[-1] * step if match[3] == "*" else values[-1] + step) <= last:
            if len(values) == MAX_RANGE:
                raise ValueError(f"a range of at most {MAX_RANGE} values; N-M+STEP and N-M*FACTOR have fewer")
            values.append(after)
        return values

    return lambda word: [value for part in word.split(",") for value in expand(part)]
