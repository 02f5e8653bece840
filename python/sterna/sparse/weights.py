"""Weights of other libraries: state dicts as numpy arrays, each with its order of a kernel's offsets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import boolean, mapping
from .layers import Convolution
from .modules import SparseBatchNorm

_Arrays = Mapping[str, np.ndarray]
_STATISTICS = ("weight", "bias", "running_mean", "running_var")


def _by_offset(weight: np.ndarray, kernel_size: Sequence[int], first_axis_fastest: bool) -> np.ndarray:
    """(volume, in, out), or (in, out) of a kernel of one, to (out, *kernel_size, in)."""
    volume = math.prod(kernel_size)
    if weight.ndim == 2 and volume == 1:
        weight = weight[None]
    if weight.ndim != 3 or weight.shape[0] != volume:
        raise ValueError(f"weight, got shape {weight.shape}, expected ({volume}, in, out)")
    n = len(kernel_size)
    if first_axis_fastest:
        weight = weight.reshape(*kernel_size[::-1], *weight.shape[1:]).transpose(*range(n)[::-1], n, n + 1)
    else:
        weight = weight.reshape(*kernel_size, *weight.shape[1:])
    return np.ascontiguousarray(np.moveaxis(weight, -1, 0))


def from_spconv(weight: np.ndarray, kernel_size: Sequence[int]) -> np.ndarray:
    """As it is: spconv 2 has (out, *kernel_size, in) too."""
    return weight


def from_torchsparse(weight: np.ndarray, kernel_size: Sequence[int]) -> np.ndarray:
    """(volume, in, out): the first axis is fastest where the volume is odd, the last where it is even."""
    return _by_offset(weight, kernel_size, math.prod(kernel_size) % 2 == 1)


def from_minkowski(weight: np.ndarray, kernel_size: Sequence[int]) -> np.ndarray:
    """(volume, in, out), the first axis fastest."""
    return _by_offset(weight, kernel_size, True)


_KINDS = {
    "spconv": ("weight", "", from_spconv),
    "torchsparse": ("kernel", "", from_torchsparse),
    "minkowski": ("kernel", "bn.", from_minkowski),
}


def load_state_dict(
    layers: Mapping[str, Convolution | SparseBatchNorm],
    state: _Arrays,
    source: str = "spconv",
    *,
    strict: bool = True,
) -> None:
    """Load layers by their names in a state dict of float32 numpy arrays of "spconv", "torchsparse" or "minkowski".

    A convolution reads NAME.weight (of the two others NAME.kernel) and, if it has a bias, NAME.bias; a
    SparseBatchNorm the weight, bias, running_mean and running_var of NAME (of Minkowski NAME.bn). With strict a
    name of the state that no layer reads is an error. Raises TypeError, ValueError naming what is missing or left,
    before any layer is changed unless a shape does not fit.
    """
    if source not in _KINDS:
        raise ValueError(f"source, got {source!r}, expected one of {', '.join(_KINDS)}")
    kernel, norm, convert = _KINDS[source]
    layers, state = mapping("layers", layers), mapping("state", state)
    wanted: dict[str, list[str]] = {}
    for name, layer in layers.items():
        if isinstance(layer, SparseBatchNorm):
            wanted[name] = [f"{name}.{norm}{part}" for part in _STATISTICS]
        elif isinstance(layer, Convolution):
            wanted[name] = [f"{name}.{kernel}"] + ([f"{name}.bias"] if layer.has_bias else [])
        else:
            raise TypeError(
                f"layers[{name!r}], got {type(layer).__name__}, expected a convolution or SparseBatchNorm"
            )
    read = {key for keys in wanted.values() for key in keys}
    if missing := sorted(read - set(state)):
        raise ValueError(f"state, got no {', '.join(missing)}")
    left = sorted(k for k in set(state) - read if not k.endswith("num_batches_tracked"))
    if boolean("strict", strict) and left:
        raise ValueError(f"state, got {', '.join(left)}, which no layer reads")
    for name, layer in layers.items():
        values: list[Any] = [state[key] for key in wanted[name]]
        if isinstance(layer, SparseBatchNorm):
            layer.load(*values)
        else:
            layer.load(convert(values[0], layer.kernel_size), *[np.reshape(b, -1) for b in values[1:]])
