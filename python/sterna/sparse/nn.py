"""Layers under the names of spconv.pytorch: a model for inference is ported by changing the import.

import sterna.sparse.nn as spconv
net = spconv.SparseSequential(spconv.SubMConv3d(4, 32, 3, bias=False, indice_key="a"), spconv.SparseReLU())
spconv.load_state_dict({"0": net[0]}, state, "spconv")
"""

from __future__ import annotations

from . import *  # noqa: F403
from . import __all__ as __all__
