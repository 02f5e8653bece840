"""Sparse convolution of point clouds on numpy arrays, with spconv's names; inference only.

import sterna.sparse as sparse
x = sparse.SparseConvTensor(features, indices, spatial_shape, batch_size)
conv = sparse.SubMConv3d(4, 32, 3, indice_key="subm1", weight=weight)  # (out, kx, ky, kz, in)
y = conv(x).features
"""

from __future__ import annotations

from .layers import (
    SparseConv1d,
    SparseConv2d,
    SparseConv3d,
    SparseConv4d,
    SparseConvTranspose1d,
    SparseConvTranspose2d,
    SparseConvTranspose3d,
    SparseConvTranspose4d,
    SparseInverseConv1d,
    SparseInverseConv2d,
    SparseInverseConv3d,
    SparseInverseConv4d,
    SubMConv1d,
    SubMConv2d,
    SubMConv3d,
    SubMConv4d,
)
from .modules import SparseBatchNorm, SparseReLU, SparseSequential, sparse_add
from .pooling import (
    SparseAvgPool1d,
    SparseAvgPool2d,
    SparseAvgPool3d,
    SparseAvgPool4d,
    SparseGlobalAvgPool,
    SparseGlobalMaxPool,
    SparseMaxPool1d,
    SparseMaxPool2d,
    SparseMaxPool3d,
    SparseMaxPool4d,
)
from .tensor import SparseConvTensor
from .voxelize import PointToVoxel, sparse_quantize
from .weights import from_minkowski, from_spconv, from_torchsparse, load_state_dict

__all__ = [
    "PointToVoxel",
    "SparseAvgPool1d",
    "SparseAvgPool2d",
    "SparseAvgPool3d",
    "SparseAvgPool4d",
    "SparseBatchNorm",
    "SparseConv1d",
    "SparseConv2d",
    "SparseConv3d",
    "SparseConv4d",
    "SparseConvTensor",
    "SparseConvTranspose1d",
    "SparseConvTranspose2d",
    "SparseConvTranspose3d",
    "SparseConvTranspose4d",
    "SparseGlobalAvgPool",
    "SparseGlobalMaxPool",
    "SparseInverseConv1d",
    "SparseInverseConv2d",
    "SparseInverseConv3d",
    "SparseInverseConv4d",
    "SparseMaxPool1d",
    "SparseMaxPool2d",
    "SparseMaxPool3d",
    "SparseMaxPool4d",
    "SparseReLU",
    "SparseSequential",
    "SubMConv1d",
    "SubMConv2d",
    "SubMConv3d",
    "SubMConv4d",
    "from_minkowski",
    "from_spconv",
    "from_torchsparse",
    "load_state_dict",
    "sparse_add",
    "sparse_quantize",
]
