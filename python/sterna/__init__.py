"""Neural networks with one- to four-bit weights on CPUs: load a GGUF model, generate text, or use the
matmul alone.

import sterna
with sterna.load("model.gguf") as model:
    print(model.generate("Once upon a time", max_tokens=64))
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = (
    False  # for type checkers True; importing typing would take a third of the time of this import
)
if TYPE_CHECKING:
    from typing import Any

    from ._core import (
        Completion,
        GgufFile,
        GgufTensor,
        IsaInfo,
        KernelExplanation,
        KernelInfo,
        KernelTiming,
        ModelInfo,
        ScreenStats,
        TensorInfo,
        Token,
        cpu_name,
        isas,
        kernels,
        usable_cpus,
    )
    from .cpu import explain_kernels, force_isa, set_kernel_choice
    from .errors import UnsupportedError
    from .golden import selftest
    from .matmul import PackedWeights, dequantize, pack, pack_bcq
    from .model import Model, load, open_gguf
    from .option_types import GenerateOptions, LoadOptions
    from .session import Session
    from .threads import Threads
    from .tokenizer import Tokenizer

    __version__: str

__all__ = [
    "Completion",
    "GenerateOptions",
    "GgufFile",
    "GgufTensor",
    "IsaInfo",
    "KernelExplanation",
    "KernelInfo",
    "KernelTiming",
    "LoadOptions",
    "Model",
    "ModelInfo",
    "PackedWeights",
    "ScreenStats",
    "Session",
    "TensorInfo",
    "Threads",
    "Token",
    "Tokenizer",
    "UnsupportedError",
    "__version__",
    "cpu_name",
    "dequantize",
    "explain_kernels",
    "force_isa",
    "isas",
    "kernels",
    "load",
    "open_gguf",
    "pack",
    "pack_bcq",
    "selftest",
    "set_kernel_choice",
    "usable_cpus",
]

# Where the names above come from; they are imported when they are first used (PEP 562), numpy among the costs.
_HOME = {
    "cpu": "explain_kernels force_isa set_kernel_choice",
    "errors": "UnsupportedError",
    "golden": "selftest",
    "matmul": "PackedWeights dequantize pack pack_bcq",
    "model": "Model load open_gguf",
    "option_types": "GenerateOptions LoadOptions",
    "session": "Session",
    "threads": "Threads",
    "tokenizer": "Tokenizer",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_SUBMODULES = (
    "_core",
    "chat_template",
    "cli",
    "cpu",
    "errors",
    "golden",
    "matmul",
    "model",
    "session",
    "sparse",
    "template",
    "threads",
    "tokenizer",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name == "__version__":
        value = import_module("._core", __name__).version()
    elif name in __all__:
        value = getattr(import_module(f".{_MODULE_OF.get(name, '_core')}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
