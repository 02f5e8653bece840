"""A small street scan: points as a turning 3-D laser scanner gives them, for tests of point clouds."""

import numpy as np


def scan(seed: int = 0, n_beams: int = 32, n_turns: int = 500) -> np.ndarray:
    """float32 (n, 3), metres; the sensor stands 1.8 m above the ground among boxes (cars, walls)."""
    rng = np.random.default_rng(seed)
    elevation, azimuth = np.meshgrid(
        np.radians(np.linspace(3, -25, n_beams)),
        np.linspace(0, 2 * np.pi, n_turns, endpoint=False),
        indexing="ij",
    )
    ray = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], -1
    ).reshape(-1, 3)
    centre = np.array([0, 0, 1.8])
    with np.errstate(divide="ignore"):
        distance = np.where(ray[:, 2] < 0, -centre[2] / ray[:, 2], np.inf)
        for _ in range(25):
            low = np.append(rng.uniform(-40, 40, 2), 0)
            high = low + rng.uniform([1, 1, 1], [12, 5, 5])
            if (low[:2] < 3).all() and (high[:2] > -3).all():
                continue
            near, far = (low - centre) / ray, (high - centre) / ray
            enter, leave = np.minimum(near, far).max(1), np.maximum(near, far).min(1)
            distance = np.where((enter < leave) & (enter > 0) & (enter < distance), enter, distance)
    seen = distance < 60
    noisy = distance[seen] + rng.normal(0, 0.02, seen.sum())
    return (centre + ray[seen] * noisy[:, None]).astype(np.float32)


def voxels(points: np.ndarray, size: float) -> tuple[np.ndarray, list[int]]:
    """The occupied cells, int32 (n, 3) in the order of their first points, and the shape of the grid."""
    cells = np.floor(points.astype(np.float64) / size).astype(np.int64)
    cells -= cells.min(0)
    _, first = np.unique(cells, axis=0, return_index=True)
    return cells[np.sort(first)].astype(np.int32), (cells.max(0) + 1).tolist()
