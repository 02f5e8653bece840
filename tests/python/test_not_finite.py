"""A number that is not finite, wherever it arises, ends in an error or in NaN, never in other numbers."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import Gguf


@pytest.mark.parametrize("kv_type", ["f16", "int8"])
@pytest.mark.parametrize(
    ("model", "tensor"),
    [
        ("mini-qwen3-q1_0", "blk.0.attn_norm.weight"),
        ("mini-qwen3-q1_0", "blk.0.attn_q_norm.weight"),
        ("mini-qwen3-q1_0", "blk.1.attn_k_norm.weight"),
        ("mini-qwen3-q1_0", "blk.1.ffn_norm.weight"),
        ("mini-bitnet-i2_s", "blk.1.attn_norm.weight"),
        ("mini-bitnet-i2_s", "blk.0.ffn_sub_norm.weight"),
        ("mini-llama-kquants", "blk.0.attn_norm.weight"),
        ("mini-qwen2-q8_0", "blk.0.attn_q.bias"),
        ("mini-qwen2-q8_0", "blk.0.attn_k.bias"),
        ("mini-qwen2-q8_0", "blk.0.attn_v.bias"),
    ],
)
def test_overflow_inside_the_graph(tmp_path: Path, model: str, tensor: str, kv_type: str) -> None:
    """A finite weight so large that what it is multiplied with overflows: keys, scores, products."""
    file = Gguf.read(MODELS / f"{model}.gguf")
    damaged = file.tensor(tensor)
    damaged.data = struct.pack("<f", 3e38) * damaged.shape[0]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(file.build())
    with sterna.load(path, n_ctx=16, kv_type=kv_type) as m, pytest.raises(ValueError, match="not finite"):
        m.forward([1, 5, 9, 100])


@pytest.mark.parametrize("act_bits", [4, 8, 16])
@pytest.mark.parametrize("blocks", [None, 4])
@pytest.mark.parametrize("planes", [1, 2])
def test_matmul_rows(planes: int, blocks: int | None, act_bits: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (planes, 40, 128), dtype=np.uint8)
    scales = rng.uniform(0.5, 1.5, (planes, 40) if blocks is None else (planes, 40, blocks)).astype(
        np.float32
    )
    w = sterna.pack(codes[0], scales[0], bits=1) if planes == 1 else sterna.pack_bcq(codes, scales)
    x = rng.standard_normal((6, 128)).astype(np.float32)
    want = w.matmul(x, act_bits=act_bits)
    x[1, 127], x[2, 0], x[4] = np.nan, -np.inf, np.nan
    got = w.matmul(x, act_bits=act_bits)
    assert np.isnan(got[[1, 2, 4]]).all()
    np.testing.assert_array_equal(got[[0, 3, 5]], want[[0, 3, 5]])
    assert np.isnan(w.matmul(x[1:2], act_bits=act_bits)).all()  # one row takes other kernels
