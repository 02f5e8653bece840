"""What several architectures ask of their layers: which norms there are, and which layers have a window."""

from pathlib import Path

import numpy as np
import pytest
import sterna
from gguf_writer import Tensor
from mini_models import Mini, load, logits

NORMS = ["post_attention_norm", "post_ffw_norm", "attn_q_norm", "attn_k_norm"]


@pytest.mark.parametrize("arch", ["exaone4", "olmo2"])
def test_every_fourth_layer_sees_all(tmp_path: Path, arch: str) -> None:
    want = logits(Mini(arch).file(), tmp_path)
    for pattern, same in ((4, True), ([True, True, True, False], True), (2, False), ([True] * 4, False)):
        file = Mini(arch).file(attention__sliding_window_pattern=pattern)
        assert (logits(file, tmp_path).tobytes() == want.tobytes()) == same


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("arch", ["exaone4", "gemma3", "olmo2"])
def test_missing_norm(tmp_path: Path, arch: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"blk.2.{name}.weight': is missing"):
        load(Mini(arch).file().drop_tensor(f"blk.2.{name}.weight"), tmp_path)


@pytest.mark.parametrize("name", ["attn_norm", "ffn_norm"])
@pytest.mark.parametrize("arch", ["exaone4", "olmo2"])
def test_norm_before_a_block(tmp_path: Path, arch: str, name: str) -> None:
    file = Mini(arch).file()
    file.tensors.append(Tensor(f"blk.0.{name}.weight", [64], 0, np.ones(64, "<f4").tobytes()))
    with pytest.raises(sterna.UnsupportedError, match=f"blk.0.{name}.weight': has no place in the graph"):
        load(file, tmp_path)


def test_pattern_without_a_window(tmp_path: Path) -> None:
    """gemma2 has a window of its own, if the file names none; others then have none."""
    for arch, n_local in (("gemma2", 2), ("olmo2", 0)):
        file = Mini(arch).file(attention__sliding_window_pattern=3)
        with load(file.drop_key(f"{arch}.attention.sliding_window"), tmp_path) as model:
            assert model.info.n_layer_local == n_local


def test_smallest_scale(tmp_path: Path) -> None:
    """The f32 nearest to the bound in the message is within it."""
    with load(Mini("granitemoe").file(logit_scale=1e-6), tmp_path):
        pass
