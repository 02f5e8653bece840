"""The raw low-bit matmul on numpy arrays. Arrays are used where they are: a wrong type or layout is an
error, not a copy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import count, integer, optional, string, wrong_type
from .threads import Threads, shared


def _check(name: str, array: object, dtype: type, *ndims: int) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        got = f"{array.dtype} array" if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name}: got {got}, expected a numpy array of {np.dtype(dtype)}")
    if array.ndim not in ndims:
        raise ValueError(f"{name}: got {array.ndim} dimensions, expected {' or '.join(map(str, ndims))}")
    return array


def _check_contiguous(name: str, array: np.ndarray) -> np.ndarray:
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: got a non-contiguous array, expected C order; see numpy.ascontiguousarray")
    return array


class PackedWeights:
    """An immutable low-bit matrix of `shape` (rows, depth); made by pack(), usable from several threads at
    once.
    """

    __array_ufunc__ = None  # x @ w is then an error instead of an attempt at an array of objects

    def __init__(self, core: _core.PackedWeights) -> None:
        self._core = core

    @property
    def shape(self) -> tuple[int, int]:
        return self._core.rows, self._core.depth

    @property
    def bits(self) -> int:
        return self._core.bits

    @property
    def nbytes(self) -> int:
        """Packed size in memory."""
        return self._core.bytes

    @property
    def kernel(self) -> str:
        """The kernel in use, e.g. "qgemm_w2_row_avx512"."""
        return self._core.kernel

    def matmul(
        self,
        x: npt.NDArray[np.float32],
        *,
        out: npt.NDArray[np.float32] | None = None,
        n_threads: int | None = None,
        threads: Threads | None = None,
        act_bits: int | None = 8,
    ) -> npt.NDArray[np.float32]:
        """Token-major product, like torch.nn.functional.linear: x (n, depth) -> (n, rows), or (depth,) ->
        (rows,).

        x and out are C-contiguous float32 and are not copied; out must not overlap x. act_bits: x is rounded
        to 4, 8 or 16 bits, with a scale per token or, if the weights have blocks, per block. n_threads:
        default the CPUs this process may use; or threads, which models and other products share. An x without rows gives an empty result; the result of a token
        with a number that is not finite is NaN.
        """
        n_threads = optional(integer, "[matmul] n_threads", n_threads, None)
        pool = optional(shared, "[matmul] threads", threads, None)
        if pool is not None and n_threads not in (None, pool.size):
            raise ValueError(
                f"[matmul] n_threads, got {n_threads} and {pool.size} threads, expected one of the two"
            )
        act_bits = optional(integer, "[matmul] act_bits", act_bits, 8)
        _check_contiguous("x", _check("x", x, np.float32, 1, 2))
        rows, depth = self.shape
        if x.shape[-1] != depth:
            raise ValueError(f"x: got shape {x.shape}, expected the last dimension to be {depth}")
        shape = (*x.shape[:-1], rows)
        if out is None:
            out = np.empty(shape, np.float32)
        elif _check_contiguous("out", _check("out", out, np.float32, x.ndim)).shape != shape:
            raise ValueError(f"out: got shape {out.shape}, expected {shape}")
        elif not out.flags.writeable:
            raise ValueError("out: got a read-only array, expected a writable one")
        elif np.may_share_memory(x, out):
            raise ValueError("out: got memory that overlaps x, expected separate arrays")
        if not x.size:
            return out
        workers = pool or n_threads
        if workers is None:
            workers = _core.usable_cpus()
        self._core.matmul(x.reshape(-1, depth), out.reshape(-1, rows), workers, act_bits)
        return out

    def __matmul__(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """numpy's product: (depth,) -> (rows,), (depth, n) -> (rows, n). Columns of x must be contiguous."""
        if not isinstance(x, np.ndarray):
            return NotImplemented
        if x.ndim != 2:
            return self.matmul(x)
        if not x.T.flags.c_contiguous:
            raise ValueError(
                "x: got contiguous rows, expected contiguous columns; use w.matmul(tokens) with tokens of "
                "shape (n, depth), or pass numpy.asfortranarray(x)"
            )
        return self.matmul(x.T).T

    def __repr__(self) -> str:
        return f"<sterna.PackedWeights {self.shape[0]}x{self.shape[1]}, {self.bits} bits, {self.kernel}>"


def _block(scales: np.ndarray, rows: int, depth: int) -> int:
    """Codes per scale, from the shape (..., rows) or (..., rows, blocks) of the scales; 0: one per row."""
    if scales.shape[0] != rows:
        raise ValueError(f"scales: got shape {scales.shape}, expected one row per row of codes, {rows}")
    if scales.ndim == 1:
        return 0
    if not scales.shape[1] or depth % scales.shape[1]:
        raise ValueError(
            f"scales: got {scales.shape[1]} blocks per row, expected a divisor of the depth {depth}"
        )
    return depth // scales.shape[1]


def pack(
    codes: npt.NDArray[np.uint8],
    scales: npt.NDArray[np.float32],
    *,
    bits: int | None = 2,
    zero: int | None = 1,
    codebook: npt.NDArray[np.int8] | None = None,
) -> PackedWeights:
    """Pack integer codes for `w @ x`: value(r, k) = scale * (codes[r, k] - zero); for bits=1 scale *
    (2*code - 1); with a codebook of 2**bits int8 values scale * codebook[code].

    codes: uint8 (rows, depth), each < 2**bits. scales: float32 (rows,), or (rows, depth / block) with one
    scale per block of a multiple of 32 codes. bits: 1 to 8, with a codebook at most 4. The product has the
    same bits on every machine and number of threads. A matrix without rows or columns is an error.
    """
    bits = optional(integer, "[pack] bits", bits, 2)
    zero = optional(integer, "[pack] zero", zero, 1)
    _check_contiguous("codes", _check("codes", codes, np.uint8, 2))
    _check_contiguous("scales", _check("scales", scales, np.float32, 1, 2))
    if codebook is not None:
        _check_contiguous("codebook", _check("codebook", codebook, np.int8, 1))
    block = _block(scales, *codes.shape)
    return PackedWeights(_core.pack(codes, scales.reshape(-1), bits, zero, block, codebook))


def pack_bcq(codes: npt.NDArray[np.uint8], scales: npt.NDArray[np.float32]) -> PackedWeights:
    """Pack binary-coded weights: value(r, k) = sum over planes p of scale_p * (2 * codes[p, r, k] - 1).

    codes: uint8 (planes, rows, depth) of 0 and 1, 1 to 8 planes. scales: float32 (planes, rows), or (planes,
    rows, depth / block). The planes' products are added in order.
    """
    _check_contiguous("codes", _check("codes", codes, np.uint8, 3))
    _check_contiguous("scales", _check("scales", scales, np.float32, 2, 3))
    if scales.shape[0] != codes.shape[0]:
        raise ValueError(f"scales: got {scales.shape[0]} planes, expected those of codes, {codes.shape[0]}")
    if not codes.shape[0]:
        raise ValueError("codes: got no planes, expected 1 to 8")
    return PackedWeights(_core.pack_bcq(codes, scales.reshape(-1), _block(scales[0], *codes.shape[1:])))


def dequantize(
    format: str, data: npt.NDArray[np.uint8], shape: int | tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Decode rows of a GGUF weight format ("Q4_K", "TQ2_0", ...) to float32.

    data: the file's bytes, uint8 and one-dimensional. shape: (rows, elements), or the elements of a single
    row. No rows of no data give an empty result.
    """
    string("[dequantize] format", format)
    _check_contiguous("data", _check("data", data, np.uint8, 1))
    single = not isinstance(shape, (tuple, list))
    lengths = [count("[dequantize] shape", n) for n in ((1, shape) if single else shape)]
    if len(lengths) != 2:
        raise wrong_type("[dequantize] shape", shape, "(rows, elements) or elements")
    rows, elements = lengths
    if rows * elements > 64 * data.size:  # no format holds 64 elements in a byte
        raise ValueError(f"[dequantize] shape, got {shape} for {data.size} bytes of {format}")
    out = np.empty((rows, elements), np.float32)
    if rows or data.size:
        _core.dequantize(format, data, elements, out)
    return out[0] if single else out
