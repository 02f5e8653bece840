"""olmo2: norms behind the blocks only, those of q and k over all heads, and the windows of OLMo 3."""

from pathlib import Path

import numpy as np
import pytest
import sterna
from gguf_writer import Gguf
from mini_models import Mini, check_sessions, load, logits

MINI = Mini("olmo2")
PATTERN = "attention__sliding_window_pattern"


def whole(**keys: float | int) -> Gguf:
    """Without a window."""
    return MINI.file(**keys).drop_key("olmo2.attention.sliding_window")


def test_angles_of_local_layers_are_not_scaled(tmp_path: Path) -> None:
    for file, same in (
        (lambda **keys: MINI.file(**{PATTERN: [True] * 4} | keys), True),
        (MINI.file, False),
        (whole, False),
    ):
        got = [logits(file(rope__scaling__factor=f), tmp_path) for f in (4.0, 8.0)]
        assert (got[0].tobytes() == got[1].tobytes()) == same
        got = [logits(file(rope__freq_base=b), tmp_path) for b in (1e4, 2e4)]
        assert (got[0] != got[1]).any()


def test_no_window(tmp_path: Path) -> None:
    want = logits(whole(), tmp_path)
    np.testing.assert_array_equal(logits(MINI.file(attention__sliding_window=0), tmp_path), want)
    np.testing.assert_array_equal(logits(MINI.file(**{PATTERN: [False] * 4}), tmp_path), want)
    assert (logits(MINI.file(), tmp_path) != want).any()


def test_norms_of_single_heads(tmp_path: Path) -> None:
    file = MINI.file()
    t = file.tensor("blk.1.attn_q_norm.weight")
    t.shape, t.data = [32], t.data[:128]
    with pytest.raises(ValueError, match=r"blk.1.attn_q_norm.weight': shape, got \[32\], expected \[64\]"):
        load(file, tmp_path)


def test_base_of_local_layers(tmp_path: Path) -> None:
    """It is that of all."""
    same = logits(MINI.file(rope__freq_base_swa=1e4), tmp_path)
    np.testing.assert_array_equal(same, logits(MINI.file(), tmp_path))
    with pytest.raises(sterna.UnsupportedError, match="rope.freq_base_swa' asks for several rotary"):
        load(MINI.file(rope__freq_base_swa=2e4), tmp_path)


def test_sessions(tmp_path: Path) -> None:
    check_sessions("olmo2", tmp_path, rope__scaling__factor=8.0)
    check_sessions("olmo2", tmp_path, attention__sliding_window=25)


def test_info(tmp_path: Path) -> None:
    with load(MINI.file(), tmp_path) as model:
        info = model.info
        assert (info.architecture, info.n_layer, info.n_layer_local, info.window) == ("olmo2", 4, 3, 24)
