"""Pooling of sparse tensors: over the inputs that meet each output, or over all sites of a batch index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from ..arguments import optional
from ..threads import Threads, shared
from .layers import Windowed, default_threads
from .tensor import SparseConvTensor, tensor_of


class _SparsePool(Windowed):
    """Sites and map are those of a SparseConv with the same numbers; stride is kernel_size if not given."""

    _kind = "conv"
    _is_max: ClassVar[bool]

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        indice_key: str | None = None,
        *,
        threads: Threads | None = None,
    ) -> None:
        stride = kernel_size if stride is None else stride
        self._set_window(kernel_size, stride, padding, dilation, indice_key, threads)

    def __call__(self, input: SparseConvTensor) -> SparseConvTensor:
        """The pooled features at the output sites. The result has the same bits for every number of threads."""
        x = self._input(input)
        kernel_map = self._map(x)
        out = np.empty((kernel_map.sites_out.size, x.features.shape[1]), np.float32)
        _core.sparse_pool(kernel_map, self._is_max, x.features, out, self._pool())
        return x._at(kernel_map.sites_out, out, self._stride_after(x))


class _SparseMaxPool(_SparsePool):
    """The largest of the inputs that meet an output; those that are not there do not compete.

    Output sites: every one whose window meets an input, sorted by batch, then coordinates. stride: kernel_size if
    not given. Raises TypeError, ValueError (also if no output meets a site), UnsupportedError, MemoryError.
    """

    _is_max = True


class _SparseAvgPool(_SparsePool):
    """The mean of the inputs that meet an output: their sum divided by their number, not by the kernel's volume.

    Output sites: every one whose window meets an input, sorted by batch, then coordinates. stride: kernel_size if
    not given. Raises TypeError, ValueError (also if no output meets a site), UnsupportedError, MemoryError.
    """

    _is_max = False


class _GlobalPool:
    _is_max: ClassVar[bool]

    def __init__(self, *, threads: Threads | None = None) -> None:
        self._threads = optional(shared, "threads", threads, None)

    def __call__(self, input: SparseConvTensor) -> npt.NDArray[np.float32]:
        """float32 (batch_size, channels)."""
        x = tensor_of(input)
        out = np.empty((x.batch_size, x.features.shape[1]), np.float32)
        _core.sparse_global_pool(x._sites, self._is_max, x.features, out, self._threads or default_threads())
        return out


class SparseGlobalMaxPool(_GlobalPool):
    """The largest of all sites of each batch index and channel, 0 for a batch index without sites."""

    _is_max = True


class SparseGlobalAvgPool(_GlobalPool):
    """The mean of all sites of each batch index and channel, 0 for a batch index without sites.

    Summed in float64; the order of the rows changes no bit.
    """

    _is_max = False


class SparseMaxPool1d(_SparseMaxPool):
    __doc__ = _SparseMaxPool.__doc__
    ndim = 1


class SparseMaxPool2d(_SparseMaxPool):
    __doc__ = _SparseMaxPool.__doc__
    ndim = 2


class SparseMaxPool3d(_SparseMaxPool):
    __doc__ = _SparseMaxPool.__doc__
    ndim = 3


class SparseMaxPool4d(_SparseMaxPool):
    __doc__ = _SparseMaxPool.__doc__
    ndim = 4


class SparseAvgPool1d(_SparseAvgPool):
    __doc__ = _SparseAvgPool.__doc__
    ndim = 1


class SparseAvgPool2d(_SparseAvgPool):
    __doc__ = _SparseAvgPool.__doc__
    ndim = 2


class SparseAvgPool3d(_SparseAvgPool):
    __doc__ = _SparseAvgPool.__doc__
    ndim = 3


class SparseAvgPool4d(_SparseAvgPool):
    __doc__ = _SparseAvgPool.__doc__
    ndim = 4
