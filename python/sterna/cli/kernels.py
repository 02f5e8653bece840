"""`sterna kernels`: instruction sets and kernels of this machine, and how fast they are."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import NamedTuple

import sterna

from .. import _core
from .errors import UsageError
from .model_options import ISA, force_isa
from .options import Command, Option

_MAX_WEIGHTS = 1 << 28
_MAX_TOKENS = 1 << 14


class _Shape(NamedTuple):
    rows: int
    depth: int
    variant: str
    tokens: list[int]


def _shape(word: str) -> _Shape:
    match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})(?::([wt]\w+))?(?::([0-9]{1,9}))?", word, re.ASCII)
    if not match:
        raise ValueError("ROWSxDEPTH[:VARIANT][:TOKENS]")
    rows, depth, variant, n = int(match[1]), int(match[2]), match[3] or "w2_row", match[4]
    if not 0 < rows * depth <= _MAX_WEIGHTS or (n and not 0 < int(n) <= _MAX_TOKENS):
        raise ValueError(f"1 to {_MAX_WEIGHTS} weights and 1 to {_MAX_TOKENS} tokens")
    return _Shape(rows, depth, variant, [int(n)] if n else [1, 4, 16, 64])


def _explain(shape: _Shape) -> None:
    rows, depth, variant, tokens = shape
    try:
        explanation = _core.explain_kernels(variant, rows, depth, tokens)
    except (ValueError, sterna.UnsupportedError) as e:
        if str(e).startswith("[explain]"):
            raise UsageError(f"--explain: {e}") from e
        raise
    print(f"{variant}, {rows} x {depth}, one thread; * is in use: {explanation.why}")
    print(f"{'tokens':>8} {'kernel':40} {'us':>10} {'GMAC/s':>8} {'GB/s':>6}")
    for t in explanation.timings:
        star = "*" if t.chosen else " "
        rates = f"{t.seconds * 1e6:10.1f} {t.gmac_per_s:8.1f} {t.gb_per_s:6.2f}"
        print(f"{star} {t.n_tokens:6} {t.kernel:40} {rates}")


def _kernels(args: SimpleNamespace) -> None:
    force_isa(args)
    if args.explain:
        _explain(args.explain)
        return
    print(f"CPU: {_core.cpu_name()}, {_core.usable_cpus()} usable")
    for isa in _core.isas():
        state = "in use" if isa.active else "supported" if isa.supported else "not supported here"
        print(f"{isa.name:14} {state:20} needs {isa.requires}")
    print()
    for k in _core.kernels():
        note = "" if k.supported else "not supported here"
        print(f"{'*' if k.chosen else ' '} {k.name:40} {k.isa:14}{note}".rstrip())


_OPTIONS = (
    Option("--explain", "explain",
           "time the kernels on ROWSxDEPTH[:VARIANT][:TOKENS], like 2560x6912:w2_row:1", _shape, "SHAPE"),
    ISA,
)  # fmt: skip

COMMAND = Command(
    "kernels",
    "List instruction sets and kernels; * is the built-in choice.",
    {"Options": _OPTIONS},
    ("", "--isa avx2", "--explain 2560x6912:w2_row"),
    _kernels,
)
