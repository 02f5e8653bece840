"""Neural networks with one- to four-bit weights on CPUs: load a GGUF model, generate text, or use the
matmul alone.

import sterna
with sterna.load("model.gguf") as model:
    print(model.generate("Once upon a time", max_tokens=64))
"""

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
    version,
)
from .cpu import explain_kernels, force_isa, set_kernel_choice
from .errors import UnsupportedError
from .golden import selftest
from .matmul import PackedWeights, dequantize, pack, pack_bcq
from .model import GenerateOptions, Model, load, open_gguf
from .tokenizer import Tokenizer

__version__ = version()

__all__ = [
    "Completion",
    "GenerateOptions",
    "GgufFile",
    "GgufTensor",
    "IsaInfo",
    "KernelExplanation",
    "KernelInfo",
    "KernelTiming",
    "Model",
    "ModelInfo",
    "PackedWeights",
    "ScreenStats",
    "TensorInfo",
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
