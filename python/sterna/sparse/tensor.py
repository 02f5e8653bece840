"""The tensor of a point cloud: features at sites of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..arguments import integer, wrong_type

Strides = tuple[Fraction, ...]
_INT32 = np.iinfo(np.int32)


def float_array(name: str, value: Any, ndim: int) -> np.ndarray:
    """A C-contiguous float32 array; other layouts are copied, other types are an error."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        got = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name}, got {got}, expected a numpy array of float32")
    if value.ndim != ndim:
        raise ValueError(f"{name}, got {value.ndim} dimensions, expected {ndim}")
    return np.ascontiguousarray(value)


def _coordinates(indices: Any, ndim: int) -> np.ndarray:
    if not isinstance(indices, np.ndarray) or indices.dtype not in (np.int32, np.int64):
        got = f"an array of {indices.dtype}" if isinstance(indices, np.ndarray) else type(indices).__name__
        raise TypeError(f"indices, got {got}, expected a numpy array of int32 or int64")
    if indices.ndim != 2 or indices.shape[1] != 1 + ndim:
        raise ValueError(f"indices, got shape {indices.shape}, expected (n, {1 + ndim}): batch, then {ndim}")
    if indices.size and (indices.min() < _INT32.min or indices.max() > _INT32.max):
        raise ValueError("indices, got a number beyond int32, expected coordinates of the grid")
    own = np.array(indices, np.int32, order="C")
    own.setflags(write=False)
    return own


class SparseConvTensor:
    """Features at the occupied sites of a grid, as spconv's class of this name.

    features: float32 (n, channels). indices: int32 or int64 (n, 1 + D), D = 1 to 4: the batch index, then the
    coordinates; no site twice. spatial_shape: D sizes of at least 1; batch indices are below batch_size. The
    order of the rows is kept.

    Raises TypeError; ValueError for duplicates, sites outside of the grid or of the batch, and shapes that do not
    fit; UnsupportedError for 2**31 sites or a box around them of more than 2**63 cells; MemoryError.
    """

    def __init__(
        self,
        features: npt.NDArray[np.float32],
        indices: npt.NDArray[np.int32] | npt.NDArray[np.int64],
        spatial_shape: Sequence[int],
        batch_size: int,
    ) -> None:
        shape = [integer("spatial_shape", size) for size in spatial_shape]
        coordinates = _coordinates(indices, len(shape))
        sites = _core.Sites.create(coordinates, shape, integer("batch_size", batch_size))
        self._set(features, sites, coordinates, {}, (Fraction(1),) * len(shape))

    def _set(
        self,
        features: Any,
        sites: _core.Sites,
        indices: np.ndarray,
        indice_dict: dict[Any, Any],
        stride: Strides,
    ) -> None:
        features = float_array("features", features, 2)
        if features.shape[0] != sites.size:
            raise ValueError(
                f"features, got {features.shape[0]} rows, expected {sites.size}, those of indices"
            )
        self._features, self._sites, self._indices = features, sites, indices
        self.indice_dict = indice_dict
        self._stride = stride

    @property
    def features(self) -> npt.NDArray[np.float32]:
        return self._features

    @property
    def indices(self) -> npt.NDArray[np.int32]:
        """int32 (n, 1 + D), read-only."""
        return self._indices

    @property
    def spatial_shape(self) -> list[int]:
        return self._sites.shape

    @property
    def batch_size(self) -> int:
        return self._sites.batch_size

    def replace_feature(self, features: npt.NDArray[np.float32]) -> SparseConvTensor:
        """Other features, also of other width, at the same sites; maps made for either serve both."""
        return self._with(features, self._sites, self._indices)

    def _with(
        self, features: Any, sites: _core.Sites, indices: np.ndarray, stride: Strides | None = None
    ) -> SparseConvTensor:
        tensor = object.__new__(SparseConvTensor)
        tensor._set(features, sites, indices, self.indice_dict, stride or self._stride)
        return tensor

    def _at(self, sites: _core.Sites, features: np.ndarray, stride: Strides) -> SparseConvTensor:
        """Features at the sites of a layer's outputs."""
        if sites.same_as(self._sites):
            return self.replace_feature(features)
        indices = np.empty((sites.size, 1 + len(sites.shape)), np.int32)
        sites.copy_coords(indices)
        indices.setflags(write=False)
        return self._with(features, sites, indices, stride)

    def coords_in_input_units(self) -> npt.NDArray[np.int64]:
        """int64 (n, 1 + D): indices with coordinates times the strides of all layers up to here, as MinkowskiEngine
        has them. Raises ValueError after transposed layers that went below one unit of the input.
        """
        if any(s.denominator != 1 for s in self._stride):
            raise ValueError(f"stride, got {', '.join(map(str, self._stride))}, expected whole numbers")
        return self._indices * np.array([1, *map(int, self._stride)], np.int64)

    def dense(self, channels_first: bool = True) -> npt.NDArray[np.float32]:
        """The whole grid, zero where there is no site: (batch, channels, *shape), or channels last."""
        grid = np.zeros((self.batch_size, *self.spatial_shape, self._features.shape[1]), np.float32)
        grid[tuple(self._indices.T)] = self._features
        return np.ascontiguousarray(np.moveaxis(grid, -1, 1)) if channels_first else grid

    def __repr__(self) -> str:
        n, channels = self._features.shape
        return f"<sterna.sparse.SparseConvTensor {n} sites of {self.spatial_shape}, {channels} channels>"


def tensor_of(value: Any) -> SparseConvTensor:
    if not isinstance(value, SparseConvTensor):
        raise wrong_type("input", value, "a sterna.sparse.SparseConvTensor")
    return value
