"""mistral3: YaRN's magnitude and its divisor, and the temperature of scores beyond the original context."""

import math
from pathlib import Path

import numpy as np
import pytest
import sterna
from gguf_writer import Gguf
from mini_models import IDS, Mini, check_sessions, load, logits

MINI = Mini("mistral3")
ORIGINAL, FACTOR = 16, 4.0  # of the file


def plain(**keys: float) -> Gguf:
    """Without a temperature and a multiplier, or with these."""
    file = MINI.file()
    for name in ("attention.temperature_scale", "rope.scaling.yarn_log_multiplier"):
        file.drop_key(f"mistral3.{name}")
    for name, value in keys.items():
        MINI.set(file, name.replace("__", "."), value)
    return file


def test_without_both_it_is_llama(tmp_path: Path) -> None:
    want = logits(MINI.as_arch(plain(), "llama"), tmp_path)
    np.testing.assert_array_equal(logits(plain(), tmp_path), want)
    zeros = plain(attention__temperature_scale=0.0, rope__scaling__yarn_log_multiplier=0.0)
    np.testing.assert_array_equal(logits(zeros, tmp_path), want)


def test_multiplier_divides_the_magnitude(tmp_path: Path) -> None:
    """With 1 nothing is left of it, as if the scores were smaller by its square."""
    magnitude = 1 + 0.1 * math.log(FACTOR)
    got = logits(plain(rope__scaling__yarn_log_multiplier=1.0), tmp_path)
    without = logits(plain(), tmp_path)
    want = logits(plain(attention__scale=32**-0.5 / magnitude**2), tmp_path)
    assert np.abs(got - want).max() < 0.1 * np.abs(got - without).max()


def test_temperature_begins_at_the_original_context(tmp_path: Path) -> None:
    cold, hot = logits(plain(), tmp_path), logits(plain(attention__temperature_scale=0.5), tmp_path)
    differs = np.any(cold != hot, axis=1)
    assert not differs[:ORIGINAL].any() and differs[ORIGINAL:].all()


def test_temperature_of_the_context_without_an_original_one(tmp_path: Path) -> None:
    rows = []
    for scale in (0.0, 0.5):
        file = plain(attention__temperature_scale=scale, context_length=20)
        with load(file.drop_key("mistral3.rope.scaling.original_context_length"), tmp_path) as model:
            rows.append(model.forward(IDS))
    assert np.flatnonzero(np.any(rows[0] != rows[1], axis=1))[0] == 20


def test_length_of_the_temperature(tmp_path: Path) -> None:
    """llama.cpp does not read this key of mistral3: it must say the same as the original context."""
    same = logits(MINI.file(attention__temperature_length=ORIGINAL), tmp_path)
    np.testing.assert_array_equal(same, logits(MINI.file(), tmp_path))
    with pytest.raises(sterna.UnsupportedError, match="attention.temperature_length' asks for an attention"):
        load(MINI.file(attention__temperature_length=32), tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("attention.temperature_scale", "much", "attention.temperature_scale'.*a float"),
        ("attention.temperature_scale", math.inf, "attention.temperature_scale', got inf, expected a finite"),
        ("rope.scaling.yarn_log_multiplier", "much", "rope.scaling.yarn_log_multiplier'.*a float"),
        ("rope.scaling.yarn_log_multiplier", -1.0, "yarn_log_multiplier', got -1.*, expected a finite number"),
        ("rope.scaling.yarn_log_multiplier", math.nan, "yarn_log_multiplier', got .*nan, expected a finite"),
        ("rope.scaling.original_context_length", 0, "original_context_length', got 0, expected 1 to"),
        ("rope.scaling.original_context_length", "long", "rope.scaling.original_context_length'"),
        ("rope.scaling.yarn_beta_fast", 0.0, "yarn_beta_fast', got 0.0*, expected a finite number above 0"),
        ("rope.scaling.type", "su", "rope.scaling.type', got 'su'"),
    ],
)
def test_wrong_keys(tmp_path: Path, key: str, value: float | str, message: str) -> None:
    with pytest.raises((ValueError, sterna.UnsupportedError), match=message):
        load(MINI.set(MINI.file(), key, value), tmp_path)


def test_experts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key 'mistral3.expert_used_count' is missing"):
        load(MINI.file(expert_count=4), tmp_path)
    with pytest.raises(ValueError, match="blk.0.ffn_gate_inp.weight': is missing"):
        load(MINI.file(expert_count=4, expert_used_count=2), tmp_path)


def test_sessions(tmp_path: Path) -> None:
    check_sessions("mistral3", tmp_path, attention__temperature_scale=0.2)
