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
@pytest.mark.parametrize(
    ("bits", "zero"), [(1, 0), (2, 1), (2, 0), (3, 4), (4, 8), (5, 3), (6, 32), (7, 64), (8, 128)]
)
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


@pytest.mark.parametrize("blocks", [None, 4])
@pytest.mark.parametrize("bits", range(1, 9))
def test_width_of_activations(bits, blocks) -> None:
    codes, scales, rng = make(33, 128, bits, blocks)
    w = sterna.pack(codes, scales, bits=bits, zero=1)
    x = rng.standard_normal((7, 128)).astype(np.float32)
    dense = values(codes, scales, bits, 1)
    largest = np.abs(x).reshape(7, -1, 32).max(2).repeat(32, 1) if blocks else np.abs(x).max(1, keepdims=True)
    for act_bits, steps in ((4, 7), (8, 127), (16, 32639)):
        bound = np.broadcast_to(largest / steps / 2, x.shape) @ np.abs(dense).T * 1.01 + 1e-3
        assert (np.abs(w.matmul(x, act_bits=act_bits) - x @ dense.T) <= bound).all()
    np.testing.assert_array_equal(w.matmul(x, act_bits=8), w.matmul(x))
    with pytest.raises(ValueError, match="act_bits, got 5"):
        w.matmul(x, act_bits=5)


@pytest.mark.parametrize("blocks", [None, 4])
def test_codebook(blocks) -> None:
    codes, scales, rng = make(33, 128, 3, blocks)
    book = np.array([-128, -40, -9, 0, 2, 11, 50, 127], np.int8)
    x = rng.standard_normal((5, 128)).astype(np.float32)
    w = sterna.pack(codes, scales, bits=3, codebook=book)
    want = x @ values(book[codes], scales, 8, 0).T
    np.testing.assert_allclose(w.matmul(x, act_bits=16), want, rtol=1e-4, atol=0.1)
    with pytest.raises(ValueError, match="codebook, got 8 values for 2 bits"):
        sterna.pack(codes % 4, scales, bits=2, codebook=book)
    with pytest.raises(TypeError, match="codebook"):
        sterna.pack(codes, scales, bits=3, codebook=book.astype(float))


@pytest.mark.parametrize("blocks", [None, 4])
def test_binary_planes(blocks) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (3, 20, 128), dtype=np.uint8)
    scales = rng.uniform(0.5, 1.5, (3, 20) if blocks is None else (3, 20, blocks)).astype(np.float32)
    x = rng.standard_normal((5, 128)).astype(np.float32)
    w = sterna.pack_bcq(codes, scales)
    assert w.shape == (20, 128) and w.bits == 3
    np.testing.assert_array_equal(
        w.matmul(x), sum(sterna.pack(c, s, bits=1).matmul(x) for c, s in zip(codes, scales, strict=True))
    )
    want = sum(x @ values(c, s, 1, 0).T for c, s in zip(codes, scales, strict=True))
    np.testing.assert_allclose(w.matmul(x, act_bits=16), want, rtol=1e-4, atol=1e-2)
    for bad_codes, bad_scales in (
        (codes, scales[:2]),
        (codes[:0], scales[:0]),
        (codes[:, :19].copy(), scales),
    ):
        with pytest.raises(ValueError):
            sterna.pack_bcq(bad_codes, bad_scales)
    with pytest.raises(ValueError, match="expected at most 1"):
        sterna.pack_bcq(codes + np.uint8(1), scales)


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
                better = [i.name for i in sterna.isas()]
                better = better[: better.index(isa.name)]  # than the forced one, which may lack the kernel
                assert not any(w.kernel.endswith("_" + name) for name in better)
                lists_it = any(k.isa == isa.name and k.variant in w.kernel for k in sterna.kernels())
                assert w.kernel.endswith("_" + isa.name) or not lists_it
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


def test_shared_threads() -> None:
    weights = sterna.pack(np.full((40, 64), 2, np.uint8), np.ones(40, np.float32), bits=2, zero=1)
    x = np.linspace(-1, 1, 3 * 64, dtype=np.float32).reshape(3, 64)
    threads = sterna.Threads(2)
    assert np.array_equal(weights.matmul(x, threads=threads), weights.matmul(x, n_threads=1))
    assert np.array_equal(weights.matmul(x, threads=threads, n_threads=2), weights.matmul(x))
    with pytest.raises(ValueError, match="expected one of the two"):
        weights.matmul(x, threads=threads, n_threads=3)
    with pytest.raises(TypeError, match="threads"):
        weights.matmul(x, threads=2)  # type: ignore[arg-type]
