"""Random geometry against torch's dense convolutions in float64; left out where torch or hypothesis is missing."""

import numpy as np
import pytest
from clouds import EPS, cloud, layer_of
from sterna import sparse

torch = pytest.importorskip("torch")
hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


def per_axis(dims, low, high):
    return st.lists(st.integers(low, high), min_size=dims, max_size=dims)


@st.composite
def layers(draw):
    dims = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["SubMConv", "SparseConv", "SparseConvTranspose"]))
    kernel, dilation = draw(per_axis(dims, 1, 4)), draw(per_axis(dims, 1, 3))
    window = {"dilation": dilation}
    if kind == "SubMConv":
        kernel = [k | 1 for k in kernel]
    else:
        window |= {"stride": draw(per_axis(dims, 1, 3)), "padding": draw(per_axis(dims, 0, 3))}
    if kind == "SparseConvTranspose":
        most = [max(s, d) - 1 for s, d in zip(window["stride"], dilation, strict=True)]
        window["output_padding"] = [draw(st.integers(0, m)) for m in most]
    shape = draw(per_axis(dims, 1, {1: 30, 2: 10, 3: 6}[dims]))
    return kind, shape, draw(st.floats(0, 1)), kernel, window, draw(st.integers(0, 2**32))


def dense(kind, grid, weight, kernel, window):
    """grid: (batch, channels, *shape), weight: (out, *kernel, in); float64."""
    weight = torch.from_numpy(np.ascontiguousarray(np.moveaxis(weight.astype(np.float64), -1, 1)))
    grid, dims = torch.from_numpy(grid.astype(np.float64)), len(kernel)
    if kind == "SparseConvTranspose":
        call = getattr(torch.nn.functional, f"conv_transpose{dims}d")
        return call(grid, weight.transpose(0, 1), **window).numpy()
    if kind == "SubMConv":
        window = window | {"padding": [k // 2 * d for k, d in zip(kernel, window["dilation"], strict=True)]}
    return getattr(torch.nn.functional, f"conv{dims}d")(grid, weight, **window).numpy()


@hypothesis.settings(max_examples=2400, deadline=None, derandomize=True, database=None)
@hypothesis.given(layers())
def test_random_geometry(case) -> None:
    """The bound: n roundings of a chain of n products. Outside of the output sites the dense result is 0."""
    kind, shape, share, kernel, window, seed = case
    rng = np.random.default_rng(seed)
    features, indices = cloud(rng, shape, max(1, int(share * 2 * np.prod(shape))), 3, batch=2)
    x = sparse.SparseConvTensor(features, indices, shape, 2)
    layer = layer_of(getattr(sparse, f"{kind}{len(shape)}d"), rng, 3, 5, kernel, **window)
    try:
        y = layer(x)
    except ValueError as e:
        assert "no output meets a site" in str(e) or "output grid" in str(e)
        return
    want = dense(kind, x.dense(), layer.test_weight, kernel, window)
    size = dense(kind, abs(x.dense()), abs(layer.test_weight), kernel, window)
    assert y.dense().shape == want.shape
    depth = layer.test_weight[0].size
    if kind == "SubMConv":
        at = (y.indices[:, 0], slice(None), *y.indices[:, 1:].T)
        assert (abs(y.features - want[at]) <= 2 * depth * EPS * size[at] + 1e-30).all()
    else:
        assert (abs(y.dense() - want) <= 2 * depth * EPS * size + 1e-30).all()
