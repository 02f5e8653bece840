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


INFINITY = {1: 0x7C}  # the high byte of an f16 at offset 0


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        ("blk.0.attn_q.weight", INFINITY),  # IQ2_XXS
        ("blk.0.attn_k.weight", INFINITY),  # IQ3_XXS
        ("blk.0.attn_v.weight", INFINITY),  # IQ4_XS
        ("blk.0.attn_output.weight", INFINITY),  # IQ3_S
        ("blk.0.ffn_gate.weight", INFINITY),  # IQ2_XS
        ("blk.0.ffn_up.weight", INFINITY),  # IQ2_S
        ("blk.1.attn_q.weight", INFINITY),  # IQ1_S
        ("blk.1.ffn_gate.weight", {49: 0, 51: 0, 53: 0xC0, 55: 0x70}),  # IQ1_M: four parts
    ],
)
def test_infinite_scales(tmp_path: Path, tensor: str, data: dict[int, int]) -> None:
    file = Gguf.read(MODELS / "mini-llama-iq.gguf")
    damaged = file.tensor(tensor)
    damaged.data = bytearray(damaged.data)
    for at, byte in data.items():
        damaged.data[at] = byte
    damaged.data = bytes(damaged.data)
    path = tmp_path / "damaged.gguf"
    path.write_bytes(file.build())
    with pytest.raises(ValueError, match="scales or elements is not a finite number"):
        sterna.load(path, n_ctx=16)


@pytest.mark.parametrize("scale", [0xD0, 0xFF])
def test_large_scales_of_mxfp4(tmp_path: Path, scale: int) -> None:
    """2^80 and 2^127 are numbers; the sum of squares, or what they are multiplied with, overflows."""
    file = Gguf.read(MODELS / "mini-llama-iq.gguf")
    damaged = file.tensor("blk.0.ffn_down.weight")
    damaged.data = bytes([scale]) + damaged.data[1:]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(file.build())
    with sterna.load(path, n_ctx=16) as m, pytest.raises(ValueError, match="not finite"):
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
