"""Transposed and inverse convolutions, pooling, and what is fused, against dense references in float64."""

import numpy as np
import pytest
import sterna
from clouds import EPS, cloud, dense_conv, dense_conv_transposed, layer_of
from sterna import sparse

SHAPES = {1: (20,), 2: (5, 7), 3: (4, 3, 5), 4: (3, 2, 4, 3)}
CONV, TRANSPOSE, INVERSE, MAX, AVERAGE = (
    [getattr(sparse, f"{kind}{dims}d") for dims in (1, 2, 3, 4)]
    for kind in ("SparseConv", "SparseConvTranspose", "SparseInverseConv", "SparseMaxPool", "SparseAvgPool")
)


def numbers(rng, low, high, n):
    return [int(x) for x in rng.integers(low, high + 1, n)]


def random_tensor(rng, dims, channels):
    n = int(rng.integers(1, np.prod(SHAPES[dims]) + 1))
    features, indices = cloud(rng, SHAPES[dims], n, channels, batch=2)
    return sparse.SparseConvTensor(features, indices, SHAPES[dims], 2)


def occupied(x):
    grid = np.zeros((x.batch_size, *x.spatial_shape, 1))
    grid[tuple(x.indices.T)] = 1
    return grid


@pytest.mark.parametrize("dims", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(10))
def test_transposed(dims, seed) -> None:
    rng = np.random.default_rng((dims, seed))
    x = random_tensor(rng, dims, 5)
    stride, dilation = numbers(rng, 1, 3, dims), numbers(rng, 1, 3, dims)
    more = [int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)]
    window = {"stride": stride, "padding": numbers(rng, 0, 1, dims), "dilation": dilation}
    kernel = numbers(rng, 2, 3, dims)
    layer = layer_of(TRANSPOSE[dims - 1], rng, 5, 18, kernel, **window, output_padding=more)
    y = layer(x)

    def reference(grid, weight):
        return dense_conv_transposed(grid, weight, *window.values(), more)

    grid = x.dense(channels_first=False)
    want, size = reference(grid, layer.test_weight), reference(abs(grid), abs(layer.test_weight))
    at = tuple(y.indices.T)
    assert list(want.shape[1:-1]) == y.spatial_shape
    assert (abs(y.features - want[at]) <= 2 * layer.test_weight[0].size * EPS * size[at] + 1e-30).all()
    meets = reference(occupied(x), np.ones((1, *layer.kernel_size, 1)))[..., 0] > 0
    assert np.array_equal(np.argwhere(meets), y.indices)


def test_generative_upsampling_by_hand() -> None:
    x = sparse.SparseConvTensor(np.float32([[2], [3]]), np.array([[0, 0], [0, 2]]), (3,), 1)
    weight = np.float32([[[10], [1]]])  # (out, k, in)
    y = sparse.SparseConvTranspose1d(1, 1, 2, stride=2, bias=False, weight=weight)(x)
    assert y.spatial_shape == [6]
    assert y.indices[:, 1].tolist() == [0, 1, 4, 5]
    assert y.features[:, 0].tolist() == [20, 2, 30, 3]


@pytest.mark.parametrize("dims", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_inverse(dims, seed) -> None:
    """At the sites that a layer came from, the transposed convolution of its outputs, whose window is the same."""
    rng = np.random.default_rng((dims, seed))
    x = random_tensor(rng, dims, 3)
    kernel, stride, padding = numbers(rng, 1, 3, dims), numbers(rng, 1, 2, dims), numbers(rng, 0, 1, dims)
    down = layer_of(CONV[dims - 1], rng, 3, 6, kernel, stride, padding, indice_key="down")
    try:
        y = down(x)
    except ValueError:  # no output meets a site
        return
    up = layer_of(INVERSE[dims - 1], rng, 6, 4, kernel, "down")
    z = up(y)
    assert np.array_equal(z.indices, x.indices)
    assert z.spatial_shape == x.spatial_shape
    full = dense_conv_transposed(
        y.dense(channels_first=False), up.test_weight, stride, [0] * dims, [1] * dims, [0] * dims
    )
    room = np.zeros((2, *[n + max(SHAPES[dims]) + 9 for n in full.shape[1:-1]], 4))
    room[tuple(slice(n) for n in full.shape)] = full
    at = x.indices + [0, *padding]
    np.testing.assert_allclose(z.features, room[tuple(at.T)], rtol=1e-4, atol=1e-4)
    again = layer_of(INVERSE[dims - 1], rng, 6, 4, kernel, "down")(y)
    assert np.array_equal(again.indices, x.indices)


def test_inverse_of_another_layer() -> None:
    rng = np.random.default_rng(0)
    x = random_tensor(rng, 2, 2)
    y = layer_of(sparse.SparseConv2d, rng, 2, 2, 2, 2, 1, indice_key="down")(x)
    with pytest.raises(ValueError, match="'up', expected that of a layer before"):
        layer_of(sparse.SparseInverseConv2d, rng, 2, 2, 2, "up")(y)
    with pytest.raises(ValueError, match=r"kernel_size, got \(3, 3\), expected \(2, 2\)"):
        layer_of(sparse.SparseInverseConv2d, rng, 2, 2, 3, "down")(y)
    with pytest.raises(ValueError, match="other sites"):
        layer_of(sparse.SparseInverseConv2d, rng, 2, 2, 2, "down")(x)
    with pytest.raises(TypeError, match="indice_key"):
        sparse.SparseInverseConv2d(2, 2, 2, None)


@pytest.mark.parametrize("dims", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_pooling(dims, seed) -> None:
    rng = np.random.default_rng((dims, seed))
    x = random_tensor(rng, dims, 3)
    kernel, padding = numbers(rng, 2, 3, dims), numbers(rng, 0, 1, dims)
    try:
        largest = MAX[dims - 1](kernel, padding=padding, indice_key="pool")(x)
    except ValueError as e:
        assert "no output meets" in str(e) or "output grid" in str(e)
        return
    mean = AVERAGE[dims - 1](kernel, padding=padding, indice_key="pool")(x)
    ones = np.ones((1, *kernel, 1))
    count = dense_conv(occupied(x), ones, kernel, padding, [1] * dims)[..., 0]
    assert np.array_equal(np.argwhere(count > 0), largest.indices)
    assert np.array_equal(mean.indices, largest.indices)
    for y, pool in ((largest, np.max), (mean, np.mean)):
        for row, site in zip(y.features, y.indices, strict=True):
            low = site[1:] * kernel - padding
            cells = x.indices[:, 1:]
            inside = ((cells >= low) & (cells < low + kernel)).all(1) & (x.indices[:, 0] == site[0])
            np.testing.assert_allclose(
                row, pool(x.features[inside].astype(np.float64), axis=0), rtol=1e-5, atol=1e-6
            )


def test_pooling_can_be_undone() -> None:
    rng = np.random.default_rng(3)
    x = random_tensor(rng, 3, 4)
    y = sparse.SparseMaxPool3d(2, padding=1, indice_key="pool")(x)
    z = layer_of(sparse.SparseInverseConv3d, rng, 4, 2, 2, "pool")(y)
    assert np.array_equal(z.indices, x.indices)


def test_global_pooling() -> None:
    indices = np.array([[2, 0, 1], [0, 1, 1], [2, 1, 1]])
    x = sparse.SparseConvTensor(np.float32([[1, -2], [-5, 6], [3, -8]]), indices, (2, 2), 4)
    assert sparse.SparseGlobalMaxPool()(x).tolist() == [[-5, 6], [0, 0], [3, -2], [0, 0]]
    assert sparse.SparseGlobalAvgPool()(x).tolist() == [[-5, 6], [0, 0], [2, -5], [0, 0]]


def test_empty_clouds() -> None:
    rng = np.random.default_rng(0)
    x = sparse.SparseConvTensor(np.zeros((0, 2), np.float32), np.zeros((0, 3), np.int32), (4, 4), 3)
    y = layer_of(sparse.SparseConv2d, rng, 2, 5, 2, 2, indice_key="k")(x)
    assert layer_of(sparse.SparseInverseConv2d, rng, 5, 3, 2, "k")(y).features.shape == (0, 3)
    assert layer_of(sparse.SparseConvTranspose2d, rng, 2, 3, 2, 2)(x).spatial_shape == [8, 8]
    assert sparse.SparseMaxPool2d(2)(x).indices.shape == (0, 3)
    assert not sparse.SparseGlobalAvgPool()(x).any()


def test_residual_and_relu() -> None:
    rng = np.random.default_rng(4)
    x = random_tensor(rng, 3, 4)
    layer = layer_of(sparse.SubMConv3d, rng, 4, 6, 3)
    plain = layer(x).features
    residual = rng.standard_normal(plain.shape).astype(np.float32)
    assert np.array_equal(layer(x, residual=residual).features, plain + residual)
    assert np.array_equal(layer(x, relu=True, residual=residual).features, np.maximum(plain + residual, 0))
    with pytest.raises(ValueError, match="residual"):
        layer(x, residual=residual[:, :5])


def test_growth_is_bounded() -> None:
    indices = np.zeros((60 * 60, 3), np.int64)
    indices[:, 1:] = np.argwhere(np.ones((60, 60)))
    x = sparse.SparseConvTensor(np.zeros((len(indices), 1), np.float32), indices, (60, 60), 1)
    layer = layer_of(sparse.SparseConvTranspose2d, np.random.default_rng(0), 1, 1, 1024)
    with pytest.raises(sterna.UnsupportedError, match="3600 sites make more than"):
        layer(x)
