"""`sterna inspect`: what is in a GGUF file, and which kernel each tensor will use and why."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sterna

from .generation import exclusive
from .model_options import ISA, force_isa, load, load_options
from .options import Command, Option, path
from .streams import print_line, status_line

if TYPE_CHECKING:
    from .._core import GgufFile
    from ..model import Model

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


def _load(args: SimpleNamespace, file: str | None) -> tuple[Model | None, str]:
    """The model for its choice of kernels, or the reason why there is none."""
    if args.no_load:
        return None, ""
    try:
        return load(args, file, n_ctx=32), ""
    except (ValueError, sterna.UnsupportedError) as e:
        return None, str(e)


def _print(file: GgufFile, model: Model | None) -> None:
    print_line(f"{file.path}: GGUF version {file.version}, {file.file_bytes} bytes")
    print_line()
    for key in file.keys():  # noqa: SIM118  (not a mapping)
        print_line(f"{key} = {_printable(file[key])}")

    print_line()
    print_line(f"{'format':10} {'tensors':>8} {'bytes':>14}")
    tensors = file.tensors()
    for name in sorted({t.format for t in tensors}):
        sizes = [t.bytes for t in tensors if t.format == name]
        print_line(f"{name:10} {len(sizes):8} {sum(sizes):14}")

    kernels = {t.name: f"{t.kernel or '-'}: {t.why}" for t in model.tensors()} if model else {}
    print_line()
    for t in tensors:
        shape = " x ".join(map(str, t.shape))
        print_line(f"{t.name:32} {t.format:10} {shape:>16} {t.bytes:12}  {kernels.get(t.name, '')}".rstrip())
    if model:
        i = model.info
        print_line()
        print_line(f"{i.n_params} parameters, {i.weight_bytes} bytes in memory, {i.bytes_per_token} a token")
        print_line(f"KV cache: {i.kv_bytes_per_token} bytes a token of context, taken as tokens come")
        if i.n_layer_local:
            print_line(f"{i.n_layer_local} of {i.n_layer} layers see the last {i.window} tokens only")
        if i.screen_bytes:
            print_line(f"{i.screen_bytes} bytes more in memory to screen the output matrix")
        for warning in i.warnings:
            print_line(f"warning: {warning}")


def _inspect(args: SimpleNamespace) -> None:
    exclusive({"FILE": args.file, "-m": args.model})
    force_isa(args)
    name = args.model if args.file is None else args.file
    file = sterna.open_gguf(sterna.model.PACKAGED_MODEL if name is None else name)
    model, reason = _load(args, name)
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
        print(json.dumps(result, indent=1))
    else:
        _print(file, model)
    if reason:
        status_line(f"this file cannot be run: {reason}")


_FILE = (
    Option("-m --model", "model", "GGUF file; default: the small model in this package", path, "FILE"),
    Option("--json", "json", "everything, for programs", default=False),
    Option("--no-load", "no_load", "the file only, not the choice of kernels", default=False),
)

COMMAND = Command(
    "inspect",
    "Show what is in a GGUF file, and which kernel each tensor will use and why.",
    {"File": _FILE, "Model": (*load_options(without="n_threads n_ctx n_batch"), ISA)},
    ("model.gguf", "--no-load model.gguf", "--json model.gguf > model.json"),
    _inspect,
    operand=Option("", "file", "GGUF file", path, "FILE"),
)
