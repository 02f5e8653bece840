"""Tensors that ask for another graph are refused by name."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import Gguf, Tensor

PROMPT = [1, 261, 262, 300, 17]
HEAD_DIM = 32  # of mini-spm, llama


def mini() -> Gguf:
    return Gguf.read(MODELS / "mini-spm.gguf")


def load(file: Gguf, tmp_path: Path, **options) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, **({"n_ctx": 32} | options))


def logits(file: Gguf, tmp_path: Path) -> np.ndarray:
    with load(file, tmp_path) as model:
        return model.forward(PROMPT)


def floats(name: str, n: int, value: float) -> Tensor:
    return Tensor(name, [n], 0, struct.pack("<f", value) * n)


# --- tensors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "rope_factors_long.weight",
        "rope_factors_short.weight",
        "token_embd_norm.weight",
        "token_embd_norm.bias",
        "token_embd.bias",
        "token_embd.scale",
        "position_embd.weight",
        "token_types.weight",
        "output_norm.bias",
        "output.bias",  # of an output matrix that is not there
        "output.scale",
        "cls.weight",
        "enc.blk.0.attn_q.weight",
        "v.patch_embd.weight",
        "mm.0.weight",
        "per_layer_token_embd.weight",
        "rope_freqs",
        "blk.0.attn_norm.bias",
        "blk.0.attn_sinks.weight",
        "blk.0.rope_freqs.weight",  # without the model's own
        "blk.2.attn_norm.weight",  # a layer too many
        "something_new.weight",
    ],
)
def test_tensor_without_a_place(tmp_path: Path, name: str) -> None:
    file = mini()
    n = {"token_embd.bias": 320, "token_embd.scale": 1}.get(name, 16)
    file.tensors.append(floats(name, n, 3.0))
    with pytest.raises(sterna.UnsupportedError, match=f"tensor '{name}': has no place in the graph"):
        load(file, tmp_path)


def test_harmless_tensors(tmp_path: Path) -> None:
    file = mini()
    file.tensors.append(floats("rope_freqs.weight", HEAD_DIM // 2, 2.0))
    want = logits(file, tmp_path)
    assert (want != logits(mini(), tmp_path)).any()
    names = ["blk.0.rope_freqs.weight", "blk.1.attn_q.input_scale", "blk.0.attn_rot_embd"]
    for name in names:
        file.tensors.append(floats(name, HEAD_DIM // 2, 2.0))
    with load(file, tmp_path) as model:
        np.testing.assert_array_equal(model.forward(PROMPT), want)
        for name in names:
            assert f"tensor '{name}' is not used" in model.info.warnings
    file.tensor("blk.0.rope_freqs.weight").data = struct.pack("<f", 4.0) * (HEAD_DIM // 2)
    with pytest.raises(sterna.UnsupportedError, match="blk.0.rope_freqs.weight"):
        load(file, tmp_path)
