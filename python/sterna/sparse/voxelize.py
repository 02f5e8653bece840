"""From points to voxels. Coordinates are divided in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import boolean, integer, number

_INT32 = np.iinfo(np.int32)


def _points(points: Any) -> np.ndarray:
    if not isinstance(points, np.ndarray) or points.dtype not in (np.float32, np.float64):
        got = f"an array of {points.dtype}" if isinstance(points, np.ndarray) else type(points).__name__
        raise TypeError(f"points, got {got}, expected a numpy array of float32 or float64")
    if points.ndim != 2:
        raise ValueError(f"points, got {points.ndim} dimensions, expected 2")
    return points


def _finite(points: np.ndarray) -> np.ndarray:
    wrong = ~np.isfinite(points).all(1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"points[{row}], got {points[row].tolist()}, expected finite coordinates")
    return points.astype(np.float64)


def _sizes(name: str, value: Any, n: int) -> np.ndarray:
    sizes = [number(name, v) for v in value] if isinstance(value, (list, tuple, np.ndarray)) else [value] * n
    sizes = [number(name, v) for v in sizes]
    if len(sizes) != n:
        raise ValueError(f"{name}, got {len(sizes)} numbers, expected 1 or {n}")
    if not all(0 < v < np.inf for v in sizes):
        raise ValueError(f"{name}, got {value}, expected sizes above 0")
    return np.array(sizes)


def sparse_quantize(
    points: npt.NDArray[np.floating],
    voxel_size: float | Sequence[float] = 1,
    *,
    return_index: bool = False,
    return_inverse: bool = False,
) -> Any:
    """The voxels of points (n, D), int32 (m, D): floor(points / voxel_size), sorted, each once.

    With return_index also the row of the first point of each voxel, with return_inverse the voxel of each point,
    both int64. Raises TypeError; ValueError for points that are not finite and voxels beyond int32.
    """
    return_index, return_inverse = (
        boolean("return_index", return_index),
        boolean("return_inverse", return_inverse),
    )
    points = _finite(_points(points))
    cells = np.floor(points / _sizes("voxel_size", voxel_size, points.shape[1]))
    wrong = ((cells < _INT32.min) | (cells > _INT32.max)).any(1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"points[{row}], got {points[row].tolist()}, expected voxels within int32")
    voxels, index, inverse = np.unique(cells.astype(np.int32), axis=0, return_index=True, return_inverse=True)
    found = [voxels, *([index] if return_index else []), *([inverse.reshape(-1)] if return_inverse else [])]
    return tuple(found) if len(found) > 1 else voxels


class PointToVoxel:
    """Groups the points of a range into voxels, as spconv's class of this name.

    coors_range_xyz: the lowest corner, then the highest; the grid has round((highest - lowest) / vsize_xyz) voxels
    on an axis, and grid_size has these numbers in the order of `indices`, last axis first. Raises TypeError,
    ValueError.
    """

    def __init__(
        self,
        vsize_xyz: Sequence[float],
        coors_range_xyz: Sequence[float],
        num_point_features: int,
        max_num_voxels: int,
        max_num_points_per_voxel: int,
    ) -> None:
        n = len(vsize_xyz)
        if not 1 <= n <= 4:
            raise ValueError(f"vsize_xyz, got {n} numbers, expected 1 to 4")
        self._size = _sizes("vsize_xyz", vsize_xyz, n)
        corners = [number("coors_range_xyz", v) for v in coors_range_xyz]
        if len(corners) != 2 * n or not np.isfinite(corners).all():
            raise ValueError(f"coors_range_xyz, got {coors_range_xyz}, expected {2 * n} finite numbers")
        self._low = np.array(corners[:n])
        places = np.round((np.array(corners[n:]) - self._low) / self._size)
        if (places < 1).any() or (places > _INT32.max).any():
            raise ValueError(f"coors_range_xyz, got {coors_range_xyz}, expected a voxel or more on each axis")
        self._places = places.astype(np.int64)
        self._features = integer("num_point_features", num_point_features, n)
        self._most = integer("max_num_voxels", max_num_voxels, 1)
        self._most_points = integer("max_num_points_per_voxel", max_num_points_per_voxel, 1)

    @property
    def grid_size(self) -> list[int]:
        return self._places[::-1].tolist()

    def __call__(
        self, points: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """points: (n, num_point_features), coordinates first. Gives voxels (m, max points, features), zero where
        there are fewer points; indices, int32 (m, D), last axis first; and the number of points of each, int32.

        Voxels come in the order of their first points, points of a voxel in their own; those beyond the limits
        and outside of the range are left out. Raises TypeError; ValueError for coordinates that are not finite.
        """
        points = _points(points)
        if points.shape[1] != self._features:
            raise ValueError(f"points, got {points.shape[1]} features, expected {self._features}")
        cells = np.floor((_finite(points[:, : len(self._low)]) - self._low) / self._size)
        inside = ((cells >= 0) & (cells < self._places)).all(1)
        points, cells = points[inside], cells[inside].astype(np.int32)
        _, first, voxel = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)  # of voxels, by first point
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        voxel = rank[voxel.reshape(-1)]
        by_voxel = np.argsort(voxel, kind="stable")
        starts = np.searchsorted(voxel[by_voxel], np.arange(len(order)))
        place = np.arange(len(points)) - starts[voxel[by_voxel]]  # within the voxel
        kept = (place < self._most_points) & (voxel[by_voxel] < self._most)
        m = min(len(order), self._most)
        voxels = np.zeros((m, self._most_points, self._features), points.dtype)
        voxels[voxel[by_voxel][kept], place[kept]] = points[by_voxel][kept]
        counts = np.minimum(np.bincount(voxel, minlength=len(order))[:m], self._most_points)
        return voxels, np.ascontiguousarray(cells[first[order[:m]], ::-1]), counts.astype(np.int32)
