"""Models that the tests share, and kernels that do not depend on measurements."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sterna

os.environ.setdefault("STERNA_CHOICE", "builtin")
# A job in the background ignores Ctrl-C and lets its children inherit that; tests send it to them.
signal.signal(signal.SIGINT, signal.default_int_handler)

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"


@pytest.fixture(scope="session")
def tiny() -> Iterator[sterna.Model]:
    """The trained model in the package."""
    with sterna.load(None, n_ctx=256) as model:
        yield model


@pytest.fixture(scope="session")
def mini() -> Iterator[sterna.Model]:
    """Two layers of random weights; quick."""
    with sterna.load(MODELS / "mini-bitnet-i2_s.gguf", n_ctx=64) as model:
        yield model
