"""Sequences, normalization, sums, voxels, and weights of other libraries."""

import itertools

import numpy as np
import pytest
import sterna.sparse.nn as nn
from clouds import cloud, layer_of
from sterna import sparse


def tensor(rng, channels=3, n=40, shape=(4, 5, 6)):
    features, indices = cloud(rng, shape, n, channels, batch=2)
    return sparse.SparseConvTensor(features, indices, shape, 2)


def norm_of(rng, n):
    values = [rng.uniform(0.5, 2, n), rng.standard_normal(n), rng.standard_normal(n), rng.uniform(0.5, 2, n)]
    norm = nn.SparseBatchNorm(n)
    norm.load(*[v.astype(np.float32) for v in values])
    return norm, values


def test_sequence() -> None:
    rng = np.random.default_rng(0)
    x = tensor(rng)
    conv, second = layer_of(nn.SubMConv3d, rng, 3, 7, 3), layer_of(nn.SparseConv3d, rng, 7, 4, 2, 2)
    relu = nn.SparseReLU()
    net = nn.SparseSequential(conv, relu, second, relu)
    want = relu(second(relu(conv(x))))
    assert np.array_equal(net(x).features, want.features)
    assert (want.features == 0).any() and (want.features > 0).any()
    assert len(net) == 4 and net[0] is conv and list(net)[2] is second
    with pytest.raises(TypeError, match="layers"):
        nn.SparseSequential(conv, 3)


def test_relu_keeps_nan() -> None:
    x = sparse.SparseConvTensor(np.float32([[-1, np.nan, 2]]), np.zeros((1, 2), np.int32), (1,), 1)
    got = nn.SparseReLU()(x).features[0]
    assert got[0] == 0 and np.isnan(got[1]) and got[2] == 2


def test_batch_norm_and_folding() -> None:
    rng = np.random.default_rng(1)
    x = tensor(rng)
    norm, (weight, bias, mean, var) = norm_of(rng, 7)
    conv = nn.SubMConv3d(3, 7, 3)
    conv.load(*[rng.standard_normal(s).astype(np.float32) for s in (conv.weight_shape, 7)])
    plain = conv(x).features.astype(np.float64)
    want = (plain - mean) / np.sqrt(var + 1e-5) * weight + bias
    np.testing.assert_allclose(norm(conv(x)).features, want, rtol=1e-4, atol=1e-4)
    net = nn.SparseSequential(nn.SparseSequential(conv, norm), nn.SparseReLU())
    folded = net.folded()
    assert len(folded[0]) == 1 and len(net[0]) == 2
    np.testing.assert_allclose(folded(x).features, np.maximum(want, 0), rtol=1e-4, atol=1e-4)
    without = layer_of(nn.SubMConv3d, rng, 3, 7, 3)
    got = nn.SparseSequential(without, norm).folded()(x).features
    np.testing.assert_allclose(got, norm(without(x)).features, rtol=1e-4, atol=1e-4)
    assert not without.has_bias
    with pytest.raises(ValueError, match="3 channels, expected 7"):
        norm(x)
    with pytest.raises(ValueError, match="running_var"):
        norm.load(None, None, np.zeros(7, np.float32), np.full(7, -1, np.float32))


def test_sparse_add() -> None:
    def at(sites, values):
        indices = np.array([[0, s] for s in sites])
        return sparse.SparseConvTensor(np.float32(values)[:, None], indices, (9,), 1)

    a = at([5, 1], [1, 2])
    assert sparse.sparse_add(a, a.replace_feature(a.features * 3)).features.tolist() == [[4], [8]]
    b = sparse.sparse_add(a, at([7, 5], [10, 20]), at([0], [5]))
    assert b.indices[:, 1].tolist() == [0, 1, 5, 7]
    assert b.features[:, 0].tolist() == [5, 2, 21, 10]
    other = sparse.SparseConvTensor(np.zeros((1, 1), np.float32), np.zeros((1, 2), np.int32), (8,), 1)
    with pytest.raises(ValueError, match="the same grid"):
        sparse.sparse_add(a, other)
    with pytest.raises(ValueError, match="at least 1"):
        sparse.sparse_add()


def test_coords_in_input_units() -> None:
    rng = np.random.default_rng(2)
    x = tensor(rng)
    assert np.array_equal(x.coords_in_input_units(), x.indices)
    down = layer_of(nn.SparseConv3d, rng, 3, 3, 2, (2, 1, 3), indice_key="d")(x)
    twice = nn.SparseMaxPool3d(2)(down)
    assert np.array_equal(twice.coords_in_input_units(), twice.indices * [1, 4, 2, 6])
    up = layer_of(nn.SparseConvTranspose3d, rng, 3, 3, 2, 2)(twice)
    assert np.array_equal(up.coords_in_input_units(), up.indices * [1, 2, 1, 3])
    back = layer_of(nn.SparseInverseConv3d, rng, 3, 3, 2, "d")(down)
    assert np.array_equal(back.coords_in_input_units(), x.indices)
    with pytest.raises(ValueError, match="1/2"):
        layer_of(nn.SparseConvTranspose3d, rng, 3, 3, 2, 2)(x).coords_in_input_units()


@pytest.mark.parametrize(
    ("kernel", "minkowski", "torchsparse"),
    [
        ((3, 3, 3), "first", "first"),
        ((2, 2, 2), "first", "last"),
        ((1, 3, 2), "first", "last"),
        ((3, 5), "first", "first"),
    ],
)
def test_kernel_orders(kernel, minkowski, torchsparse) -> None:
    """The weight of each offset says which it is."""
    first = sorted(itertools.product(*map(range, kernel)), key=lambda k: k[::-1])
    orders = {"first": first, "last": list(itertools.product(*map(range, kernel)))}
    for order, convert in ((minkowski, sparse.from_minkowski), (torchsparse, sparse.from_torchsparse)):
        w = np.zeros((len(first), 2, 4), np.float32)  # in, out
        for i, k in enumerate(orders[order]):
            w[i] = np.arange(8).reshape(2, 4) + 100 * np.ravel_multi_index(k, kernel)
        got = convert(w, kernel)
        assert got.shape == (4, *kernel, 2)
        for k in first:
            want = np.arange(8).reshape(2, 4).T + 100 * np.ravel_multi_index(k, kernel)
            assert np.array_equal(got[(slice(None), *k)], want)
    with pytest.raises(ValueError, match="weight, got shape"):
        sparse.from_minkowski(np.zeros((5, 2, 4), np.float32), kernel)


@pytest.mark.parametrize("source", ["spconv", "torchsparse", "minkowski"])
def test_load_state_dict(source) -> None:
    rng = np.random.default_rng(5)
    x = tensor(rng)
    want_conv, one = layer_of(nn.SubMConv3d, rng, 3, 4, 3), layer_of(nn.SubMConv3d, rng, 4, 4, 1)
    norm, (weight, bias, mean, var) = norm_of(rng, 4)
    kernel, bn = (
        ("weight", "b") if source == "spconv" else ("kernel", "b.bn" if source == "minkowski" else "b")
    )
    shift = rng.standard_normal((1, 4)).astype(np.float32)

    def theirs(w):
        if source == "spconv":
            return w
        w = np.moveaxis(w, 0, -1)  # x, y, z, in, out
        w = w.transpose(2, 1, 0, 3, 4).reshape(-1, *w.shape[3:])  # x fastest
        return w[0] if len(w) == 1 else w

    state = {
        f"c.{kernel}": theirs(want_conv.test_weight),
        f"one.{kernel}": theirs(one.test_weight),
        "one.bias": shift,
        f"{bn}.num_batches_tracked": np.array(3),
        **{
            f"{bn}.{name}": v.astype(np.float32)
            for name, v in zip(
                ("weight", "bias", "running_mean", "running_var"), (weight, bias, mean, var), strict=True
            )
        },
    }
    layers = {
        "c": nn.SubMConv3d(3, 4, 3, bias=False),
        "b": nn.SparseBatchNorm(4),
        "one": nn.SubMConv3d(4, 4, 1),
    }
    nn.load_state_dict(layers, state, source)
    got = layers["one"](layers["b"](layers["c"](x)))
    want = one(norm(want_conv(x))).features + shift
    assert np.array_equal(got.features, want)
    with pytest.raises(ValueError, match="no one.bias"):
        nn.load_state_dict(layers, {k: v for k, v in state.items() if k != "one.bias"}, source)
    with pytest.raises(ValueError, match="more, which no layer reads"):
        nn.load_state_dict(layers, state | {"more": shift}, source)
    nn.load_state_dict(layers, state | {"more": shift}, source, strict=False)
    with pytest.raises(ValueError, match="source"):
        nn.load_state_dict(layers, state, "other")
    with pytest.raises(TypeError, match="layers"):
        nn.load_state_dict({"c": nn.SparseReLU()}, state, source)


def test_sparse_quantize() -> None:
    points = np.float32([[0.9, -0.1], [0.1, 0.2], [0.95, -0.05], [-3, 7]])
    voxels, index, inverse = sparse.sparse_quantize(points, 0.5, return_index=True, return_inverse=True)
    assert voxels.tolist() == [[-6, 14], [0, 0], [1, -1]] and voxels.dtype == np.int32
    assert index.tolist() == [3, 1, 0]
    assert inverse.tolist() == [2, 1, 2, 0]
    assert np.array_equal(sparse.sparse_quantize(points, 0.5), voxels)
    assert np.array_equal(sparse.sparse_quantize(points, (0.5, 7))[:, 0], [-6, 0, 1])
    assert sparse.sparse_quantize(np.zeros((0, 3))).shape == (0, 3)
    exact = np.array([[2**24 + 1.0]])  # float32 has no such number
    assert sparse.sparse_quantize(exact).item() == 2**24 + 1
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"points\[1\].*finite"):
            sparse.sparse_quantize(np.array([[0.0], [wrong]]))
    with pytest.raises(ValueError, match="within int32"):
        sparse.sparse_quantize(np.array([[1e10]]))
    with pytest.raises(ValueError, match="voxel_size"):
        sparse.sparse_quantize(points, 0)
    with pytest.raises(ValueError, match="voxel_size, got 3"):
        sparse.sparse_quantize(points, (1, 1, 1))
    with pytest.raises(TypeError, match="float32 or float64"):
        sparse.sparse_quantize(points.astype(np.int32))


def plain_voxels(points, low, size, places, most, most_points):
    found: dict = {}
    for p in points:
        cell = tuple(np.floor((p[:3].astype(np.float64) - low) / size).astype(int))
        if all(0 <= c < n for c, n in zip(cell, places, strict=True)) and (
            cell in found or len(found) < most
        ):
            found.setdefault(cell, []).append(p)
    return [(cell[::-1], ps[:most_points]) for cell, ps in found.items()]


@pytest.mark.parametrize(("most", "most_points"), [(1000, 5), (7, 2), (1, 1)])
def test_point_to_voxel(most, most_points) -> None:
    rng = np.random.default_rng(6)
    points = rng.uniform(-2, 5, (300, 5)).astype(np.float32)
    size, low, high = np.array([1, 0.5, 2.0]), np.array([0, -1, -2.0]), np.array([4, 3, 4.0])
    group = sparse.PointToVoxel(size, [*low, *high], 5, most, most_points)
    assert group.grid_size == [3, 8, 4]
    voxels, indices, counts = group(points)
    want = plain_voxels(points, low, size, (4, 8, 3), most, most_points)
    assert len(voxels) == len(want) and indices.dtype == counts.dtype == np.int32
    for v, i, n, (cell, inside) in zip(voxels, indices, counts, want, strict=True):
        assert tuple(i) == cell and n == len(inside)
        assert np.array_equal(v[:n], inside) and not v[n:].any()


def test_point_to_voxel_that_cannot_be() -> None:
    group = sparse.PointToVoxel([1, 1], [0, 0, 4, 4], 3, 10, 2)
    voxels, indices, counts = group(np.full((2, 3), 9, np.float32))
    assert voxels.shape == (0, 2, 3) and indices.shape == (0, 2) and counts.shape == (0,)
    with pytest.raises(ValueError, match=r"points\[0\].*finite"):
        group(np.float32([[1, np.nan, 0]]))
    with pytest.raises(ValueError, match="2 features, expected 3"):
        group(np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="coors_range_xyz"):
        sparse.PointToVoxel([1, 1], [0, 0, 4, 0], 3, 10, 2)
    with pytest.raises(ValueError, match="vsize_xyz"):
        sparse.PointToVoxel([1, -1], [0, 0, 4, 4], 3, 10, 2)
