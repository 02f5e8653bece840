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
    KernelInfo,
    ModelInfo,
    TensorInfo,
    Token,
    cpu_name,
    force_isa,
    isas,
    kernels,
    usable_cpus,
    version,
)
from .errors import UnsupportedError
from .golden import selftest
from .matmul import PackedWeights, dequantize, pack
from .model import GenerateOptions, Model, load, open_gguf

__version__ = version()

__all__ = [
    "Completion",
    "GenerateOptions",
    "GgufFile",
    "GgufTensor",
    "IsaInfo",
    "KernelInfo",
    "Model",
    "ModelInfo",
    "PackedWeights",
    "TensorInfo",
    "Token",
    "UnsupportedError",
    "__version__",
    "cpu_name",
    "dequantize",
    "force_isa",
    "isas",
    "kernels",
    "load",
    "open_gguf",
    "pack",
    "selftest",
    "usable_cpus",
]
