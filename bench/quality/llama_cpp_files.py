"""llama.cpp's quantizer, through llama-cpp-python: one file for each of its file types."""

import ctypes
import math
import sys
from pathlib import Path

import llama_cpp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import make_model  # noqa: E402

# Name of the file type: its number, and whether all tensors but the vectors get this one type. Numbers are those
# of LLAMA_FTYPE_*; left out are only those that the quantizer refuses (NVFP4: "invalid output file type").
# MXFP4 is by itself for experts only; here it is for all.
FILE_TYPES = {
    "F32": (0, False),
    "F16": (1, False),
    "BF16": (32, False),
    "Q8_0": (7, False),
    "Q6_K": (18, False),
    "Q5_1": (9, False),
    "Q5_0": (8, False),
    "Q5_K_M": (17, False),
    "Q5_K_S": (16, False),
    "Q4_1": (3, False),
    "Q4_0": (2, False),
    "Q4_K_M": (15, False),
    "Q4_K_S": (14, False),
    "IQ4_NL": (25, False),
    "IQ4_XS": (30, False),
    "MXFP4": (38, True),
    "Q3_K_L": (13, False),
    "Q3_K_M": (12, False),
    "Q3_K_S": (11, False),
    "IQ3_M": (27, False),
    "IQ3_S": (26, False),
    "IQ3_XS": (22, False),
    "IQ3_XXS": (23, False),
    "Q2_K": (10, False),
    "Q2_K_S": (21, False),
    "IQ2_M": (29, False),
    "IQ2_S": (28, False),
    "IQ2_XS": (20, False),
    "IQ2_XXS": (19, False),
    "IQ1_M": (31, False),
    "IQ1_S": (24, False),
    "TQ2_0": (37, False),
    "TQ1_0": (36, False),
    "Q2_0": (41, False),
    "Q1_0": (40, False),
}


def importances(model: Path):
    """The importance matrix without which the smallest types are refused: all of a row are equally important."""
    entries, kept = [], []
    for name, tensor in make_model.read_gguf(str(model)).tensors.items():
        if len(tensor.shape) > 1:
            n = tensor.shape[0] * math.prod(tensor.shape[2:])  # a row, of each expert
            kept.append((ctypes.c_float * n)(*([1.0] * n)))
            data = ctypes.cast(kept[-1], ctypes.POINTER(ctypes.c_float))
            entries.append(llama_cpp.llama_model_imatrix_data(name.encode(), data, n))
    entries.append(llama_cpp.llama_model_imatrix_data(None, None, 0))
    return (llama_cpp.llama_model_imatrix_data * len(entries))(*entries), kept


def quantize(source: Path, file_type: str, target: Path) -> bool:
    """False: llama.cpp does not make this type of this model (Q1_0 needs rows that are multiples of 128)."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.pure = FILE_TYPES[file_type]
    params.nthread, params.allow_requantize = 1, True
    params.imatrix, kept = importances(source)
    status = llama_cpp.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params))
    del kept  # until here
    return status == 0


class Peer:
    """A model in llama.cpp, on the CPU, one thread."""

    def __init__(self, path: Path, n_ctx: int, kv_type: str):
        options = {"type_k": 8, "type_v": 8, "flash_attn": True} if kv_type == "int8" else {}  # 8: Q8_0
        self.model = llama_cpp.Llama(
            str(path), n_ctx=n_ctx, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False, **options
        )

    def tokenize(self, text: str) -> list[int]:
        return self.model.tokenize(text.encode(), add_bos=True, special=False)

    def logits(self, tokens: list[int]) -> np.ndarray:
        self.model.reset()
        self.model.eval(tokens)
        return np.array(self.model.scores[: len(tokens)], np.float32)

    def greedy(self, tokens: list[int], count: int) -> list[int]:
        self.model.reset()
        self.model.eval(tokens)
        out = []
        for _ in range(count):
            out.append(int(self.model.scores[self.model.n_tokens - 1].argmax()))
            self.model.eval(out[-1:])
        return out

    def close(self) -> None:
        self.model.close()
