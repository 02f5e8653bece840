"""Prompts and token ids as callers give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import wrong_type

Prompt = str | Sequence[int] | npt.NDArray[np.integer]
Prompts = Sequence[Prompt]


def is_list(prompt: Any) -> bool:
    """Whether it is a list of prompts; a list of integers is one prompt, and an empty one is none."""
    if not isinstance(prompt, Sequence) or isinstance(prompt, (str, bytes, bytearray)):
        return False
    return not len(prompt) or any(
        item is None or isinstance(item, (str, bytes, Sequence)) or getattr(item, "ndim", 0)
        for item in prompt
        if not isinstance(item, int)
    )


def token_ids(name: str, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    try:
        ids = np.asarray(tokens)
    except ValueError:  # rows of different lengths
        raise wrong_type(name, tokens, "a sequence of integers") from None
    if ids.size == 0 and ids.ndim == 1:
        return np.empty(0, np.int32)
    huge = ids.dtype == object and all(isinstance(token, int) for token in ids.flat)
    if ids.ndim != 1 or not (huge or np.issubdtype(ids.dtype, np.integer)):
        got = f"{ids.ndim} dimensions of {ids.dtype}" if ids.ndim else repr(type(tokens).__name__)
        raise TypeError(f"{name}: got {got}, expected a sequence of integers")
    bounds = np.iinfo(np.int32)
    if ids.min() < bounds.min or ids.max() > bounds.max:
        raise ValueError(f"{name}: got a token id outside the vocabulary, expected 32-bit integers")
    return np.ascontiguousarray(ids, np.int32)
