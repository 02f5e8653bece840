"""Options that commands share, and loading a model by them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sterna

from .. import _core
from .errors import UsageError
from .options import Option, Reader, choice, one_of, path, text, whole
from .streams import on_terminal, show_status, status_line

if TYPE_CHECKING:
    from ..model import Model

MAX_CONTEXT = 1 << 30
_kv_type_nameS = {"f16": "f16", "fp16": "f16", "q8_0": "int8", "int8": "int8"}


def kv_type_name(word: str) -> str:
    if word not in _kv_type_nameS:
        raise ValueError("f16, or q8_0, which is int8 here")
    return _kv_type_nameS[word]


def isa(word: str) -> str:
    return choice(*(i.name for i in _core.isas()))(word)


def _threads(word: str) -> int | None:
    n = whole(-1, 1024)(word)
    if n == 0:
        raise ValueError("1 to 1024, or -1 for the usable CPUs")
    return None if n < 0 else n


ISA = Option("--isa", "isa", "use only this instruction set and those below it", isa, "NAME")
OVERRIDES = (
    Option("--pre", "pre", "override the pre-tokenizer", text, "NAME", ""),
    Option("--activation", "activation", "override the FFN activation of a bitnet model: relu2 or silu",
           choice("relu2", "silu"), "NAME", ""),
)  # fmt: skip
HEAD_BITS = Option(
    "--head-bits",
    "head_bits",
    "quantize the output matrix to 8, 6 or 4 bits; default: 0, as in the file",
    one_of(0, 4, 6, 8),
    "N",
    0,
)
HEAD = (
    Option("--screen", "screen", "compute only the logits that sampling needs; never changes the text: auto, on, off",
           choice("auto", "on", "off"), "WHEN", "auto"),
    HEAD_BITS,
)  # fmt: skip


def cache_options(read: Reader = kv_type_name, repeat: bool = False) -> tuple[Option, ...]:
    return (
        Option("--kv-type", "kv_type", "KV cache: f16, or int8: half the memory; default: f16", read, "TYPE",
               repeat=repeat),
        Option("-ctk --cache-type-k", "cache_k", "the same in llama.cpp's words: f16, or q8_0 for int8", read, "TYPE",
               repeat=repeat),
        Option("-ctv --cache-type-v", "cache_v", "the same", read, "TYPE", repeat=repeat),
    )  # fmt: skip


MODEL = (
    Option("-m --model", "model", "GGUF file; default: the small model in this package", path, "FILE"),
    Option("-c --ctx-size", "ctx_size", "tokens of context; 0: the model's; default: the model's, at most 4096",
           whole(0, MAX_CONTEXT), "N"),
    Option("-b --batch-size", "batch_size", "prompt tokens per pass; never changes the text", whole(1, 65536), "N", 512),
    Option("-t --threads", "threads", "default: the usable CPUs (-1)", _threads, "N"),
    *cache_options(),
    *OVERRIDES,
    *HEAD,
    ISA,
    Option("-v --verbose --log-verbose", "verbose", "say more about the model", default=False),
)  # fmt: skip


def kv_type(args: SimpleNamespace) -> Any:
    """What --kv-type, -ctk and -ctv agree on: a name, a list where they may be repeated; None without them."""
    given = {"--kv-type": args.kv_type, "-ctk": args.cache_k, "-ctv": args.cache_v}
    asked = {name: value for name, value in given.items() if value}
    values = list(asked.values())
    if any(value != values[0] for value in values):
        raise UsageError(
            f"{' and '.join(asked)}: got different types, expected one: keys and values have the same type here"
        )
    if values and "int8" in values[0] and not args.kv_type:
        status_line("note: the KV cache is int8 here where llama.cpp has q8_0, keys and values both")
    return values[0] if values else None


def force_isa(args: SimpleNamespace) -> None:
    if args.isa:
        _core.force_isa(args.isa)


def _show_progress(fraction: float) -> None:
    show_status(f"\rloading {fraction:4.0%}" + ("\r\x1b[K" if fraction >= 1 else ""))


def load(args: SimpleNamespace, name: str | None, **options: Any) -> Model:
    """The model with the options that all commands have; `options` are further arguments of sterna.load()."""
    force_isa(args)
    try:
        return sterna.load(
            name,
            pre=args.pre,
            activation=args.activation,
            kv_type=kv_type(args) or "f16",
            head_bits=args.head_bits,
            progress=_show_progress if on_terminal() else None,
            **{"screen": args.screen, **options},
        )
    except sterna.UnsupportedError as e:
        if args.pre and "--pre" in str(e):
            raise UsageError(f"--pre: {e}") from e
        raise


def load_model(args: SimpleNamespace, **options: Any) -> Model:
    """The model of MODEL's options, which says what it had to guess."""
    model = load(
        args, args.model, n_threads=args.threads, n_ctx=args.ctx_size, n_batch=args.batch_size, **options
    )
    for warning in model.info.warnings:
        status_line(f"warning: {warning}")
    if args.verbose:
        i = model.info
        status_line(f"{i.path}: {i.name}, {i.architecture}, {i.main_format}, {i.n_params} parameters")
        status_line(f"loaded in {i.load_seconds:.2f} s; {i.isa}, {i.n_threads} threads, context {i.n_ctx}")
        status_line(f"{i.weight_bytes} bytes of weights in memory, {i.screen_bytes} more for screening")
    return model
