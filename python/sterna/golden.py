"""The self-test: is this machine, this kernel or this file at fault?"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from .arguments import function, optional
from .errors import UnsupportedError
from .model import PACKAGED_MODEL, load

RECORD = Path(__file__).parent / "data" / "golden.json"
PROMPT = "The options of this command are"
N_TOKENS = 32


def golden_record() -> dict[str, Any]:
    """What the packaged model says, to the last bit: the same on every machine with every number of
    threads.
    """
    with load(None, n_ctx=256) as model:
        completion = model.complete(PROMPT, max_tokens=N_TOKENS, temperature=0, ignore_eos=True)
        logits = model.forward(model.tokenize(PROMPT) + completion.tokens)
    return {
        "model_sha256": hashlib.sha256(PACKAGED_MODEL.read_bytes()).hexdigest(),
        "prompt": PROMPT,
        "text": completion.text,
        "tokens": completion.tokens,
        "logits_sha256": hashlib.sha256(logits.astype("<f4").tobytes()).hexdigest(),
    }


def _check_golden() -> None:
    want, got = json.loads(RECORD.read_text()), golden_record()
    for key, culprit in (
        ("model_sha256", "this file"),
        ("tokens", "this machine"),
        ("logits_sha256", "this machine"),
    ):
        if got[key] != want[key]:
            raise ValueError(
                f"[selftest] {culprit}: {key} of {PACKAGED_MODEL.name}, got {got[key]}, expected {want[key]}"
            )


def _check_file(path: str | os.PathLike[str]) -> None:
    try:
        with load(path, n_ctx=64) as model:
            logits = model.forward(model.tokenize(PROMPT) or [0])
    except (ValueError, OSError, UnsupportedError) as e:
        raise ValueError(f"[selftest] this file: {e}") from e
    if not np.isfinite(logits).all():
        raise ValueError(
            f"[selftest] this file: logits of {os.fspath(path)}, got infinities or NaN, expected numbers"
        )


def selftest(
    path: str | os.PathLike[str] | None = None, *, report: Callable[[str], object] | None = print
) -> None:
    """Check every kernel against the reference, a sentence of the packaged model against its record, and a
    model file.

    report gets a line for each finding. Raises ValueError that names "this machine", "this kernel" or "this
    file".
    """
    report = optional(function, "[selftest] report", report, print)
    _core.selftest_kernels(report)
    _check_golden()
    report(f"golden sentence: {PACKAGED_MODEL.name} says what it said when this version was released")
    if path is not None:
        _check_file(path)
        report(f"{os.fspath(path)}: loads and computes finite logits")
