"""Flags and loading that the commands share."""

from __future__ import annotations

import argparse
import sys

from . import _core
from .model import Model, load


def status_line(text: str = "") -> None:
    print(text, file=sys.stderr, flush=True)


def add_model_flags(p: argparse.ArgumentParser) -> None:
    p.add_argument("-m", "--model", default=None, help="GGUF file; default: the small model in this package")
    p.add_argument(
        "-c", "--ctx-size", type=int, default=None, metavar="N", help="tokens of context; 0: the model's"
    )
    p.add_argument("-b", "--batch-size", type=int, default=512, metavar="N", help="prompt tokens per pass")
    p.add_argument("-t", "--threads", type=int, default=None, metavar="N", help="default: the usable CPUs")
    p.add_argument("--pre", default="", help="override the pre-tokenizer")
    p.add_argument("--activation", default="", help="override the FFN activation: relu2 or silu")
    p.add_argument("--kv-type", default="f16", metavar="TYPE", help="KV cache: f16, or int8: half the memory")
    add_head_flags(p)
    p.add_argument("--isa", default="", help="use only this instruction set and those below it")
    p.add_argument("-v", "--verbose", action="store_true", help="say more about the model")


def add_head_flags(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--screen",
        choices=["auto", "on", "off"],
        default="auto",
        help="compute only the logits that sampling needs; never changes the text; default: auto",
    )
    p.add_argument(
        "--head-bits",
        type=int,
        choices=[0, 4, 6, 8],
        default=0,
        help="quantize the output matrix; default: 0, as in the file",
    )


def show_progress(fraction: float) -> None:
    print(f"\rloading {fraction:4.0%}", end="\r\x1b[K" if fraction >= 1 else "", file=sys.stderr, flush=True)


def load_model(args: argparse.Namespace) -> Model:
    if args.isa:
        _core.force_isa(args.isa)
    model = load(
        args.model,
        n_threads=args.threads,
        n_ctx=args.ctx_size,
        n_batch=args.batch_size,
        pre=args.pre,
        activation=args.activation,
        kv_type=args.kv_type,
        screen=args.screen,
        head_bits=args.head_bits,
        progress=show_progress if sys.stderr.isatty() else None,
    )
    for warning in model.info.warnings:
        status_line(f"warning: {warning}")
    if args.verbose:
        i = model.info
        status_line(f"{i.path}: {i.name}, {i.architecture}, {i.main_format}, {i.n_params} parameters")
        status_line(f"loaded in {i.load_seconds:.2f} s; {i.isa}, {i.n_threads} threads, context {i.n_ctx}")
        status_line(f"{i.weight_bytes} bytes of weights in memory, {i.screen_bytes} more for screening")
    return model
