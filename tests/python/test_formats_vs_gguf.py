"""Decoding against code that shares nothing with ours: the gguf package, and a few lines of numpy for what it lacks.

Random bytes reach every code and sub-scale; the f16 scales are finite.

Tolerance: none. In f32 a product of an f16 scale, a sub-scale and a code is exact, so values without an offset are exact in
any order of operations, and values with one (d*sc*code - m*mn) are rounded once, on both sides.
"""

import numpy as np
import pytest
import sterna

# Format -> elements and bytes of a block, byte offsets of its f16 fields (IQ1_M's is in four parts).
BLOCKS = {
    "Q4_0": (32, 18, [0]),
    "Q4_1": (32, 20, [0, 2]),
    "Q5_0": (32, 22, [0]),
    "Q5_1": (32, 24, [0, 2]),
    "Q8_0": (32, 34, [0]),
    "IQ4_NL": (32, 18, [0]),
    "Q2_K": (256, 84, [80, 82]),
    "Q3_K": (256, 110, [108]),
    "Q4_K": (256, 144, [0, 2]),
    "Q5_K": (256, 176, [0, 2]),
    "Q6_K": (256, 210, [208]),
    "IQ4_XS": (256, 136, [0]),
    "IQ3_S": (256, 110, [0]),
    "IQ3_XXS": (256, 98, [0]),
    "IQ2_S": (256, 82, [0]),
    "IQ2_XS": (256, 74, [0]),
    "IQ2_XXS": (256, 66, [0]),
    "IQ1_M": (256, 56, []),
    "IQ1_S": (256, 50, [0]),
    "MXFP4": (32, 17, []),
    "NVFP4": (64, 36, []),
    "TQ1_0": (256, 54, [52]),
    "TQ2_0": (256, 66, [64]),
    "Q1_0": (128, 18, [0]),
    "Q2_0": (64, 18, [0]),
    "Q2_0_G128": (128, 34, [0]),
}
NUMPY = ["Q1_0", "Q2_0", "Q2_0_G128"]  # decoded by bits_in_order() instead of the package


def random_blocks(name: str, blocks: int) -> np.ndarray:
    rng = np.random.default_rng([ord(c) for c in name])
    _, size, f16_fields = BLOCKS[name]
    data = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
    for offset in f16_fields:
        scales = rng.integers(0, 1 << 16, blocks, dtype=np.uint16)
        scales[(scales & 0x7C00) == 0x7C00] ^= 0x4000  # infinities and NaNs become finite
        data[:, offset : offset + 2] = scales.astype("<u2").view(np.uint8).reshape(blocks, 2)
    if name == "IQ1_M":
        data[:, 55] &= 0xBF  # the same for its last part
    return data


def bits_in_order(data: np.ndarray, bits: int) -> np.ndarray:
    """d f16, then codes of 1 or 2 bits, the first in the lowest bits: d * (2b - 1) or d * (c - 1)."""
    d = data[:, :2].copy().view("<f2").astype(np.float32)
    b = np.unpackbits(data[:, 2:], axis=1, bitorder="little").astype(np.float32)
    codes = 2 * b - 1 if bits == 1 else b[:, 0::2] + 2 * b[:, 1::2] - 1
    return (d * codes).reshape(-1)


@pytest.mark.parametrize("blocks", [1, 3, 10000])
@pytest.mark.parametrize("name", [n for n in BLOCKS if n not in NUMPY])
def test_like_gguf_package(name: str, blocks: int) -> None:
    gguf = pytest.importorskip("gguf", reason="the gguf package is not installed")
    data = random_blocks(name, blocks).reshape(-1)
    with np.errstate(over="ignore"):  # MXFP4 goes up to 12 * 2^127
        want = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name]).reshape(-1)
    got = sterna.dequantize(name, data, blocks * BLOCKS[name][0])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("blocks", [1, 3, 64])
@pytest.mark.parametrize("name", NUMPY)
def test_bits_in_order(name: str, blocks: int) -> None:
    data = random_blocks(name, blocks)
    got = sterna.dequantize(name, data.reshape(-1), blocks * BLOCKS[name][0])
    np.testing.assert_array_equal(got, bits_in_order(data, 1 if name == "Q1_0" else 2))


@pytest.mark.parametrize("blocks", [1, 3, 64])
def test_i2_s(blocks: int) -> None:
    rng = np.random.default_rng(5)
    ternary = rng.integers(-1, 2, (blocks, 4, 32), dtype=np.int8)
    shifts = np.array([6, 4, 2, 0]).reshape(1, 4, 1)
    packed = np.bitwise_or.reduce((ternary + 1).astype(np.uint8) << shifts, axis=1).astype(np.uint8)
    tail = np.zeros(32, np.uint8)
    tail[:4] = np.array([0.375], "<f4").view(np.uint8)
    got = sterna.dequantize("I2_S", np.concatenate([packed.reshape(-1), tail]), blocks * 128)
    np.testing.assert_array_equal(got, np.float32(0.375) * ternary.reshape(-1))


def test_f16_all_values() -> None:
    data = np.arange(1 << 16, dtype="<u2")
    np.testing.assert_array_equal(
        sterna.dequantize("F16", data.view(np.uint8), data.size), data.view("<f2").astype(np.float32)
    )


def test_bf16_all_values() -> None:
    data = np.arange(1 << 16, dtype="<u2")
    want = (data.astype("<u4") << 16).view("<f4")
    np.testing.assert_array_equal(sterna.dequantize("BF16", data.view(np.uint8), data.size), want)


def test_f32() -> None:
    data = np.random.default_rng(6).integers(0, 1 << 32, 999, dtype=np.uint32).astype("<u4")
    np.testing.assert_array_equal(sterna.dequantize("F32", data.view(np.uint8), data.size), data.view("<f4"))
