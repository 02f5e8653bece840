"""Sparse convolution equals the dense one, in float64, at its sites; what cannot be is an error that names it."""

import itertools
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
import sterna
from clouds import EPS, cloud, dense_conv, layer_of
from lidar import scan, voxels
from sterna import sparse


def check(layer, x, *, stride=None, padding=None):
    """Values, sites and zeros elsewhere. The bound: n roundings of a chain of n products."""
    dims = layer.ndim
    weight = layer.test_weight
    stride, padding = stride or layer.stride, padding or layer.padding
    y = layer(x)
    grid = x.dense(channels_first=False)
    want = dense_conv(grid, weight, stride, padding, layer.dilation)
    size = dense_conv(abs(grid), abs(weight), stride, padding, layer.dilation)
    at = tuple(y.indices.T)
    depth = weight[0].size
    assert list(want.shape[1 : 1 + dims]) == y.spatial_shape
    assert (abs(y.features - want[at]) <= 2 * depth * EPS * size[at] + 1e-30).all()
    if layer._kind == "conv":  # every site whose window meets an input, and no other
        occupied = np.zeros(grid.shape[:-1])
        occupied[tuple(x.indices.T)] = 1
        ones = np.ones((1, *layer.kernel_size, 1))
        meets = dense_conv(occupied[..., None], ones, stride, padding, layer.dilation)[..., 0] > 0
        assert np.array_equal(np.argwhere(meets), y.indices)
    return y


SHAPES = {1: (40,), 2: (9, 13), 3: (5, 7, 6), 4: (4, 5, 3, 4)}
SUBM = [sparse.SubMConv1d, sparse.SubMConv2d, sparse.SubMConv3d, sparse.SubMConv4d]
CONV = [sparse.SparseConv1d, sparse.SparseConv2d, sparse.SparseConv3d, sparse.SparseConv4d]


@pytest.mark.parametrize("dims", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(12))
def test_random_geometry(dims, seed) -> None:
    rng = np.random.default_rng((dims, seed))
    shape = SHAPES[dims]
    channels, out = int(rng.integers(1, 20)), int(rng.integers(1, 40))
    n = int(rng.integers(1, np.prod(shape) + 1))
    features, indices = cloud(rng, shape, n, channels, batch=int(rng.integers(1, 4)))
    x = sparse.SparseConvTensor(features, indices, shape, 3)
    kernel = [int(k) for k in rng.choice([1, 3, 5] if dims < 4 else [1, 3], dims)]
    dilation = [int(d) for d in rng.integers(1, 4, dims)]
    subm = layer_of(SUBM[dims - 1], rng, channels, out, kernel, dilation=dilation)
    y = check(subm, x, padding=[k // 2 * d for k, d in zip(kernel, dilation, strict=True)])
    assert np.array_equal(y.indices, indices)
    kernel = [int(k) for k in rng.integers(1, 4, dims)]
    conv = layer_of(
        CONV[dims - 1], rng, channels, out, kernel,
        stride=[int(s) for s in rng.integers(1, 4, dims)],
        padding=[int(p) for p in rng.integers(0, 3, dims)],
        dilation=[int(d) for d in rng.integers(1, 3, dims)],
    )  # fmt: skip
    try:
        check(conv, x)
    except ValueError as e:  # few sites, all between the windows
        assert "no output meets a site" in str(e) or "output grid" in str(e)


def test_sites_of_the_worked_example() -> None:
    indices = np.array([(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 3, 3), (0, 2, 2)], np.int32)
    x = sparse.SparseConvTensor(np.ones((5, 1), np.float32), indices, (4, 4), 1)
    rng = np.random.default_rng(0)

    def sites(kernel, padding, rule):
        layer = layer_of(sparse.SparseConv2d, rng, 1, 1, kernel, stride=2, padding=padding, sites=rule)
        return layer(x).indices[:, 1:].tolist()

    assert sites(2, 0, "conv") == [[0, 0], [1, 1]]
    assert sites(3, 1, "conv") == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert sites(3, 0, "floor") == [[0, 0], [1, 1]]


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (2, 1), (2, 3), ((1, 4, 5), 1)])
def test_floor_sites(kernel, dilation) -> None:
    """Odd kernels are centred on o * stride, even ones start there."""
    rng = np.random.default_rng(5)
    features, indices = cloud(rng, (7, 9, 8), 60, 3)
    layer = layer_of(
        sparse.SparseConv3d, rng, 3, 4, kernel, stride=(2, 3, 2), dilation=dilation, sites="floor"
    )
    y = layer(sparse.SparseConvTensor(features, indices, (7, 9, 8), 1))
    want_sites = np.unique(indices // [1, 2, 3, 2], axis=0)
    assert np.array_equal(y.indices, want_sites)
    assert y.spatial_shape == [4, 3, 4]
    where = {tuple(i): f for i, f in zip(indices.tolist(), features.astype(np.float64), strict=True)}
    want = np.zeros(y.features.shape)
    for row, (b, *cell) in enumerate(want_sites.tolist()):
        for k in itertools.product(*map(range, layer.kernel_size)):
            at = [
                c * s + (i - (n // 2 if n % 2 else 0)) * dilation
                for c, s, i, n in zip(cell, layer.stride, k, layer.kernel_size, strict=True)
            ]
            if (b, *at) in where:
                want[row] += layer.test_weight[(slice(None), *k)].astype(np.float64) @ where[(b, *at)]
    np.testing.assert_allclose(y.features, want, rtol=0, atol=1e-5)


def check_at_sites(layer, x, y) -> None:
    """As check(), for grids too large to be dense: neighbours are looked up in a grid of row numbers."""
    subm = layer._kind == "subm"
    rows = np.full(x.spatial_shape, -1)
    rows[tuple(x.indices[:, 1:].T)] = np.arange(len(x.indices))
    reach = [
        k // 2 * d if subm else p
        for k, d, p in zip(layer.kernel_size, layer.dilation, layer.padding, strict=True)
    ]
    want, size = np.zeros(y.features.shape), np.zeros(y.features.shape)
    met = np.zeros(len(want), bool)
    for k in itertools.product(*map(range, layer.kernel_size)):
        cell = y.indices[:, 1:] * np.array(layer.stride) - reach + np.multiply(k, layer.dilation)
        inside = ((cell >= 0) & (cell < x.spatial_shape)).all(1)
        row = np.where(inside, rows[tuple(np.where(inside[:, None], cell, 0).T)], -1)
        f, w = (
            x.features[row[row >= 0]].astype(np.float64),
            layer.test_weight[(slice(None), *k)].astype(np.float64),
        )
        want[row >= 0] += f @ w.T
        size[row >= 0] += abs(f) @ abs(w).T
        met |= row >= 0
    assert met.all()
    assert (abs(y.features - want) <= 2 * layer.test_weight[0].size * EPS * size).all()


def test_lidar_scan_end_to_end() -> None:
    """Two submanifold layers, one with a stride, one more: as the encoder of a network, on thousands of voxels."""
    rng = np.random.default_rng(1)
    indices, shape = voxels(scan(), 0.4)
    assert len(indices) > 2000
    indices = np.insert(indices, 0, 0, axis=1)
    features = rng.standard_normal((len(indices), 4)).astype(np.float32)
    x = first_x = sparse.SparseConvTensor(features, indices, shape, 1)
    layers = [
        layer_of(sparse.SubMConv3d, rng, 4, 16, 3, indice_key="a"),
        layer_of(sparse.SubMConv3d, rng, 16, 16, 3, indice_key="a"),
        layer_of(sparse.SparseConv3d, rng, 16, 32, 3, stride=2, padding=1, indice_key="down"),
        layer_of(sparse.SubMConv3d, rng, 32, 32, 3, indice_key="b"),
    ]
    for layer in layers:
        y = layer(x)
        check_at_sites(layer, x, y)
        x = y
    assert set(x.indice_dict) == {"a", "down", "b"}
    assert x.indice_dict is first_x.indice_dict
    for n in (1, 2, 3, 7):
        again = sparse.SparseConvTensor(features, indices, shape, 1)
        threads = sterna.Threads(n)._core
        for layer in layers:
            layer._threads = threads
            again = layer(again)
        assert np.array_equal(again.features, x.features)


def pairs_of(cells, size):
    """Of a submanifold kernel of 3 x 3 x 3, counted by looking each neighbour up in a list of numbers."""
    wide = np.array(size, np.int64) + 2
    number = ((cells[:, 0] + 1) * wide[1] + cells[:, 1] + 1) * wide[2] + cells[:, 2] + 1
    steps = itertools.product((-1, 0, 1), repeat=3)
    return sum(int(np.isin(number + (x * wide[1] + y) * wide[2] + z, number).sum()) for x, y, z in steps)


def pairs_found(cells, size) -> int:
    x = sparse.SparseConvTensor(
        np.ones((len(cells), 1), np.float32), np.insert(cells, 0, 0, axis=1), [int(n) for n in size], 1
    )
    layer_of(sparse.SubMConv3d, np.random.default_rng(0), 1, 1, 3, indice_key="k")(x)
    return x.indice_dict["k"][1].pairs


@pytest.mark.parametrize("size", [0.1, 0.4])
def test_pairs_of_a_scan(size) -> None:
    cells, shape = voxels(scan(), size)
    assert pairs_found(cells, shape) == pairs_of(cells.astype(np.int64), shape)


@pytest.mark.skipif("STERNA_SHARED" not in os.environ, reason="STERNA_SHARED names no folder with a scan")
@pytest.mark.parametrize(("size", "want"), [(0.05, 197_414), (0.1, 172_012)])
def test_pairs_of_a_scan_of_64_beams(size, want) -> None:
    """Two other programs count as many under the lower half of the offsets."""
    made = runpy.run_path(str(Path(os.environ["STERNA_SHARED"], "design", "lidar_scan.py")))
    cells, _, shape = made["voxelize"](made["scan"](0), size)
    pairs = pairs_found(cells, shape)
    assert pairs == pairs_of(cells.astype(np.int64), shape) == 2 * want + len(cells)


def test_bias_and_no_bias() -> None:
    rng = np.random.default_rng(2)
    features, indices = cloud(rng, (6, 6), 10, 2)
    x = sparse.SparseConvTensor(features, indices, (6, 6), 1)
    layer = sparse.SubMConv2d(2, 3, 3)
    weight, bias = rng.standard_normal((3, 3, 3, 2)).astype(np.float32), np.float32([1, -2, 3])
    layer.load(weight)
    without = layer(x).features
    layer.load(weight, bias)
    assert np.array_equal(layer(x).features, without + bias)


def test_empty_cloud_and_one_voxel() -> None:
    rng = np.random.default_rng(3)
    subm = layer_of(sparse.SubMConv3d, rng, 2, 5, 3)
    conv = layer_of(sparse.SparseConv3d, rng, 2, 5, 3, stride=2, padding=1)
    empty = sparse.SparseConvTensor(np.zeros((0, 2), np.float32), np.zeros((0, 4), np.int64), (8, 8, 8), 2)
    for layer in (subm, conv):
        y = layer(empty)
        assert y.features.shape == (0, 5) and y.indices.shape == (0, 4)
    assert conv(empty).dense().shape == (2, 5, 4, 4, 4)
    one = sparse.SparseConvTensor(np.ones((1, 2), np.float32), np.array([[1, 7, 0, 7]]), (8, 8, 8), 2)
    check(subm, one, padding=[1, 1, 1])
    check(conv, one)


def test_grids_of_great_volume() -> None:
    """2**63 cells, corners included; a shift must not carry a site into the next row."""
    rng = np.random.default_rng(4)
    side = 2**21
    corners = np.array(list(itertools.product([0], *[[0, 1, side - 1]] * 3)), np.int32)
    features = rng.standard_normal((len(corners), 2)).astype(np.float32)
    y = layer_of(sparse.SubMConv3d, rng, 2, 2, 3)
    got = y(sparse.SparseConvTensor(features, corners, [side] * 3, 1)).features
    small = np.where(corners == side - 1, 4, corners)  # the same neighbours
    assert np.array_equal(got, y(sparse.SparseConvTensor(features, small, [5] * 3, 1)).features)
    wide = np.array([[0, 0, 0, 0], [3, 2**31 - 2] * 2], np.int32)
    with pytest.raises(sterna.UnsupportedError, match="2\\^63 cells"):
        sparse.SparseConvTensor(features[:2], wide[:, [0, 1, 3, 3]], [2**31 - 1] * 3, 4)


def site_errors():
    good = np.array([[0, 1, 1], [1, 2, 3]], np.int32)
    yield [[0, 1, 1], [0, 1, 1]], (4, 4), 2, ValueError, "no site twice"
    yield [[0, 1, 4]], (4, 4), 2, ValueError, r"coords\[0\].*\(0, 1, 4\)"
    yield [[0, 1, 1], [0, -1, 1]], (4, 4), 2, ValueError, r"coords\[1\]"
    yield [[2, 1, 1]], (4, 4), 2, ValueError, "batch index below 2"
    yield [[-1, 1, 1]], (4, 4), 2, ValueError, "batch index"
    yield good, (4, 4), 0, ValueError, "batch_size"
    yield good, (4, 0), 2, ValueError, "shape"
    yield good, (), 2, ValueError, "indices"
    yield np.zeros((1, 6), np.int32), (1,) * 5, 1, ValueError, "1 to 4"
    yield good[:, :2], (4, 4), 2, ValueError, r"\(n, 3\)"
    yield good.astype(np.float32), (4, 4), 2, TypeError, "int32 or int64"
    yield good.astype(np.uint8), (4, 4), 2, TypeError, "int32 or int64"
    yield good.astype(np.int64) + 2**32, (4, 4), 2, ValueError, "beyond int32"


@pytest.mark.parametrize(("indices", "shape", "batch", "error", "match"), list(site_errors()))
def test_sites_that_cannot_be(indices, shape, batch, error, match) -> None:
    indices = np.array(indices, None if isinstance(indices, np.ndarray) else np.int32)
    with pytest.raises(error, match=match):
        sparse.SparseConvTensor(np.zeros((len(indices), 1), np.float32), indices, shape, batch)


def test_features_that_cannot_be() -> None:
    indices = np.zeros((1, 4), np.int32)
    with pytest.raises(ValueError, match="2 rows, expected 1"):
        sparse.SparseConvTensor(np.zeros((2, 3), np.float32), indices, (2, 2, 2), 1)
    with pytest.raises(TypeError, match="float32"):
        sparse.SparseConvTensor(np.zeros((1, 3)), indices, (2, 2, 2), 1)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"kernel_size": 2, "kind": "subm"}, "odd"),
        ({"kernel_size": 3, "kind": "subm", "stride": 2}, "stride"),
        ({"kernel_size": 3, "stride": 0}, "stride"),
        ({"kernel_size": 3, "padding": -1}, "padding"),
        ({"kernel_size": 3, "dilation": 0}, "dilation"),
        ({"kernel_size": 3, "groups": 2}, "groups"),
        ({"kernel_size": (3, 3)}, "kernel_size"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": 9}, "output grid"),
        ({"kernel_size": 1, "stride": 2}, r"no output meets a site.*shape \(4, 4, 4\).*kernel \(1, 1, 1\)"),
        ({"kernel_size": 3, "sites": "floor", "padding": 1}, "padding"),
        ({"kernel_size": 3, "sites": "other"}, "sites"),
    ],
)
def test_layers_that_cannot_be(arguments, match) -> None:
    arguments = dict(arguments)
    kind = sparse.SubMConv3d if arguments.pop("kind", "") == "subm" else sparse.SparseConv3d
    x = sparse.SparseConvTensor(np.ones((1, 1), np.float32), np.array([[0, 1, 1, 1]]), (4, 4, 4), 1)
    with pytest.raises(ValueError, match=match):
        layer_of(kind, np.random.default_rng(0), 1, 1, **arguments)(x)


def test_indice_key_of_another_layer() -> None:
    rng = np.random.default_rng(0)
    features, indices = cloud(rng, (4, 4), 9, 2)
    x = sparse.SparseConvTensor(features, indices, (4, 4), 1)
    y = layer_of(sparse.SubMConv2d, rng, 2, 2, 3, indice_key="k")(x)
    with pytest.raises(ValueError, match="indice_key"):
        layer_of(sparse.SubMConv2d, rng, 2, 2, 5, indice_key="k")(y)
    down = layer_of(sparse.SparseConv2d, rng, 2, 2, 2, stride=2)(y)
    with pytest.raises(ValueError, match="indice_key"):
        layer_of(sparse.SubMConv2d, rng, 2, 2, 3, indice_key="k")(down)


def test_arguments_of_a_call() -> None:
    rng = np.random.default_rng(0)
    features, indices = cloud(rng, (4, 4), 9, 2)
    x = sparse.SparseConvTensor(features, indices, (4, 4), 1)
    with pytest.raises(ValueError, match="3 channels|2 channels, expected 3"):
        layer_of(sparse.SubMConv2d, rng, 3, 2, 3)(x)
    with pytest.raises(ValueError, match="2 dimensions, expected 3"):
        layer_of(sparse.SubMConv3d, rng, 2, 2, 3)(x)
    with pytest.raises(ValueError, match="weight"):
        sparse.SubMConv2d(2, 2, 3)(x)
    with pytest.raises(TypeError, match="SparseConvTensor"):
        layer_of(sparse.SubMConv2d, rng, 2, 2, 3)(features)
    with pytest.raises(ValueError, match="weight, got shape"):
        sparse.SubMConv2d(2, 2, 3, weight=np.zeros((2, 2, 3, 3), np.float32))


def test_dense() -> None:
    features, indices = np.float32([[1, 2], [3, 4]]), np.array([[1, 0, 2], [0, 1, 1]])
    x = sparse.SparseConvTensor(features, indices, (2, 3), 2)
    want = np.zeros((2, 2, 2, 3), np.float32)
    want[1, :, 0, 2], want[0, :, 1, 1] = features
    assert np.array_equal(x.dense(), want)
    assert np.array_equal(x.dense(channels_first=False), np.moveaxis(want, 1, -1))
