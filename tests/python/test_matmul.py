"""sterna.pack and w @ x against numpy in float64."""

import threading

import numpy as np
import pytest
import sterna


def make(rows: int, depth: int, bits: int, blocks: int | None, seed: int = 0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << bits, (rows, depth), dtype=np.uint8)
    scales = rng.uniform(0.5, 1.5, (rows,) if blocks is None else (rows, blocks)).astype(np.float32)
    return codes, scales, rng


def values(codes, scales, bits, zero):
    plain = 2.0 * codes - 1 if bits == 1 else codes.astype(np.float64) - zero
    return plain * np.repeat(
        scales.reshape(len(scales), -1), codes.shape[1] // scales.reshape(len(scales), -1).shape[1], 1
    )


def as_int8(x, blocks):
    """x as the arithmetic sees it: 127 steps of the largest magnitude, per token or per 32 elements."""
    shaped = x.reshape(len(x), -1, 32) if blocks else x.reshape(len(x), 1, -1)
    step = np.abs(shaped).max(axis=2, keepdims=True) / 127
    return (np.round(shaped / step) * step).reshape(x.shape)


@pytest.mark.parametrize("blocks", [None, 4])
@pytest.mark.parametrize(("bits", "zero"), [(1, 0), (2, 1), (2, 0), (4, 8), (8, 128)])
@pytest.mark.parametrize(("rows", "depth", "n"), [(1, 128, 1), (17, 128, 3), (64, 256, 33)])
def test_like_numpy(rows, depth, n, bits, zero, blocks) -> None:
    codes, scales, rng = make(rows, depth, bits, blocks)
    w = sterna.pack(codes, scales, bits=bits, zero=zero)
    x = rng.standard_normal((n, depth)).astype(np.float32)
    dense = values(codes, scales, bits, zero)
    got = w.matmul(x)
    assert got.dtype == np.float32 and got.shape == (n, rows)
    # Every activation is off by at most half a step of its scale.
    largest = np.abs(x).reshape(n, -1, 32).max(2).repeat(32, 1) if blocks else np.abs(x).max(1, keepdims=True)
    bound = np.broadcast_to(largest / 127 / 2, x.shape) @ np.abs(dense).T * 1.01
    assert (np.abs(got - x @ dense.T) <= bound).all()
    if blocks is None:  # one rounding of x per token: no more than float32 rounding is left
        np.testing.assert_allclose(got, as_int8(x, False) @ dense.T, rtol=1e-4, atol=1e-3)


def test_shapes_of_the_product() -> None:
    codes, scales, rng = make(24, 64, 2, None)
    w = sterna.pack(codes, scales)
    x = rng.standard_normal((5, 64)).astype(np.float32)
    y = w.matmul(x)
    assert w.shape == (24, 64) and w.bits == 2 and w.kernel.startswith("qgemm_w2_row") and "24x64" in repr(w)
    assert 24 * 64 // 4 <= w.nbytes < 24 * 64
    np.testing.assert_array_equal(w @ x[2], y[2])
    np.testing.assert_array_equal(w.matmul(x[2]), y[2])
    np.testing.assert_array_equal(w @ x.T, y.T)
    np.testing.assert_array_equal(w @ np.asfortranarray(x.T[:, :1]), y.T[:, :1])
    out = np.full((5, 24), np.nan, np.float32)
    assert w.matmul(x, out=out) is out
    np.testing.assert_array_equal(out, y)


def test_inputs_are_read_where_they_are() -> None:
    codes, scales, rng = make(8, 64, 2, None)
    w = sterna.pack(codes, scales)
    x = rng.standard_normal((4, 64)).astype(np.float32)
    x.flags.writeable = codes.flags.writeable = scales.flags.writeable = False
    out = np.empty((6, 8), np.float32)
    w.matmul(x, out=out[1:5])
    np.testing.assert_array_equal(out[1:5], w.matmul(x))
    np.testing.assert_array_equal(sterna.pack(codes, scales).matmul(x), w.matmul(x))


@pytest.mark.parametrize("blocks", [None, 8])
def test_threads_and_isas_give_the_same_bits(blocks) -> None:
    codes, scales, rng = make(100, 512, 2, blocks)
    x = rng.standard_normal((37, 512)).astype(np.float32)
    results = []
    try:
        for isa in sterna.isas():
            if isa.supported:
                sterna.force_isa(isa.name)
                w = sterna.pack(codes, scales)
                assert w.kernel.endswith(isa.name)
                results += [w.matmul(x, n_threads=n) for n in (1, 2, 7)] + [np.stack([w @ row for row in x])]
    finally:
        sterna.force_isa("")
    for r in results:
        np.testing.assert_array_equal(r, results[0])


def test_several_threads_at_once() -> None:
    codes, scales, rng = make(64, 256, 2, None)
    w = sterna.pack(codes, scales)
    x = rng.standard_normal((16, 256)).astype(np.float32)
    want, got = w.matmul(x), []
    threads = [threading.Thread(target=lambda: got.append(w.matmul(x))) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 6
    for y in got:
        np.testing.assert_array_equal(y, want)


def test_zero_input() -> None:
    codes, scales, _ = make(8, 64, 2, None)
    w = sterna.pack(codes, scales)
    np.testing.assert_array_equal(w @ np.zeros(64, np.float32), np.zeros(8, np.float32))


def test_dequantize_rows() -> None:
    block = np.zeros(18, np.uint8)
    block[:2] = np.array([2.0], "<f2").view(np.uint8)
    block[2:] = 0x9A  # codes 10 and 9 of 4 bits around 8
    want = np.repeat([4.0, 2.0], 16).astype(np.float32)
    np.testing.assert_array_equal(sterna.dequantize("Q4_0", block, 32), want)
    np.testing.assert_array_equal(
        sterna.dequantize("Q4_0", np.tile(block, 6), (3, 64)), np.tile(want, (3, 2))
    )
