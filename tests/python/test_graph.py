"""Metadata and tensors that ask for another graph: applied, or refused by name; never ignored."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import ARRAY, BOOL, F32, I32, STRING, U32, Gguf, Tensor, string

PROMPT = [1, 261, 262, 300, 17]
HEAD_DIM = 32  # of mini-spm, llama


def mini() -> Gguf:
    return Gguf.read(MODELS / "mini-spm.gguf")


def load(file: Gguf, tmp_path: Path, **options) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, **({"n_ctx": 32} | options))


def logits(file: Gguf, tmp_path: Path) -> np.ndarray:
    with load(file, tmp_path) as model:
        return model.forward(PROMPT)


def floats(name: str, n: int, value: float) -> Tensor:
    return Tensor(name, [n], 0, struct.pack("<f", value) * n)


# --- tensors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "rope_factors_long.weight",  # without the other
        "rope_factors_short.weight",
        "token_embd_norm.weight",
        "token_embd_norm.bias",
        "token_embd.bias",
        "token_embd.scale",
        "position_embd.weight",
        "token_types.weight",
        "output_norm.bias",
        "output.bias",  # of an output matrix that is not there
        "output.scale",
        "cls.weight",
        "enc.blk.0.attn_q.weight",
        "v.patch_embd.weight",
        "mm.0.weight",
        "per_layer_token_embd.weight",
        "rope_freqs",
        "blk.0.attn_norm.bias",
        "blk.0.attn_sinks.weight",
        "blk.0.rope_freqs.weight",  # without the model's own
        "blk.2.attn_norm.weight",  # a layer too many
        "something_new.weight",
    ],
)
def test_tensor_without_a_place(tmp_path: Path, name: str) -> None:
    file = mini()
    n = {"token_embd.bias": 320, "token_embd.scale": 1}.get(name, 16)
    file.tensors.append(floats(name, n, 3.0))
    with pytest.raises(sterna.UnsupportedError, match=f"tensor '{name}': has no place in the graph"):
        load(file, tmp_path)


def test_harmless_tensors(tmp_path: Path) -> None:
    file = mini()
    file.tensors.append(floats("rope_freqs.weight", HEAD_DIM // 2, 2.0))
    want = logits(file, tmp_path)
    assert (want != logits(mini(), tmp_path)).any()
    names = ["blk.0.rope_freqs.weight", "blk.0.attn_rot_embd"]
    for name in [*names, "blk.1.attn_q.input_scale"]:
        file.tensors.append(floats(name, HEAD_DIM // 2, 2.0))
    with load(file, tmp_path) as model:
        np.testing.assert_array_equal(model.forward(PROMPT), want)
        for name in names:
            assert f"tensor '{name}' is not used" in model.info.warnings
        assert "input_scale" not in str(model.info.warnings)  # files of NVFP4 have one for each matrix
    file.tensor("blk.0.rope_freqs.weight").data = struct.pack("<f", 4.0) * (HEAD_DIM // 2)
    with pytest.raises(sterna.UnsupportedError, match="blk.0.rope_freqs.weight"):
        load(file, tmp_path)


# --- rotary embedding -------------------------------------------------------------------------------------


def rope(type_: str | None, **values: float) -> Gguf:
    file = mini()
    if type_:
        file.set("llama.rope.scaling.type", STRING, string(type_))
    for name, value in values.items():
        file.set_f32(f"llama.rope.scaling.{name}", value)
    return file


def with_scores_times(file: Gguf, factor: float) -> Gguf:
    return file.set_f32("llama.attention.scale", factor / math.sqrt(HEAD_DIM))


@pytest.mark.parametrize("key", ["attn_factor", "yarn_attn_factor"])
@pytest.mark.parametrize(
    ("type_", "others"),
    [
        (None, {}),
        (None, {"factor": 4}),
        ("linear", {"factor": 4}),
        ("linear", {}),
        ("none", {"factor": 4}),
        ("yarn", {"factor": 4, "yarn_ext_factor": 0}),
    ],
)
def test_factor_of_magnitude(tmp_path: Path, type_: str | None, others: dict[str, float], key: str) -> None:
    """Queries and keys twice as long, so all scores four times as large: powers of two, no rounding."""
    got = logits(rope(type_, **others, **{key: 2}), tmp_path)
    np.testing.assert_array_equal(got, logits(with_scores_times(rope(type_, **others), 4), tmp_path))
    assert (got != logits(rope(type_, **others), tmp_path)).any()


def yarn(type_: str = "yarn", **values: float) -> Gguf:
    return rope(type_, factor=4, **values).set_u32("llama.rope.scaling.original_context_length", 64)


def test_yarn(tmp_path: Path) -> None:
    want = logits(yarn(), tmp_path)
    twice = logits(yarn(attn_factor=2), tmp_path)
    np.testing.assert_array_equal(twice, logits(with_scores_times(yarn(), 4), tmp_path))
    # The type is but the default of the extrapolation factor.
    np.testing.assert_array_equal(logits(yarn("linear", yarn_ext_factor=1), tmp_path), want)
    np.testing.assert_array_equal(
        logits(yarn(yarn_ext_factor=0), tmp_path), logits(rope("linear", factor=4), tmp_path)
    )
    assert (logits(yarn(yarn_ext_factor=0.5), tmp_path) != want).any()
    with load(yarn(yarn_attn_factor=2), tmp_path) as model:
        assert any("yarn_attn_factor' is not used" in w for w in model.info.warnings)
        np.testing.assert_array_equal(model.forward(PROMPT), want)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (rope("yarn", factor=4, yarn_log_multiplier=0.1), "yarn_log_multiplier"),
        (rope("su"), "rope.scaling.type', got 'su', expected none, linear, yarn or longrope"),
    ],
)
def test_other_rotary_embeddings(tmp_path: Path, file: Gguf, message: str) -> None:
    with pytest.raises(sterna.UnsupportedError, match=message):
        load(file, tmp_path)


def test_no_scale_of_attention(tmp_path: Path) -> None:
    file = mini().set_f32("llama.attention.scale", 0)
    np.testing.assert_array_equal(logits(file, tmp_path), logits(mini(), tmp_path))


# --- other keys -------------------------------------------------------------------------------------------

NUMBERS = {
    "expert_shared_count": 1,
    "expert_used_count": 2,
    "expert_weights_scale": 2.5,
    "nextn_predict_layers": 1,
    "leading_dense_block_count": 1,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
    "logit_scale": 0.25,
    "embedding_scale": 12.0,
    "residual_scale": 0.5,
    "rescale_every_n_layers": 6,
    "embedding_length_out": 64,
    "ssm.state_size": 16,
    "attention.max_alibi_bias": 8.0,
    "attention.clamp_kqv": 8.0,
    "attention.kv_lora_rank": 512,
    "attention.relative_buckets_count": 32,
    "attention.output_scale": 0.5,
    "attention.value_scale": 0.5,
    "attention.temperature_length": 8192,
    "attention.temperature_scale": 0.1,
    "attention.key_length_swa": 16,
    "rope.dimension_count_swa": 16,
    "rope.freq_base_swa": 1e6,
    "rope.scaling.alpha": 50.0,
    "use_parallel_residual": True,
    "swin_norm": True,
    "rope.dimension_sections": [8, 4, 4, 0],
    "swiglu_clamp_exp": [0.0, 7.0],
}


def set_value(file: Gguf, key: str, value) -> Gguf:
    if isinstance(value, bool):
        return file.set(key, BOOL, struct.pack("<?", value))
    if isinstance(value, list):
        code, type_ = ("f", F32) if isinstance(value[0], float) else ("i", I32)
        return file.set(key, ARRAY, struct.pack(f"<IQ{len(value)}{code}", type_, len(value), *value))
    return file.set_f32(key, value) if isinstance(value, float) else file.set_u32(key, value)


@pytest.mark.parametrize("key", NUMBERS)
def test_key_of_another_graph(tmp_path: Path, key: str) -> None:
    file = set_value(mini(), f"llama.{key}", NUMBERS[key])
    with pytest.raises(sterna.UnsupportedError, match=f"key 'llama.{key}' asks for .*not implemented"):
        load(file, tmp_path)


def test_keys_that_change_nothing(tmp_path: Path) -> None:
    file = mini()
    for key, value in NUMBERS.items():
        nothing = [type(v)() for v in value] if isinstance(value, list) else type(value)()
        set_value(file, f"llama.{key}", nothing)
    for key in ("logit_scale", "embedding_scale", "residual_scale", "attention.value_scale"):
        file.set_f32(f"llama.{key}", 1)
    file.set_u32("llama.attention.key_length_swa", HEAD_DIM).set_f32("llama.rope.freq_base_swa", 1e4)
    file.set("llama.tensor_data_layout", STRING, string("Meta AI original pth"))
    file.set_u32("qwen3.expert_count", 8)  # of another architecture
    with load(file, tmp_path) as model:
        assert model.info.warnings == []
        np.testing.assert_array_equal(model.forward(PROMPT), logits(mini(), tmp_path))


def test_unknown_key(tmp_path: Path) -> None:
    with load(mini().set("llama.of_next_year", U32, struct.pack("<I", 3)), tmp_path) as model:
        assert model.info.warnings == ["key 'llama.of_next_year' is not known and not used"]


# --- longrope ---------------------------------------------------------------------------------------------


def longrope(**values: float) -> Gguf:
    file = rope("longrope", **values).set_u32("llama.rope.scaling.original_context_length", 32)
    file.tensors.append(floats("rope_factors_short.weight", HEAD_DIM // 2, 2.0))
    file.tensors.append(floats("rope_factors_long.weight", HEAD_DIM // 2, 4.0))
    return file


def test_longrope(tmp_path: Path) -> None:
    """Factors by the length of the context that is asked for, as in llama.cpp; `factor` changes nothing."""
    for n_ctx, divisor in ((32, 2.0), (33, 4.0)):
        want = mini()
        want.tensors.append(floats("rope_freqs.weight", HEAD_DIM // 2, divisor))
        with load(want, tmp_path, n_ctx=n_ctx) as model:
            expected = model.forward(PROMPT)
        untyped = longrope()  # as llama.cpp's converter writes it
        untyped.keys = [k for k in untyped.keys if "scaling.type" not in str(k[0])]
        for file in (longrope(), longrope(factor=32), untyped):
            with load(file, tmp_path, n_ctx=n_ctx) as model:
                np.testing.assert_array_equal(model.forward(PROMPT), expected)
    twice = logits(longrope(attn_factor=2), tmp_path)
    np.testing.assert_array_equal(twice, logits(with_scores_times(longrope(), 4), tmp_path))


def test_longrope_needs_its_factors(tmp_path: Path) -> None:
    for name in ("short", "long"):
        file = longrope()
        file.tensors = [t for t in file.tensors if t.name != f"rope_factors_{name}.weight"]
        with pytest.raises(ValueError, match=f"rope_factors_{name}.weight': is missing"):
            load(file, tmp_path)
    file = longrope()
    file.tensor("rope_factors_long.weight").data = struct.pack("<f", 0) * (HEAD_DIM // 2)
    with pytest.raises(ValueError, match="rope_factors_long.weight': got 0.0+, expected numbers above 0"):
        load(file, tmp_path)


def test_phi3_is_llama_with_fused_matrices(tmp_path: Path) -> None:
    """Of a model without permuted rows: q, k, v and gate, up stacked."""
    qwen = Gguf.read(MODELS / "mini-qwen2-q8_0.gguf")  # split-half pairs, biases
    for t in qwen.tensors:
        if t.name.endswith(".bias"):
            t.data = bytes(len(t.data))
    fused = Gguf(keys=[], tensors=[])
    for name, type_id, value in qwen.keys:
        name = name.decode() if isinstance(name, bytes) else name
        value = string("phi3") if name == "general.architecture" else value
        fused.keys.append((name.replace("qwen2.", "phi3."), type_id, value))
    for t in qwen.tensors:
        layer, part = t.name.split(".")[1:3] if t.name.startswith("blk.") else ("", "")
        if t.name.endswith(".bias") or part in ("attn_k", "attn_v", "ffn_up"):
            continue
        parts = {"attn_q": ["attn_q", "attn_k", "attn_v"], "ffn_gate": ["ffn_gate", "ffn_up"]}.get(part)
        if parts:
            whole = [qwen.tensor(f"blk.{layer}.{p}.weight") for p in parts]
            name = f"blk.{layer}.{'attn_qkv' if part == 'attn_q' else 'ffn_up'}.weight"
            rows = sum(w.shape[1] for w in whole)
            t = Tensor(name, [t.shape[0], rows], t.type_id, b"".join(w.data for w in whole))
        fused.tensors.append(t)
    np.testing.assert_array_equal(logits(fused, tmp_path), logits(qwen, tmp_path))


@pytest.mark.parametrize("key", ["rope.scaling.factor", "rope.freq_base"])
def test_angles_beyond_exact_cosines(tmp_path: Path, key: str) -> None:
    values = {"rope.scaling.factor": 1e-20, "rope.freq_base": 1e38}
    file = mini().set_f32(f"llama.{key}", values[key])
    if key == "rope.freq_base":  # large, but its angles are small
        load(file, tmp_path).close()
        return
    with pytest.raises(sterna.UnsupportedError, match="where no cosine is exact"):
        load(file, tmp_path)


def test_sessions_of_other_rotary_factors_are_refused(tmp_path: Path) -> None:
    with load(longrope(), tmp_path, n_ctx=32) as short:
        session = short.session()
        session.forward(PROMPT)
        session.save(tmp_path / "s")
    with load(longrope(), tmp_path, n_ctx=64) as long, pytest.raises(sterna.UnsupportedError, match="another model"):
        long.load_session(tmp_path / "s")
