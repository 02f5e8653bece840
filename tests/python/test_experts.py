"""Mixtures of experts: what a file must say, and the same sum as without experts where all are alike."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from gguf_writer import Gguf, Tensor, string

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
PROMPT = [1, 300, 270, 265, 290, 30]


def load(file: Gguf, tmp_path: Path) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path)


def mixture() -> Gguf:
    return Gguf.read(MODELS / "mini-qwen3moe.gguf")


def test_mixtral_of_equal_experts(tmp_path: Path) -> None:
    """Two copies of a dense FFN, both chosen, with weights that sum to 1."""
    dense = Gguf.read(MODELS / "mini-spm.gguf")
    file = Gguf.read(MODELS / "mini-spm.gguf")
    file.set_u32("llama.expert_count", 2).set_u32("llama.expert_used_count", 2)
    for t in file.tensors:
        layer, part = t.name.split(".")[1:3] if t.name.startswith("blk.") else ("", "")
        if part in ("ffn_gate", "ffn_up", "ffn_down"):
            t.name, t.shape, t.data = f"blk.{layer}.{part}_exps.weight", [*t.shape, 2], t.data * 2
    router = np.random.default_rng(1).normal(size=(2, 128)).astype("<f4").tobytes()
    file.tensors += [Tensor(f"blk.{i}.ffn_gate_inp.weight", [128, 2], 0, router) for i in range(2)]
    with load(file, tmp_path) as model:
        got = model.forward(PROMPT)
    with load(dense, tmp_path) as model:
        want = model.forward(PROMPT)
    np.testing.assert_allclose(got, want, atol=1e-2 * want.std())
    assert (got != want).any()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("expert_count", 0, "expert_count', got 0, expected 1 to 4096"),
        ("expert_count", 5000, "expert_count', got 5000"),
        ("expert_count", 4, r"ffn_gate_inp.weight': shape, got \[128, 8\], expected \[128, 4\]"),
        ("expert_used_count", 0, "expert_used_count', got 0, expected 1 to 8"),
        ("expert_used_count", 9, "expert_used_count', got 9"),
        ("expert_feed_forward_length", 32, r"ffn_gate_exps.weight': shape, got \[128, 64, 8\], expected"),
        ("expert_feed_forward_length", 1 << 20, "expected at most 2.18 elements of all experts"),
        ("expert_feed_forward_length", 0, "expert_feed_forward_length', got 0"),
        ("expert_gating_func", 2, "expert_gating_func', got 2, expected 1 .softmax"),
        ("expert_shared_count", 1, "expert_shared_count' asks for a mixture of experts"),
        ("expert_group_count", 4, "expert_group_count' asks for"),
    ],
)
def test_wrong_keys(tmp_path: Path, key: str, value: int, message: str) -> None:
    with pytest.raises((ValueError, sterna.UnsupportedError), match=message):
        load(mixture().set_u32(f"qwen3moe.{key}", value), tmp_path)


def test_a_mixture_of_one_expert(tmp_path: Path) -> None:
    """The dense model, with a weight of 1."""
    dense, file = (Gguf.read(MODELS / "mini-spm.gguf") for _ in range(2))
    file.set_u32("llama.expert_count", 1).set_u32("llama.expert_used_count", 1)
    for t in file.tensors:
        layer, part = t.name.split(".")[1:3] if t.name.startswith("blk.") else ("", "")
        if part in ("ffn_gate", "ffn_up", "ffn_down"):
            t.name, t.shape = f"blk.{layer}.{part}_exps.weight", [*t.shape, 1]
    file.tensors += [Tensor(f"blk.{i}.ffn_gate_inp.weight", [128, 1], 0, bytes(512)) for i in range(2)]
    with load(file, tmp_path) as model:
        got = model.forward(PROMPT)
    with load(dense, tmp_path) as model:
        np.testing.assert_array_equal(got, model.forward(PROMPT))


def test_weights_scale_doubles_what_is_added(tmp_path: Path) -> None:
    one, two = mixture(), mixture().set_f32("qwen3moe.expert_weights_scale", 2.0)
    with load(one, tmp_path) as model:
        a = model.forward(PROMPT)
    with load(two, tmp_path) as model:
        assert (model.forward(PROMPT) != a).any()
    with load(mixture().set_f32("qwen3moe.expert_weights_scale", 0), tmp_path) as model:
        np.testing.assert_array_equal(model.forward(PROMPT), a)
    huge = mixture().set("qwen3moe.expert_weights_scale", 12, struct.pack("<d", 1e300))
    with pytest.raises(ValueError, match="expert_weights_scale"):
        load(huge, tmp_path)


@pytest.mark.parametrize("name", ["ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"])
def test_missing_tensor(tmp_path: Path, name: str) -> None:
    file = mixture()
    file.tensors = [t for t in file.tensors if t.name != f"blk.1.{name}.weight"]
    with pytest.raises((ValueError, sterna.UnsupportedError), match=f"blk.1.{name}.weight': is missing"):
        load(file, tmp_path)


def test_experts_that_share_panels(tmp_path: Path) -> None:
    file = mixture().set_u32("qwen3moe.expert_feed_forward_length", 8)
    for t in file.tensors:
        if "_exps" in t.name:  # as floats: 8 divides into no blocks
            elements = 128 * 8 * 8
            t.shape = [8, 128, 8] if "down" in t.name else [128, 8, 8]
            t.type_id, t.data = 0, struct.pack(f"<{elements}f", *([0.01] * elements))
    with pytest.raises(sterna.UnsupportedError, match="experts of 8 rows, expected a multiple of 16"):
        load(file, tmp_path)


def test_inspect_names_the_kernel(tmp_path: Path) -> None:
    with load(mixture(), tmp_path) as model:
        kernels = {t.name: t.kernel for t in model.tensors()}
    assert kernels["blk.0.ffn_gate_inp.weight"].startswith("fgemm_f32")
    assert kernels["blk.0.ffn_up_exps.weight"].startswith("qgemm_")


def test_olmoe_norms_all_heads_together(tmp_path: Path) -> None:
    """Equal to qwen3moe where a head is all heads, and the weights are made to sum to 1."""

    def one_head(arch: str) -> Gguf:
        file = Gguf(keys=[], tensors=[])
        for name, type_id, value in mixture().keys:
            name = name.decode() if isinstance(name, bytes) else name
            value = string(arch) if name == "general.architecture" else value
            file.keys.append((name.replace("qwen3moe.", f"{arch}."), type_id, value))
        file.set_u32(f"{arch}.attention.head_count", 2).set_u32(f"{arch}.attention.head_count_kv", 1)
        file.set_u32(f"{arch}.attention.key_length", 64).set_u32(f"{arch}.attention.value_length", 64)
        file.set_u32(f"{arch}.rope.dimension_count", 64)
        file.set_u32(f"{arch}.expert_used_count", 8)  # all of them: their probabilities sum to 1
        for t in mixture().tensors:
            if t.name.endswith(("attn_q_norm.weight", "attn_k_norm.weight")):
                heads = 2 if arch == "olmoe" and "attn_q" in t.name else 1
                t.shape, t.data = [64 * heads], struct.pack("<f", 1.0) * 64 * heads
            if t.name.endswith("attn_q.weight"):  # both heads alike: the mean square of both is that of one
                t.data = t.data[: len(t.data) // 2] * 2
            file.tensors.append(t)
        return file

    with load(one_head("qwen3moe"), tmp_path) as model:
        want = model.forward(PROMPT)
    with load(one_head("olmoe"), tmp_path) as model:
        got = model.forward(PROMPT)
    np.testing.assert_allclose(got, want, atol=1e-2 * want.std())


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.set_u32("qwen3moe.expert_used_count", 1),
        lambda f: f.set_f32("qwen3moe.expert_weights_scale", 2.0),
        lambda f: f.set_f32("qwen3moe.rope.freq_base", 2e6),
    ],
)
def test_sessions_of_another_mixture_are_refused(tmp_path: Path, change) -> None:
    with load(mixture(), tmp_path) as model:
        session = model.session()
        session.forward(PROMPT)
        session.save(tmp_path / "s")
        model.load_session(tmp_path / "s")
    with load(change(mixture()), tmp_path) as other, pytest.raises(sterna.UnsupportedError, match="another model"):
        other.load_session(tmp_path / "s")
