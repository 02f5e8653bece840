"""Options that commands share, and loading a model by them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sterna

from .. import _core
from .errors import UsageError
from .library_options import arguments, library_options, several
from .options import Option, choice, path
from .streams import on_terminal, show_status, status_line

if TYPE_CHECKING:
    from ..model import Model


def isa(word: str) -> str:
    return choice(*(i.name for i in _core.isas()))(word)


ISA = Option("--isa", "isa", "use only this instruction set and those below it", isa, "NAME")


def _cache(option: Option) -> tuple[Option, ...]:
    """--kv-type, and llama.cpp's flags for it."""
    return (
        option,
        option._replace(
            names="-ctk --cache-type-k",
            dest="cache_k",
            help="the same in llama.cpp's words: f16, or q8_0 for int8",
        ),
        option._replace(names="-ctv --cache-type-v", dest="cache_v", help="the same"),
    )


def load_options(without: str = "", lists: str = "") -> tuple[Option, ...]:
    """The rows of load(), but those `without`; those of `lists` may have several values."""
    rows: list[Option] = []
    for option in library_options("load", without):
        row = several(option) if option.dest in lists.split() else option
        rows += _cache(row) if option.dest == "kv_type" else (row,)
    return tuple(rows)


MODEL = (
    Option("-m --model", "model", "GGUF file; default: the small model in this package", path, "FILE"),
    *load_options(),
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
            progress=_show_progress if on_terminal() else None,
            **{**arguments("load", args), "kv_type": kv_type(args), **options},
        )
    except sterna.UnsupportedError as e:
        if args.pre and "--pre" in str(e):
            raise UsageError(f"--pre: {e}") from e
        raise


def load_model(args: SimpleNamespace, **options: Any) -> Model:
    """The model of MODEL's options, which says what it had to guess."""
    model = load(args, args.model, **options)
    for warning in model.info.warnings:
        status_line(f"warning: {warning}")
    if args.verbose:
        i = model.info
        status_line(f"{i.path}: {i.name}, {i.architecture}, {i.main_format}, {i.n_params} parameters")
        status_line(f"loaded in {i.load_seconds:.2f} s; {i.isa}, {i.n_threads} threads, context {i.n_ctx}")
        status_line(f"{i.weight_bytes} bytes of weights in memory, {i.screen_bytes} more for screening")
    return model
