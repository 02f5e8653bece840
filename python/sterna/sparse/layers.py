"""Layers on sparse tensors, named and shaped as spconv's, without training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from ..arguments import boolean, integer, optional, string
from ..threads import Threads, shared
from .tensor import SparseConvTensor, float_array, tensor_of

_Numbers = tuple[int, ...]


def _per_axis(name: str, value: Any, ndim: int) -> _Numbers:
    """One number for all axes, or one for each."""
    if isinstance(value, (list, tuple, np.ndarray)):
        numbers = tuple(integer(name, n) for n in value)
        if len(numbers) != ndim:
            raise ValueError(f"{name}, got {len(numbers)} numbers, expected 1 or {ndim}")
        return numbers
    return (integer(name, value),) * ndim


@functools.cache
def _default_threads() -> _core.Threads:
    """One for each CPU, for all layers that are given none."""
    return _core.Threads.create(None)


class _Conv:
    """What the layers share. `_kind` is "subm" or "conv"."""

    ndim: ClassVar[int]
    _kind: ClassVar[str]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        indice_key: str | None = None,
        *,
        weight: npt.NDArray[np.float32] | None = None,
        bias_values: npt.NDArray[np.float32] | None = None,
        sites: str = "conv",
        threads: Threads | None = None,
    ) -> None:
        self.in_channels = integer("in_channels", in_channels, 1)
        self.out_channels = integer("out_channels", out_channels, 1)
        self.kernel_size = _per_axis("kernel_size", kernel_size, self.ndim)
        self.stride = _per_axis("stride", stride, self.ndim)
        self.padding = _per_axis("padding", padding, self.ndim)
        self.dilation = _per_axis("dilation", dilation, self.ndim)
        if min(self.kernel_size) < 1:
            raise ValueError(f"kernel_size, got {kernel_size}, expected at least 1")
        if integer("groups", groups) != 1:
            raise ValueError(f"groups, got {groups}, expected 1")
        if sites not in ("conv", "floor"):
            raise ValueError(f"sites, got {sites!r}, expected 'conv' or 'floor'")
        if self._kind == "subm" and sites != "conv":
            raise ValueError("sites, got 'floor' for a submanifold layer, whose sites are those of its input")
        self._has_bias = boolean("bias", bias)
        self._rule = sites
        self.indice_key = optional(string, "indice_key", indice_key, None)
        self._threads = optional(shared, "threads", threads, None)
        self._packed: _core.SparseConv | None = None
        if weight is not None:
            self.load(weight, bias_values)
        elif bias_values is not None:
            raise ValueError("bias_values, got some without weight, expected both or weight alone")

    @property
    def weight_shape(self) -> _Numbers:
        """(out_channels, *kernel_size, in_channels), as spconv 2 has it."""
        return (self.out_channels, *self.kernel_size, self.in_channels)

    def load(self, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32] | None = None) -> None:
        """Take copies of the weights, float32 of weight_shape, and of the bias, float32 (out_channels,); a layer
        made with bias=False has none, and one with a bias that is not given adds zeros.
        """
        weight = float_array("weight", weight, self.ndim + 2)
        if weight.shape != self.weight_shape:
            raise ValueError(f"weight, got shape {weight.shape}, expected {self.weight_shape}")
        values = np.zeros(0, np.float32)
        if bias is not None:
            if not self._has_bias:
                raise ValueError("bias, got one for a layer with bias=False")
            values = float_array("bias", bias, 1)
            if values.shape != (self.out_channels,):
                raise ValueError(f"bias, got shape {values.shape}, expected ({self.out_channels},)")
        self._packed = _core.SparseConv.pack(weight.reshape(self.out_channels, -1, self.in_channels), values)

    def _parameters(self) -> tuple[object, ...]:
        return (self._kind, self.kernel_size, self.stride, self.padding, self.dilation, self._rule)

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        raise NotImplementedError

    def _map(self, x: SparseConvTensor) -> _core.KernelMap:
        """From the tensor's cache, by indice_key or, without one, by all that it depends on."""
        parameters = self._parameters()
        key = self.indice_key if self.indice_key is not None else (x._sites, parameters)
        if key not in x.indice_dict:
            x.indice_dict[key] = parameters, self._make_map(x._sites)
        made_for, kernel_map = x.indice_dict[key]
        if made_for != parameters or not kernel_map.sites_in.same_as(x._sites):
            raise ValueError(
                f"indice_key, got {self.indice_key!r}, which belongs to another layer of other parameters or "
                "sites, expected a key of its own"
            )
        return kernel_map

    def __call__(self, input: SparseConvTensor) -> SparseConvTensor:
        """Features of shape (sites, out_channels) at the output sites. The result has the same bits for every
        number of threads.
        """
        x = tensor_of(input)
        if self._packed is None:
            raise ValueError("weight, got none, expected load(weight) before the first call")
        if len(x.spatial_shape) != self.ndim:
            raise ValueError(f"input, got {len(x.spatial_shape)} dimensions, expected {self.ndim}")
        if x.features.shape[1] != self.in_channels:
            raise ValueError(f"input, got {x.features.shape[1]} channels, expected {self.in_channels}")
        kernel_map = self._map(x)
        out = np.empty((kernel_map.sites_out.size, self.out_channels), np.float32)
        threads = self._threads or _default_threads()
        self._packed.run(kernel_map, x.features, out, threads)
        return self._output(x, kernel_map, out)

    def _output(self, x: SparseConvTensor, kernel_map: _core.KernelMap, out: np.ndarray) -> SparseConvTensor:
        raise NotImplementedError


class _SubMConv(_Conv):
    """Submanifold convolution: the output sites are the input's, in their order.

    Kernel sizes are odd. stride must be 1; padding is ignored, as in spconv. Arguments: see the module. Raises
    TypeError, ValueError, MemoryError.
    """

    _kind = "subm"

    def _parameters(self) -> tuple[object, ...]:
        return (self._kind, self.kernel_size, self.dilation)

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        if set(self.stride) != {1}:
            raise ValueError(f"stride, got {self.stride} for a submanifold layer, expected 1")
        return _core.KernelMap.submanifold(sites, list(self.kernel_size), list(self.dilation))

    def _output(self, x: SparseConvTensor, kernel_map: _core.KernelMap, out: np.ndarray) -> SparseConvTensor:
        return x.replace_feature(out)


class _SparseConv(_Conv):
    """Sparse convolution: every site whose window meets an input, sorted by batch, then coordinates.

    It equals the dense convolution at these sites. sites="floor" has floor(site / stride) instead, as
    MinkowskiEngine; it takes no padding. Raises TypeError, ValueError (also if no output meets a site),
    UnsupportedError, MemoryError.
    """

    _kind = "conv"

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        floor = self._rule == "floor"
        if floor and set(self.padding) != {0}:
            raise ValueError(f"padding, got {self.padding} with sites='floor', expected 0")
        padding = [] if floor else list(self.padding)
        return _core.KernelMap.strided(
            sites, list(self.kernel_size), list(self.stride), padding, list(self.dilation), floor
        )

    def _output(self, x: SparseConvTensor, kernel_map: _core.KernelMap, out: np.ndarray) -> SparseConvTensor:
        sites = kernel_map.sites_out
        indices = np.empty((sites.size, 1 + self.ndim), np.int32)
        sites.copy_coords(indices)
        return x._with(out, sites, indices)


class SubMConv1d(_SubMConv):
    __doc__ = _SubMConv.__doc__
    ndim = 1


class SubMConv2d(_SubMConv):
    __doc__ = _SubMConv.__doc__
    ndim = 2


class SubMConv3d(_SubMConv):
    __doc__ = _SubMConv.__doc__
    ndim = 3


class SubMConv4d(_SubMConv):
    __doc__ = _SubMConv.__doc__
    ndim = 4


class SparseConv1d(_SparseConv):
    __doc__ = _SparseConv.__doc__
    ndim = 1


class SparseConv2d(_SparseConv):
    __doc__ = _SparseConv.__doc__
    ndim = 2


class SparseConv3d(_SparseConv):
    __doc__ = _SparseConv.__doc__
    ndim = 3


class SparseConv4d(_SparseConv):
    __doc__ = _SparseConv.__doc__
    ndim = 4
