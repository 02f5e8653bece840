"""Instruction sets and the choice of kernels."""

from __future__ import annotations

from collections.abc import Iterable

from . import _core
from .arguments import count, optional, string, wrong_type


def force_isa(name: str | None = "auto") -> None:
    """Use only `name` and the sets below it for what is loaded or packed from now on; "auto" lifts it.

    Raises UnsupportedError for a set that is not in isas() or not supported by this machine.
    """
    _core.force_isa(optional(string, "[force_isa] name", name, "auto"))


def set_kernel_choice(mode: str | None = "auto") -> None:
    """How kernels are chosen for what is loaded or packed from now on: "measured" (the default), "fresh",
    "builtin", or "auto": as STERNA_CHOICE says. Only changes speed.
    """
    _core.set_kernel_choice(optional(string, "[set_kernel_choice] mode", mode, "auto"))


def explain_kernels(variant: str, rows: int, depth: int, n_tokens: Iterable[int]) -> _core.KernelExplanation:
    """Time every kernel of a variant ("w2_row") that can be chosen here on a matrix of arbitrary codes, once
    for each number of tokens.

    Raises UnsupportedError for an unknown variant, ValueError for a shape that it cannot have.
    """
    where = "[explain_kernels]"
    if isinstance(n_tokens, (str, bytes)) or not isinstance(n_tokens, Iterable):
        raise wrong_type(f"{where} n_tokens", n_tokens, "a sequence of integers")
    return _core.explain_kernels(
        string(f"{where} variant", variant),
        count(f"{where} rows", rows),
        count(f"{where} depth", depth),
        [count(f"{where} n_tokens", n) for n in n_tokens],
    )
