"""What stands between convolutions: activation, normalization, sums and sequences of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..arguments import integer, number
from .layers import Convolution
from .tensor import SparseConvTensor, float_array, tensor_of


class SparseReLU:
    """max(x, 0) of all features; NaN stays. After a convolution in a SparseSequential it costs nothing."""

    def __call__(self, input: SparseConvTensor) -> SparseConvTensor:
        x = tensor_of(input)
        return x.replace_feature(np.where(x.features < 0, np.float32(0), x.features))


class SparseBatchNorm:
    """Normalization by running statistics: x * scale + shift in float32, of float64 scale and shift rounded once:
    scale = weight / sqrt(running_var + eps), shift = bias - running_mean * scale.

    Raises TypeError, ValueError.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        self.num_features = integer("num_features", num_features, 1)
        self.eps = number("eps", eps)
        self._scale = np.full(self.num_features, 1 / np.sqrt(1 + self.eps))
        self._shift = np.zeros(self.num_features)

    def load(
        self,
        weight: npt.NDArray[np.float32] | None,
        bias: npt.NDArray[np.float32] | None,
        running_mean: npt.NDArray[np.float32],
        running_var: npt.NDArray[np.float32],
    ) -> None:
        """Each float32 (num_features,); weight and bias may be None, for 1 and 0."""

        def checked(name: str, value: Any) -> np.ndarray:
            value = float_array(name, value, 1)
            if len(value) != self.num_features:
                raise ValueError(f"{name}, got {len(value)} numbers, expected {self.num_features}")
            return value.astype(np.float64)

        variance = checked("running_var", running_var) + self.eps
        if not (variance > 0).all():
            raise ValueError("running_var, got a sum with eps that is not above 0")
        gain = 1.0 if weight is None else checked("weight", weight)
        self._scale = gain / np.sqrt(variance)
        shift = 0.0 if bias is None else checked("bias", bias)
        self._shift = shift - checked("running_mean", running_mean) * self._scale

    def __call__(self, input: SparseConvTensor) -> SparseConvTensor:
        x = tensor_of(input)
        if x.features.shape[1] != self.num_features:
            raise ValueError(f"input, got {x.features.shape[1]} channels, expected {self.num_features}")
        return x.replace_feature(x.features * self._scale.astype(np.float32) + self._shift.astype(np.float32))


class SparseSequential:
    """Layers one after the other. A SparseReLU right after a convolution is done by it, with the same bits.

    Raises TypeError for what is not callable, and what the layers raise.
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for layer in layers:
            if not callable(layer):
                raise TypeError(f"layers, got {type(layer).__name__}, expected layers")
        self._layers = list(layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, i: int) -> Callable[[Any], Any]:
        return self._layers[i]

    def __call__(self, input: SparseConvTensor) -> Any:
        x: Any = input
        skip = False
        for layer, after in zip(self._layers, [*self._layers[1:], None], strict=True):
            if skip:
                skip = False
                continue
            skip = isinstance(layer, Convolution) and isinstance(after, SparseReLU)
            x = layer(x, relu=True) if skip else layer(x)  # type: ignore[call-arg]
        return x

    def folded(self) -> SparseSequential:
        """The same layers with each SparseBatchNorm right after a convolution folded into its weights and bias;
        equal but for rounding. Sequences within are folded too; this one keeps its layers.
        """
        layers: list[Callable[[Any], Any]] = []
        for layer in self._layers:
            last = layers[-1] if layers else None
            if isinstance(layer, SparseBatchNorm) and isinstance(last, Convolution):
                layers[-1] = last.scaled(layer._scale, layer._shift)
            else:
                layers.append(layer.folded() if isinstance(layer, SparseSequential) else layer)
        return SparseSequential(*layers)


def sparse_add(*tensors: SparseConvTensor) -> SparseConvTensor:
    """The sum of features, in the order of the arguments, at the sites of any of them; where a tensor has no site
    it counts as 0.

    Tensors of the same sites keep these and their order, others give sites sorted by batch, then coordinates.
    Raises TypeError, ValueError for other grids, batch sizes or channels.
    """
    if not tensors:
        raise ValueError("tensors, got none, expected at least 1")
    first, *rest = [tensor_of(t) for t in tensors]
    for other in rest:
        same = other.spatial_shape == first.spatial_shape and other.batch_size == first.batch_size
        if not same or other.features.shape[1] != first.features.shape[1]:
            raise ValueError(
                f"tensors, got {first!r} and {other!r}, expected the same grid, batch and channels"
            )
    if all(t._sites.same_as(first._sites) for t in rest):
        total = first.features.copy()
        for other in rest:
            total += other.features
        return first.replace_feature(total)
    every = np.concatenate([t.indices for t in tensors])
    indices, row = np.unique(every, axis=0, return_inverse=True)
    total = np.zeros((len(indices), first.features.shape[1]), np.float32)
    begin = 0
    for t in tensors:
        total[row.reshape(-1)[begin : begin + len(t.indices)]] += t.features
        begin += len(t.indices)
    indices = np.ascontiguousarray(indices)
    indices.setflags(write=False)
    sites = _core.Sites.create(indices, first.spatial_shape, first.batch_size)
    return first._with(total, sites, indices)
