"""arcee: an FFN without a gate."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import Gguf, Tensor

IDS = [1, 300, 270, 265, 290, 30]


def mini() -> Gguf:
    return Gguf.read(MODELS / "mini-arcee.gguf")


def load(file: Gguf, tmp_path: Path) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, n_ctx=64)


def test_what_the_ffn_adds(tmp_path: Path) -> None:
    """Wdown relu(Wup x)**2: a bias of up that keeps all below zero leaves nothing of it."""

    def logits(file: Gguf) -> np.ndarray:
        with load(file, tmp_path) as model:
            return model.forward(IDS)

    def with_bias(value: float) -> Gguf:
        file = mini()
        bias = struct.pack("<160f", *[value] * 160)
        file.tensors += [Tensor(f"blk.{i}.ffn_up.bias", [160], 0, bias) for i in range(2)]
        return file

    silent = mini()
    for t in silent.tensors:
        if "ffn_down" in t.name:
            t.data = bytes(len(t.data))
    np.testing.assert_array_equal(logits(with_bias(-1e6)), logits(silent))
    np.testing.assert_array_equal(logits(with_bias(0)), logits(mini()))
    assert (logits(mini()) != logits(silent)).any()


@pytest.mark.parametrize("name", ["ffn_up", "ffn_down", "ffn_norm"])
def test_missing_tensor(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"blk.1.{name}.weight': is missing"):
        load(mini().drop_tensor(f"blk.1.{name}.weight"), tmp_path)


def test_a_gate_has_no_place(tmp_path: Path) -> None:
    file = mini()
    up = next(t for t in file.tensors if t.name == "blk.0.ffn_up.weight")
    file.tensors.append(Tensor("blk.0.ffn_gate.weight", up.shape, up.type_id, up.data))
    with pytest.raises(sterna.UnsupportedError, match="ffn_gate.weight': has no place in the graph"):
        load(file, tmp_path)


def test_info(tmp_path: Path) -> None:
    with load(mini(), tmp_path) as model:
        assert (model.info.architecture, model.info.activation) == ("arcee", "relu2")
