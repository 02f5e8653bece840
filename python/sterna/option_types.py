"""Keyword arguments of load() and generate() for type checkers: made by python/bindings/make_stubs.py of
include/sterna/options.inc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class LoadOptions(TypedDict, total=False):
    """Keyword arguments of load(); None is the default.

    n_threads: threads; default: the CPUs this process may use.
    n_ctx: tokens of context; 0: the model's; default: the model's, at most 4096.
    n_batch: most prompt tokens per pass; never changes a result; default: 512.
    pre: override the pre-tokenizer.
    activation: override the FFN activation of a bitnet model: relu2 or silu.
    kv_type: type of the KV cache: f16 (the default), or int8: half the memory, faster at long context, a
        little less exact.
    screen: compute only the logits that sampling can choose from, found with 4-bit planes of the output
        matrix in additional memory; never changes a result: auto (matrices of 8 or more bits, 16384 rows
        and 32 MB), on, off; default: 'auto'.
    head_bits: quantize the output matrix to 8, 6 or 4 bits while loading; changes the results, on every
        machine alike; 0: as in the file; default: 0.
    """

    n_threads: int | None
    n_ctx: int | None
    n_batch: int | None
    pre: str | None
    activation: str | None
    kv_type: str | None
    screen: str | None
    head_bits: int | None


class GenerateOptions(TypedDict, total=False):
    """Keyword arguments of generate(), complete(), stream() and chat(); None is the default. The defaults are
    those of llama-cli. max_new_tokens and n_predict are max_tokens, temp is temperature.

    max_tokens: tokens to generate; -1: until the model ends or the context is full; default: -1.
    temperature: temperature of the sampling; 0 or less: greedy; default: 0.8.
    top_k: keep the N likeliest tokens; 0 or less: off; default: 40.
    top_p: keep the likeliest tokens that sum to X; 1 or more: off; 0: only the best token; default: 0.95.
    min_p: keep tokens at least X times as likely as the likeliest; 0 or less: off; default: 0.05.
    repeat_penalty: make recent tokens less likely; 1: off; default: 1.0.
    repeat_last_n: tokens that the penalty looks back on; -1: the whole context; default: 64.
    seed: same seed, same text, on every machine; default (in C++: 0), and -1 as a flag: a new one each
        time.
    lookup: guess up to N tokens from repetitions in the context; never changes the text; default: 0.
    ignore_eos: go on after the end-of-generation tokens; default: False.
    stop: generation ends before any of these texts.
    """

    max_tokens: int | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repeat_penalty: float | None
    repeat_last_n: int | None
    seed: int | None
    lookup: int | None
    ignore_eos: bool | None
    stop: str | Sequence[str] | None
