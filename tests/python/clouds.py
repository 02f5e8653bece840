"""Random clouds, layers with random weights, and dense references in float64."""

import itertools

import numpy as np

EPS = 2.0**-24


def cloud(rng, shape, n, channels, batch=1):
    """Distinct random sites in no order, and features."""
    cells = np.array(list(itertools.product(range(batch), *map(range, shape))), np.int32)
    indices = rng.permutation(cells)[:n]
    return rng.standard_normal((len(indices), channels)).astype(np.float32), indices


def dense_conv(x, weight, stride, padding, dilation):
    """Dense convolution in float64. x: (batch, *shape, in), weight: (out, *kernel, in)."""
    dims = weight.ndim - 2
    kernel = weight.shape[1:-1]
    x = np.pad(x.astype(np.float64), [(0, 0), *[(p, p) for p in padding], (0, 0)])
    size = [(x.shape[a + 1] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(dims)]
    y = np.zeros((x.shape[0], *size, weight.shape[0]))
    for k in itertools.product(*map(range, kernel)):
        window = tuple(
            slice(k[a] * dilation[a], k[a] * dilation[a] + stride[a] * (size[a] - 1) + 1, stride[a])
            for a in range(dims)
        )
        y += x[(slice(None), *window)] @ weight[(slice(None), *k)].astype(np.float64).T
    return y


def dense_conv_transposed(x, weight, stride, padding, dilation, output_padding):
    """Dense transposed convolution in float64; arguments as dense_conv()'s."""
    dims = weight.ndim - 2
    kernel = weight.shape[1:-1]
    reach = [(x.shape[a + 1] - 1) * stride[a] + 1 for a in range(dims)]
    size = [reach[a] + dilation[a] * (kernel[a] - 1) for a in range(dims)]
    y = np.zeros((x.shape[0], *[size[a] + output_padding[a] for a in range(dims)], weight.shape[0]))
    for k in itertools.product(*map(range, kernel)):
        begin = [k[a] * dilation[a] for a in range(dims)]
        window = tuple(slice(begin[a], begin[a] + reach[a], stride[a]) for a in range(dims))
        y[(slice(None), *window)] += x.astype(np.float64) @ weight[(slice(None), *k)].astype(np.float64).T
    inner = tuple(slice(padding[a], size[a] + output_padding[a] - padding[a]) for a in range(dims))
    return y[(slice(None), *inner)]


def layer_of(kind, rng, *args, **kwargs):
    layer = kind(*args, bias=False, **kwargs)
    layer.test_weight = rng.standard_normal(layer.weight_shape).astype(np.float32)
    layer.load(layer.test_weight)
    return layer
