"""`sterna inspect`: what is in a GGUF file, and which kernel each tensor will use and why."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import _core
from .cli_common import add_head_flags, status_line
from .errors import UnsupportedError
from .model import PACKAGED_MODEL, Model, load, open_gguf

_MAX_VALUE = 100  # characters of a metadata value that are printed


def _fields(object: Any) -> dict[str, Any]:
    """The properties of one of the module's results; not its methods and arrays."""
    values = {name: getattr(object, name) for name in dir(object) if not name.startswith("_")}
    return {name: value for name, value in values.items() if isinstance(value, (str, int, float, list))}


def _printable(value: Any) -> str:
    if isinstance(value, list):
        more = f", ... ({len(value)})" if len(value) > 4 else ""
        return "[" + ", ".join(map(_printable, value[:4])) + more + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}... ({len(text)} characters)"


def _load(args: argparse.Namespace) -> tuple[Model | None, str]:
    """The model for its choice of kernels, or the reason why there is none."""
    if args.no_load:
        return None, ""
    try:
        return load(
            args.model,
            n_ctx=32,
            pre=args.pre,
            activation=args.activation,
            kv_type=args.kv_type,
            screen=args.screen,
            head_bits=args.head_bits,
        ), ""
    except (ValueError, UnsupportedError) as e:
        return None, str(e)


def _print(file: _core.GgufFile, model: Model | None) -> None:
    print(f"{file.path}: GGUF version {file.version}, {file.file_bytes} bytes\n")
    for key in file.keys():  # noqa: SIM118  (not a mapping)
        print(f"{key} = {_printable(file[key])}")

    print(f"\n{'format':10} {'tensors':>8} {'bytes':>14}")
    tensors = file.tensors()
    for name in sorted({t.format for t in tensors}):
        sizes = [t.bytes for t in tensors if t.format == name]
        print(f"{name:10} {len(sizes):8} {sum(sizes):14}")

    kernels = {t.name: f"{t.kernel or '-'}: {t.why}" for t in model.tensors()} if model else {}
    print()
    for t in tensors:
        shape = " x ".join(map(str, t.shape))
        print(f"{t.name:32} {t.format:10} {shape:>16} {t.bytes:12}  {kernels.get(t.name, '')}".rstrip())
    if model:
        i = model.info
        print(f"\n{i.n_params} parameters, {i.weight_bytes} bytes in memory, {i.bytes_per_token} a token")
        print(f"KV cache: {i.kv_bytes_per_token} bytes a token of context, taken as tokens come")
        if i.screen_bytes:
            print(f"{i.screen_bytes} bytes more in memory to screen the output matrix")
        for warning in i.warnings:
            print(f"warning: {warning}")


def _inspect(args: argparse.Namespace) -> None:
    if args.isa:
        _core.force_isa(args.isa)
    args.model = args.model or args.path
    file = open_gguf(args.model or PACKAGED_MODEL)
    model, reason = _load(args)
    if args.json:
        result = {
            "path": file.path,
            "version": file.version,
            "file_bytes": file.file_bytes,
            "metadata": {key: file[key] for key in file.keys()},  # noqa: SIM118
            "tensors": [_fields(t) for t in file.tensors()],
            "model": _fields(model.info) if model else None,
            "kernels": [_fields(t) for t in model.tensors()] if model else None,
            "not_loadable": reason or None,
        }
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        _print(file, model)
    if reason:
        status_line(f"this file cannot be run: {reason}")


def add_inspect(commands: Any) -> None:
    p = commands.add_parser("inspect", help="metadata, tensors, kernels of a GGUF file", allow_abbrev=False)
    p.add_argument(
        "path", nargs="?", default=None, help="GGUF file; default: the small model in this package"
    )
    p.add_argument("-m", "--model", default=None, help="the same")
    p.add_argument("--json", action="store_true", help="everything, for programs")
    p.add_argument("--no-load", action="store_true", help="the file only, not the choice of kernels")
    p.add_argument("--pre", default="", help="override the pre-tokenizer")
    p.add_argument("--activation", default="", help="override the FFN activation: relu2 or silu")
    p.add_argument("--kv-type", default="f16", metavar="TYPE", help="KV cache: f16, or int8: half the memory")
    add_head_flags(p)
    p.add_argument("--isa", default="", help="as if only this instruction set and those below it were there")
    p.set_defaults(function=_inspect)
