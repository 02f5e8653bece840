"""The scales of granite and granitemoe: what a file may say, and what each multiplies."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import BOOL, STRING, U32, Gguf, string
from mini_models import Mini, load, logits

mini = Mini("granitemoe").file
SCALES = ("embedding_scale", "residual_scale", "attention.scale", "logit_scale")


def dense() -> Gguf:
    """A llama by another name."""
    spm = Mini("llama", "spm")
    return spm.as_arch(spm.file(), "granite")


def test_without_scales_it_is_a_llama(tmp_path: Path) -> None:
    want = logits(Gguf.read(MODELS / "mini-spm.gguf"), tmp_path).tobytes()
    assert logits(dense(), tmp_path).tobytes() == want
    for scale in SCALES:  # 0: not set
        assert logits(dense().set_f32(f"granite.{scale}", 0), tmp_path).tobytes() == want
    neutral = zip(SCALES, (1, 1, 32**-0.5, 1), strict=True)
    for scale, value in neutral:
        assert logits(dense().set_f32(f"granite.{scale}", value), tmp_path).tobytes() == want


@pytest.mark.parametrize("scale", SCALES)
def test_each_scale_counts(tmp_path: Path, scale: str) -> None:
    for file, arch in ((dense(), "granite"), (mini(), "granitemoe")):
        before = logits(file, tmp_path)
        assert (logits(file.set_f32(f"{arch}.{scale}", 0.7), tmp_path) != before).any()


def test_logits_are_divided(tmp_path: Path) -> None:
    one = logits(mini().set_f32("granitemoe.logit_scale", 1), tmp_path)
    inverse = np.float32(1) / np.float32(3)
    np.testing.assert_array_equal(logits(mini(), tmp_path), one * inverse)


def test_what_blocks_add_is_scaled(tmp_path: Path) -> None:
    """An embedding twice as large is the same as blocks that add half as much, but for what the norms' eps
    and the rounding of activations make of it (1.8 % of the logits' deviation; neither alone: 9 % and more)."""
    want = logits(dense().set_f32("granite.residual_scale", 0.5), tmp_path)
    twice = logits(dense().set_f32("granite.embedding_scale", 2), tmp_path)
    assert np.sqrt(((twice - want) ** 2).mean()) < 0.03 * want.std()
    assert np.sqrt(((logits(dense(), tmp_path) - want) ** 2).mean()) > 0.06 * want.std()


@pytest.mark.parametrize("arch", ["granite", "granitemoe"])
@pytest.mark.parametrize("scale", SCALES)
def test_wrong_scales(tmp_path: Path, arch: str, scale: str) -> None:
    def file() -> Gguf:
        return dense() if arch == "granite" else mini()

    for value in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"{arch}.{scale}', got .*, expected"):
            load(file().set_f32(f"{arch}.{scale}", value), tmp_path)
    with pytest.raises(ValueError, match=f"{arch}.{scale}'"):
        load(file().set(f"{arch}.{scale}", STRING, string("1")), tmp_path)


def test_what_is_not_implemented(tmp_path: Path) -> None:
    shared = mini().set("granitemoe.expert_shared_feed_forward_length", U32, struct.pack("<I", 64))
    with pytest.raises(sterna.UnsupportedError, match="expert_shared_feed_forward_length' asks for"):
        load(shared, tmp_path)
    for scale in ("residual_scale", "embedding_scale", "logit_scale"):
        llama = Gguf.read(MODELS / "mini-spm.gguf").set_f32(f"llama.{scale}", 2)
        with pytest.raises(sterna.UnsupportedError, match=f"llama.{scale}' asks for a"):
            load(llama, tmp_path)


def test_rotary_positions_are_there_unless_the_file_says_not(tmp_path: Path) -> None:
    key = "rope.scaling.finetuned"
    rotated, free = (dense().set(f"granite.{key}", BOOL, struct.pack("<?", x)) for x in (True, False))
    assert logits(rotated, tmp_path).tobytes() == logits(dense(), tmp_path).tobytes()
    want = logits(free, tmp_path)
    assert want.tobytes() != logits(dense(), tmp_path).tobytes()
    assert logits(free.set_f32("granite.rope.freq_base", 500), tmp_path).tobytes() == want.tobytes()
    experts = mini().set(f"granitemoe.{key}", BOOL, struct.pack("<?", False))  # there it means nothing
    assert logits(experts, tmp_path).tobytes() == logits(mini(), tmp_path).tobytes()


def test_info(tmp_path: Path) -> None:
    with load(mini(), tmp_path) as model:
        assert (model.info.architecture, model.info.activation) == ("granitemoe", "silu")
        kernels = {t.name: t.kernel for t in model.tensors()}
    assert kernels["blk.0.ffn_up_exps.weight"].startswith("qgemm_")
