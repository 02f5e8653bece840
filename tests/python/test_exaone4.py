"""exaone4: norms behind the blocks only; with a window, heads of layers that see all are not rotated."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import sterna
from gguf_writer import Gguf
from mini_models import Mini, check_sessions, load, logits

MINI = Mini("exaone4")
PATTERN = "attention__sliding_window_pattern"


def without_window(file: Gguf) -> Gguf:
    return file.drop_key("exaone4.attention.sliding_window")


def test_layers_that_see_all_know_no_angles(tmp_path: Path) -> None:
    for file, same in (
        (lambda **keys: MINI.file(**{PATTERN: [False] * 4} | keys), True),
        (MINI.file, False),
        (lambda **keys: without_window(MINI.file(**keys)), False),
    ):
        got = [logits(file(rope__freq_base=b), tmp_path) for b in (1e4, 2e4)]
        assert (got[0].tobytes() == got[1].tobytes()) == same


def test_no_window(tmp_path: Path) -> None:
    """All layers see all, and all are rotated."""
    want = logits(without_window(MINI.file()), tmp_path)
    np.testing.assert_array_equal(logits(MINI.file(attention__sliding_window=0), tmp_path), want)
    wide = logits(MINI.file(**{PATTERN: [True] * 4}, attention__sliding_window=60), tmp_path)
    np.testing.assert_array_equal(wide, want)
    assert (logits(MINI.file(attention__sliding_window=60), tmp_path) != want).any()


def test_32b_has_a_window(tmp_path: Path) -> None:
    file = without_window(MINI.file(block_count=64))
    of_layer = [t for t in file.tensors if t.name.startswith("blk.0.")]
    file.tensors = [t for t in file.tensors if not t.name.startswith("blk.")]
    for i in range(64):
        file.tensors += [dataclasses.replace(t, name=t.name.replace("blk.0.", f"blk.{i}.")) for t in of_layer]
    with load(file, tmp_path) as model:
        assert (model.info.window, model.info.n_layer_local) == (4096, 48)
    with load(MINI.set(file, "attention.sliding_window", 0), tmp_path) as model:
        assert model.info.n_layer_local == 0


def test_prediction_of_several_tokens(tmp_path: Path) -> None:
    with pytest.raises(
        sterna.UnsupportedError, match="nextn_predict_layers' asks for multi-token prediction"
    ):
        load(MINI.file(nextn_predict_layers=1), tmp_path)


def test_wrong_pattern(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sliding_window_pattern', got another value"):
        load(MINI.file(**{PATTERN: [True] * 3}), tmp_path)


def test_sessions(tmp_path: Path) -> None:
    check_sessions("exaone4", tmp_path, attention__sliding_window=25)


def test_info(tmp_path: Path) -> None:
    with load(MINI.file(), tmp_path) as model:
        info = model.info
        assert (info.architecture, info.n_layer, info.n_layer_local, info.window) == ("exaone4", 4, 3, 24)
