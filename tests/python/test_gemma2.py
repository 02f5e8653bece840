"""What gemma2 takes from the metadata and what it takes for granted; soft caps."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import F32, STRING, U32, Gguf, string

IDS = [int(i) for i in np.random.default_rng(3).integers(3, 300, 60)]  # longer than the window of 24


def mini() -> Gguf:
    return Gguf.read(MODELS / "mini-gemma2.gguf")


def load(file: Gguf, tmp_path: Path, **options) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, n_ctx=128, **options)


def logits(file: Gguf, tmp_path: Path, **options) -> np.ndarray:
    with load(file, tmp_path, **options) as model:
        assert not any("is not" in w for w in model.info.warnings)
        return model.forward(IDS)


@pytest.mark.parametrize(
    ("key", "kind", "code", "value", "other"),
    [
        ("attn_logit_softcapping", F32, "f", 50, 1.5),
        ("final_logit_softcapping", F32, "f", 30, 0.3),
        ("attention.sliding_window", U32, "I", 4096, 24),
        ("attention.sliding_window_pattern", U32, "I", 2, 3),
        ("attention.scale", F32, "f", 32**-0.5, 0.25),
    ],
)
def test_default(tmp_path: Path, key: str, kind: int, code: str, value: float, other: float) -> None:
    plain = mini().drop_key(f"gemma2.{key}")
    want = logits(plain, tmp_path)
    for x, same in ((value, True), (other, False)):
        got = logits(mini().set(f"gemma2.{key}", kind, struct.pack("<" + code, x)), tmp_path)
        assert (got.tobytes() == want.tobytes()) == same


def test_caps(tmp_path: Path) -> None:
    """A logit is cap * tanh(x / cap) of what it is without a cap, which 0 says; a high cap changes little."""
    for kv_type in ("f16", "int8"):
        free = logits(mini().set_f32("gemma2.final_logit_softcapping", 0), tmp_path, kv_type=kv_type)
        cap = np.float64(np.float32(0.3))
        np.testing.assert_allclose(
            logits(mini(), tmp_path, kv_type=kv_type), cap * np.tanh(free / cap), atol=5e-7
        )
        high, none = (
            logits(mini().set_f32("gemma2.attn_logit_softcapping", x), tmp_path, kv_type=kv_type)
            for x in (1e5, 0)
        )
        assert np.abs(high - none).max() < 0.02 * none.std() < np.abs(high - free).max()


@pytest.mark.parametrize("cap", [0.3, 0.06, 0.04, 0.03, 0.001])
def test_screening_loses_no_tie(tmp_path: Path, cap: float) -> None:
    """Where tanh rounds to 1, or next to it, the first of the tokens that tie is taken."""
    file = mini().set_f32("gemma2.final_logit_softcapping", cap)
    texts = []
    for screen in ("on", "off"):
        with load(file, tmp_path, screen=screen) as model:
            session = model.session()
            row = session.forward(IDS)[-1]
            first = int(np.flatnonzero(row == row.max())[0])
            options = {"max_tokens": 24, "temperature": 0, "ignore_eos": True}
            texts.append(model.complete(IDS, **options).tokens)
            assert texts[-1][0] == first
            if cap <= 0.03:
                assert (row == row.max()).sum() > 1
    assert texts[0] == texts[1]


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "final_logit_softcapping"])
def test_wrong_caps(tmp_path: Path, key: str) -> None:
    for value in (-1.0, 1e-7, 1e7, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"gemma2.{key}', got .*, expected 0, or a number from"):
            load(mini().set_f32(f"gemma2.{key}", value), tmp_path)
    with pytest.raises(ValueError, match=f"gemma2.{key}'"):
        load(mini().set(f"gemma2.{key}", STRING, string("30")), tmp_path)


def test_gemma3_may_cap_logits(tmp_path: Path) -> None:
    def gemma3() -> Gguf:
        return Gguf.read(MODELS / "mini-gemma3.gguf")

    free = logits(gemma3(), tmp_path)
    capped = logits(gemma3().set_f32("gemma3.final_logit_softcapping", 0.5), tmp_path)
    np.testing.assert_allclose(capped, 0.5 * np.tanh(free.astype(float) / 0.5), atol=5e-7)
    same = logits(gemma3().set_f32("gemma3.final_logit_softcapping", 0), tmp_path)
    assert same.tobytes() == free.tobytes()
    with pytest.raises(
        sterna.UnsupportedError, match="attn_logit_softcapping' asks for attention soft-capping"
    ):
        load(gemma3().set_f32("gemma3.attn_logit_softcapping", 50), tmp_path)


@pytest.mark.parametrize("name", ["post_attention_norm", "post_ffw_norm"])
def test_missing_norm(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"blk.2.{name}.weight': is missing"):
        load(mini().drop_tensor(f"blk.2.{name}.weight"), tmp_path)


def test_sessions_of_another_cap_are_refused(tmp_path: Path) -> None:
    with load(mini(), tmp_path) as model:
        session = model.session()
        session.forward(IDS)
        session.save(tmp_path / "s")
        model.load_session(tmp_path / "s")
    other = mini().set_f32("gemma2.attn_logit_softcapping", 2)
    with load(other, tmp_path) as model, pytest.raises(sterna.UnsupportedError, match="another model"):
        model.load_session(tmp_path / "s")


def test_info(tmp_path: Path) -> None:
    with load(mini(), tmp_path) as model:
        info = model.info
        assert (info.architecture, info.activation) == ("gemma2", "gelu")
        assert (info.n_layer, info.n_layer_local, info.window) == (3, 2, 24)
