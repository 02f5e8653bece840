"""smollm3: llama's graph, but heads of every fourth layer are not rotated."""

from pathlib import Path

import numpy as np
import pytest
from gguf_writer import Gguf
from mini_models import Mini, check_sessions, load, logits, silence

MINI = Mini("smollm3")


def first_layers(n: int) -> Gguf:
    file = MINI.file(block_count=n)
    file.tensors = [t for t in file.tensors if not t.name.startswith(tuple(f"blk.{i}." for i in range(n, 4)))]
    return file


def test_three_layers_are_llama(tmp_path: Path) -> None:
    for n, same in ((3, True), (4, False)):
        want = logits(MINI.as_arch(first_layers(n), "llama"), tmp_path)
        assert (logits(first_layers(n), tmp_path).tobytes() == want.tobytes()) == same


def test_the_fourth_layer_knows_no_angles(tmp_path: Path) -> None:
    for layers, same in (((0, 1, 2), True), ((0, 1, 3), False)):
        got = [logits(silence(MINI.file(rope__freq_base=b), *layers), tmp_path) for b in (1e4, 2e4)]
        assert (got[0].tobytes() == got[1].tobytes()) == same


def test_yarn(tmp_path: Path) -> None:
    keys = {"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0}
    got = [logits(MINI.file(**keys, rope__scaling__original_context_length=n), tmp_path) for n in (16, 200)]
    assert (got[0] != got[1]).any() and (got[0] != logits(MINI.file(), tmp_path)).any()


def test_missing_norm(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"blk.3.attn_norm.weight': is missing"):
        load(MINI.file().drop_tensor("blk.3.attn_norm.weight"), tmp_path)


def test_sessions(tmp_path: Path) -> None:
    check_sessions("smollm3", tmp_path, rope__freq_base=2e4)


def test_info(tmp_path: Path) -> None:
    with load(MINI.file(), tmp_path) as model:
        assert (model.info.architecture, model.info.n_layer, model.info.n_layer_local) == ("smollm3", 4, 0)
        assert np.isfinite(model.forward([1, 2, 3])).all()
