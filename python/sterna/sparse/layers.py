"""Layers on sparse tensors, named and shaped as spconv's, without training."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from ..arguments import boolean, integer, optional, string
from ..threads import Threads, shared
from .tensor import SparseConvTensor, Strides, float_array, tensor_of

_Numbers = tuple[int, ...]


def per_axis(name: str, value: Any, ndim: int) -> _Numbers:
    """One number for all axes, or one for each."""
    if isinstance(value, (list, tuple, np.ndarray)):
        numbers = tuple(integer(name, n) for n in value)
        if len(numbers) != ndim:
            raise ValueError(f"{name}, got {len(numbers)} numbers, expected 1 or {ndim}")
        return numbers
    return (integer(name, value),) * ndim


@functools.cache
def default_threads() -> _core.Threads:
    """One for each CPU, for all layers that are given none."""
    return _core.Threads.create(None)


class Windowed:
    """What layers with a kernel share: where it stands, and the map of it, from the tensor's cache."""

    ndim: ClassVar[int]
    _kind: ClassVar[str]

    def _set_window(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | Sequence[int],
        dilation: int | Sequence[int],
        indice_key: str | None,
        threads: Threads | None,
    ) -> None:
        self.kernel_size = per_axis("kernel_size", kernel_size, self.ndim)
        self.stride = per_axis("stride", stride, self.ndim)
        self.padding = per_axis("padding", padding, self.ndim)
        self.dilation = per_axis("dilation", dilation, self.ndim)
        if min(self.kernel_size) < 1:
            raise ValueError(f"kernel_size, got {kernel_size}, expected at least 1")
        self.indice_key = optional(string, "indice_key", indice_key, None)
        self._threads = optional(shared, "threads", threads, None)

    def _parameters(self) -> tuple[object, ...]:
        """What a map depends on besides the sites: its kind, the kernel, and more."""
        return (self._kind, self.kernel_size, self.stride, self.padding, self.dilation)

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        """As SparseConv's."""
        return _core.KernelMap.strided(
            sites,
            list(self.kernel_size),
            list(self.stride),
            list(self.padding),
            list(self.dilation),
            False,
            self._pool(),
        )

    def _pool(self) -> _core.Threads:
        return self._threads or default_threads()

    def _map(self, x: SparseConvTensor) -> _core.KernelMap:
        """From the tensor's cache, by indice_key or, without one, by all that it depends on."""
        parameters = self._parameters()
        key = self.indice_key if self.indice_key is not None else (x._sites, parameters)
        if key not in x.indice_dict:
            x.indice_dict[key] = parameters, self._make_map(x._sites), x._stride
        made_for, kernel_map, _ = x.indice_dict[key]
        if made_for != parameters or not kernel_map.sites_in.same_as(x._sites):
            raise ValueError(
                f"indice_key, got {self.indice_key!r}, which belongs to another layer of other parameters or "
                "sites, expected a key of its own"
            )
        return kernel_map

    def _stride_after(self, x: SparseConvTensor) -> Strides:
        """How many units of the network's input an output's coordinates count."""
        return tuple(a * b for a, b in zip(x._stride, self.stride, strict=True))

    def _input(self, input: Any) -> SparseConvTensor:
        x = tensor_of(input)
        if len(x.spatial_shape) != self.ndim:
            raise ValueError(f"input, got {len(x.spatial_shape)} dimensions, expected {self.ndim}")
        return x


class Convolution(Windowed):
    """What the convolutions share."""

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
        threads: Threads | None = None,
    ) -> None:
        self.in_channels = integer("in_channels", in_channels, 1)
        self.out_channels = integer("out_channels", out_channels, 1)
        self._set_window(kernel_size, stride, padding, dilation, indice_key, threads)
        if integer("groups", groups) != 1:
            raise ValueError(f"groups, got {groups}, expected 1")
        self.has_bias = boolean("bias", bias)
        self._packed: _core.SparseConv | None = None
        self._values: tuple[np.ndarray, np.ndarray] | None = None  # for scaled()
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
            if not self.has_bias:
                raise ValueError("bias, got one for a layer with bias=False")
            values = float_array("bias", bias, 1)
            if values.shape != (self.out_channels,):
                raise ValueError(f"bias, got shape {values.shape}, expected ({self.out_channels},)")
        self._packed = _core.SparseConv.pack(weight.reshape(self.out_channels, -1, self.in_channels), values)
        self._values = weight.copy(), values.copy()

    def scaled(self, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Convolution:
        """A layer whose outputs are this one's times scale plus shift, each (out_channels,), but for the rounding
        of the new weights and bias.
        """
        if self._values is None:
            raise ValueError("weight, got none, expected load(weight) before scaled()")
        if scale.shape != (self.out_channels,) or shift.shape != scale.shape:
            raise ValueError(f"scale, got {scale.shape} and {shift.shape}, expected ({self.out_channels},)")
        weight, bias = self._values
        layer = copy.copy(self)
        layer.has_bias = True
        total = bias * scale + shift if len(bias) else shift
        layer.load(
            (weight.reshape(self.out_channels, -1) * scale[:, None]).reshape(weight.shape).astype(np.float32),
            total.astype(np.float32),
        )
        return layer

    def __call__(
        self,
        input: SparseConvTensor,
        *,
        relu: bool = False,
        residual: npt.NDArray[np.float32] | None = None,
    ) -> SparseConvTensor:
        """Features of shape (sites, out_channels) at the output sites. residual, float32 of that shape, is added
        after the bias; then relu. The result has the same bits for every number of threads.
        """
        x = self._input(input)
        if self._packed is None:
            raise ValueError("weight, got none, expected load(weight) before the first call")
        if x.features.shape[1] != self.in_channels:
            raise ValueError(f"input, got {x.features.shape[1]} channels, expected {self.in_channels}")
        relu = boolean("relu", relu)
        kernel_map = self._map(x)
        out = np.empty((kernel_map.sites_out.size, self.out_channels), np.float32)
        more = np.zeros((0, 0), np.float32)
        if residual is not None:
            more = float_array("residual", residual, 2)
            if more.shape != out.shape:
                raise ValueError(f"residual, got shape {more.shape}, expected {out.shape}")
        self._packed.run(kernel_map, x.features, out, self._pool(), relu, more)
        return x._at(kernel_map.sites_out, out, self._stride_after(x))


class _SubMConv(Convolution):
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
        return _core.KernelMap.submanifold(sites, list(self.kernel_size), list(self.dilation), self._pool())


class _SparseConv(Convolution):
    """Sparse convolution: every site whose window meets an input, sorted by batch, then coordinates.

    It equals the dense convolution at these sites. sites="floor" has floor(site / stride) instead, as
    MinkowskiEngine; it takes no padding. Raises TypeError, ValueError (also if no output meets a site),
    UnsupportedError, MemoryError.
    """

    _kind = "conv"

    def __init__(self, *args: Any, sites: str = "conv", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if sites not in ("conv", "floor"):
            raise ValueError(f"sites, got {sites!r}, expected 'conv' or 'floor'")
        if sites == "floor" and set(self.padding) != {0}:
            raise ValueError(f"padding, got {self.padding} with sites='floor', expected 0")
        self._is_floor = sites == "floor"

    def _parameters(self) -> tuple[object, ...]:
        return ("floor", *super()._parameters()[1:]) if self._is_floor else super()._parameters()

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        if not self._is_floor:
            return super()._make_map(sites)
        return _core.KernelMap.strided(
            sites, list(self.kernel_size), list(self.stride), [], list(self.dilation), True, self._pool()
        )


class _SparseConvTranspose(Convolution):
    """Transposed convolution: input i meets the output i * stride - padding + k * dilation of each offset k.

    All such outputs in the grid of (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + 1 +
    output_padding are sites, sorted by batch, then coordinates: up to the kernel's volume for each input. It
    equals the dense transposed convolution at these sites. Raises TypeError, ValueError, UnsupportedError (for
    2**31 pairs and more), MemoryError.
    """

    _kind = "transposed"

    def __init__(self, *args: Any, output_padding: int | Sequence[int] = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.output_padding = per_axis("output_padding", output_padding, self.ndim)

    def _parameters(self) -> tuple[object, ...]:
        return (*super()._parameters(), self.output_padding)

    def _make_map(self, sites: _core.Sites) -> _core.KernelMap:
        return _core.KernelMap.transposed(
            sites,
            list(self.kernel_size),
            list(self.stride),
            list(self.padding),
            list(self.dilation),
            list(self.output_padding),
            self._pool(),
        )

    def _stride_after(self, x: SparseConvTensor) -> Strides:
        return tuple(a / b for a, b in zip(x._stride, self.stride, strict=True))


class _SparseInverseConv(Convolution):
    """The way back of the layer with this indice_key: its map with inputs and outputs exchanged.

    The output sites are the inputs of that layer, in their order; the kernel size must be its own, and the input
    must have its output sites. Raises TypeError, ValueError, MemoryError.
    """

    _kind = "inverse"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        indice_key: str,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        string("indice_key", indice_key)
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, indice_key=indice_key, **kwargs)

    def _map(self, x: SparseConvTensor) -> _core.KernelMap:
        if self.indice_key not in x.indice_dict:
            raise ValueError(f"indice_key, got {self.indice_key!r}, expected that of a layer before this one")
        made_for, there, stride = x.indice_dict[self.indice_key]
        if made_for[1] != self.kernel_size:
            raise ValueError(
                f"kernel_size, got {self.kernel_size}, expected {made_for[1]}, that of {self.indice_key!r}"
            )
        if not there.sites_out.same_as(x._sites):
            raise ValueError(
                f"input, got other sites than those that {self.indice_key!r} made, expected the same"
            )
        key = (there, self._kind)
        if key not in x.indice_dict:
            x.indice_dict[key] = made_for, there.inverse(), stride
        return x.indice_dict[key][1]

    def _stride_after(self, x: SparseConvTensor) -> Strides:
        return x.indice_dict[self.indice_key][2]


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


class SparseConvTranspose1d(_SparseConvTranspose):
    __doc__ = _SparseConvTranspose.__doc__
    ndim = 1


class SparseConvTranspose2d(_SparseConvTranspose):
    __doc__ = _SparseConvTranspose.__doc__
    ndim = 2


class SparseConvTranspose3d(_SparseConvTranspose):
    __doc__ = _SparseConvTranspose.__doc__
    ndim = 3


class SparseConvTranspose4d(_SparseConvTranspose):
    __doc__ = _SparseConvTranspose.__doc__
    ndim = 4


class SparseInverseConv1d(_SparseInverseConv):
    __doc__ = _SparseInverseConv.__doc__
    ndim = 1


class SparseInverseConv2d(_SparseInverseConv):
    __doc__ = _SparseInverseConv.__doc__
    ndim = 2


class SparseInverseConv3d(_SparseInverseConv):
    __doc__ = _SparseInverseConv.__doc__
    ndim = 3


class SparseInverseConv4d(_SparseInverseConv):
    __doc__ = _SparseInverseConv.__doc__
    ndim = 4
