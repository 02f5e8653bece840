#!/usr/bin/env python3
"""Random tiny models of every architecture, in Sterna and in llama.cpp.

    architectures.py              # all: a line for each model
    architectures.py gemma2 phi3  # these

Each model reads a prompt and goes on greedily in llama.cpp; then Sterna reads the same tokens. A line tells
the largest difference of two logits, in parts of the rms of all, of most positions and of all (a router that
chooses other experts makes a jump), and the first token that would be another one, with what lay between both
in llama.cpp. Needs gguf and llama-cpp-python.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

N_VOCAB = 320
N_PROMPT, N_GREEDY, N_CTX = 40, 64, 256


@dataclasses.dataclass(frozen=True)
class Graph:
    """How an architecture differs from llama."""

    keys: dict = dataclasses.field(default_factory=dict)  # without the architecture's name
    qk_norms: str = ""  # of "heads", or of the "whole"
    pre_norms: bool = True
    post_norms: bool = False
    sub_norms: bool = False
    qkv_bias: bool = False
    fused: bool = False  # attn_qkv, and gate in ffn_up
    gated: bool = True
    rotary_factors: bool = False  # short and long ones
    tied: bool | None = None  # output and embedding; None: in every other model
    narrow: bool = False  # all heads together must be as wide as the embedding
    all_kv: bool = False  # each head must have keys and values of its own
    n_layer: int = 0  # 0: any
    options: dict = dataclasses.field(default_factory=dict)  # of sterna.load


EXPERTS = {"expert_count": 6, "expert_used_count": 2}
WINDOW = {"attention.sliding_window": 24}
YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 32}
BETAS = {"rope.scaling.yarn_beta_fast": 4.0, "rope.scaling.yarn_beta_slow": 0.5}
TEMPERATURE = {"attention.temperature_scale": 0.3, "rope.scaling.yarn_log_multiplier": 1.0}
OLMO2 = {"qk_norms": "whole", "pre_norms": False, "post_norms": True, "tied": False, "narrow": True}
EXAONE4 = {"qk_norms": "heads", "pre_norms": False, "post_norms": True, "narrow": True}
CAPS = {"attn_logit_softcapping": 1.5, "final_logit_softcapping": 0.3}
SCALES = {"embedding_scale": 12.0, "residual_scale": 0.22, "attention.scale": 0.3, "logit_scale": 3.0}
ARCHITECTURES = {
    "llama": Graph(),
    "llama, experts": Graph(EXPERTS),
    "arcee": Graph(gated=False),
    "bitnet": Graph(sub_norms=True, tied=True, narrow=True, options={"activation": "silu"}),
    "qwen2": Graph(qkv_bias=True, narrow=True),
    "qwen3": Graph(qk_norms="heads"),
    "qwen3moe": Graph(EXPERTS, qk_norms="heads"),
    "olmoe": Graph(EXPERTS, qk_norms="whole", tied=False, narrow=True, all_kv=True),
    "phi3": Graph(fused=True, narrow=True),  # llama.cpp leaves its window out
    "phi3, longrope": Graph(
        {"rope.scaling.original_context_length": 64, "rope.scaling.attn_factor": 1.1},
        fused=True,
        narrow=True,
        rotary_factors=True,
    ),
    "gemma2": Graph(WINDOW | CAPS, post_norms=True, tied=True),
    "gemma2, plain": Graph(post_norms=True, tied=True),  # but for 50 and 30, and a window of 4096
    "granite": Graph(SCALES),
    "granite, plain": Graph({"logit_scale": 1.0}),
    "granitemoe": Graph(SCALES | EXPERTS),
    "granite, unrotated": Graph(SCALES | {"rope.scaling.finetuned": False}),
    "granitemoe, finetuned": Graph(SCALES | EXPERTS | {"rope.scaling.finetuned": False}),
    "gemma3, capped": Graph(
        WINDOW | {"final_logit_softcapping": 0.3}, qk_norms="heads", post_norms=True, tied=True
    ),
    "gemma3": Graph(WINDOW, qk_norms="heads", post_norms=True, tied=True),
    "gemma3, yarn": Graph(WINDOW | YARN, qk_norms="heads", post_norms=True, tied=True),
    "llama, yarn": Graph(YARN | {"rope.scaling.attn_factor": 1.2}),
    "qwen2, yarn": Graph(YARN, qkv_bias=True, narrow=True),
    "qwen3, yarn": Graph(YARN, qk_norms="heads"),
    "smollm3": Graph(),
    "smollm3, yarn": Graph(YARN),
    "mistral3": Graph(),
    "mistral3, yarn": Graph(YARN | TEMPERATURE),
    "mistral3, other yarn": Graph(YARN | BETAS | TEMPERATURE | {"rope.scaling.yarn_log_multiplier": 0.7}),
    "mistral3, experts": Graph(EXPERTS),
    "olmo2": Graph(**OLMO2),
    "olmo2, yarn": Graph(YARN, **OLMO2),
    "olmo2, window": Graph(YARN | WINDOW, **OLMO2),
    "exaone4": Graph(**EXAONE4),
    "exaone4, window": Graph(WINDOW, n_layer=64, **EXAONE4),  # llama.cpp takes it from the layers' number
}
# What the median position may differ by. Keys, values and, for F16, activations are f16 in llama.cpp; with Q8_0
# both have int8 activations, of which some fall on the other side of one half.
TOLERANCE = {"F32": 0.006, "F16": 0.01, "Q8_0": 0.2}


@dataclasses.dataclass(frozen=True)
class Shape:
    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    head_dim: int

    def of(self, graph: Graph) -> "Shape":
        head_dim = self.n_embd // self.n_head if graph.narrow else self.head_dim
        n_head_kv = self.n_head if graph.all_kv else self.n_head_kv
        n_layer = graph.n_layer or self.n_layer
        return dataclasses.replace(self, n_layer=n_layer, head_dim=head_dim, n_head_kv=n_head_kv)


SHAPES = [Shape(2, 64, 96, 4, 2, 16), Shape(7, 96, 128, 3, 1, 32), Shape(3, 128, 160, 4, 4, 64)]


def tensors(graph: Graph, s: Shape, tied: bool) -> dict[str, tuple[int, ...]]:
    """Rows and columns, or the length."""
    q, kv = s.n_head * s.head_dim, s.n_head_kv * s.head_dim
    t = {"token_embd": (N_VOCAB, s.n_embd), "output_norm": (s.n_embd,)}
    if not tied:
        t["output"] = (N_VOCAB, s.n_embd)
    for i in range(s.n_layer):
        b = f"blk.{i}."
        t[b + "attn_output"] = (s.n_embd, q)
        if graph.pre_norms:
            t |= {b + "attn_norm": (s.n_embd,), b + "ffn_norm": (s.n_embd,)}
        parts = {"attn_qkv": q + 2 * kv} if graph.fused else {"attn_q": q, "attn_k": kv, "attn_v": kv}
        t |= {b + part: (rows, s.n_embd) for part, rows in parts.items()}
        if graph.qk_norms:
            whole = graph.qk_norms == "whole"
            t |= {b + "attn_q_norm": (q if whole else s.head_dim,)}
            t |= {b + "attn_k_norm": (kv if whole else s.head_dim,)}
        if graph.post_norms:
            t |= {b + "post_attention_norm": (s.n_embd,), b + "post_ffw_norm": (s.n_embd,)}
        if graph.sub_norms:
            t |= {b + "attn_sub_norm": (q,), b + "ffn_sub_norm": (s.n_ff,)}
        n = graph.keys.get("expert_count", 0)
        kind, of = ("_exps", (n,)) if n else ("", ())
        if n:
            t[b + "ffn_gate_inp"] = (n, s.n_embd)
        if graph.gated and not graph.fused:
            t[f"{b}ffn_gate{kind}"] = (*of, s.n_ff, s.n_embd)
        t[f"{b}ffn_up{kind}"] = (*of, (2 if graph.fused else 1) * s.n_ff, s.n_embd)
        t[f"{b}ffn_down{kind}"] = (*of, s.n_embd, s.n_ff)
    if graph.rotary_factors:
        t |= {"rope_factors_short": (s.head_dim // 2,), "rope_factors_long": (s.head_dim // 2,)}
    return t


def add_tokenizer(w: gguf.GGUFWriter) -> None:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    tokens += [f"▁w{i}" for i in range(N_VOCAB - len(tokens))]
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([0.0] * N_VOCAB)
    w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (N_VOCAB - 259))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)


def write(path: Path, name: str, shape: Shape, kind: str, seed: int) -> None:
    """A model of `name` whose matrices have type `kind`."""
    graph, arch = ARCHITECTURES[name], name.split(",")[0]
    s = shape.of(graph)
    w = gguf.GGUFWriter(path, arch)
    add = {bool: w.add_bool, int: w.add_uint32, float: w.add_float32, str: w.add_string, list: w.add_array}
    keys = {
        "block_count": s.n_layer,
        "context_length": N_CTX,
        "embedding_length": s.n_embd,
        "feed_forward_length": s.n_ff,
        "attention.head_count": s.n_head,
        "attention.head_count_kv": s.n_head_kv,
        "attention.key_length": s.head_dim,
        "attention.value_length": s.head_dim,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": s.head_dim,
        "rope.freq_base": 1e4,
        "vocab_size": N_VOCAB,
    }
    if "expert_count" in graph.keys:
        keys["expert_feed_forward_length"] = s.n_ff
    for key, value in (keys | graph.keys).items():
        add[type(value)](f"{arch}.{key}", value)
    add_tokenizer(w)
    rng = np.random.default_rng(seed)
    tied = seed % 2 == 1 if graph.tied is None else graph.tied
    for tensor, size in tensors(graph, s, tied).items():
        x = rng.standard_normal(size, dtype=np.float32)
        if len(size) == 1:
            x = np.abs(1.5 + 0.3 * x) if "factors" in tensor else 1 + 0.1 * x
        elif tensor == "token_embd":
            x *= 0.05  # little of the stream: else it would be the text
        else:
            x *= size[-1] ** -0.5
        plain = len(size) == 1 or tensor.endswith("gate_inp")
        as_type = gguf.GGMLQuantizationType["F32" if plain else kind]
        w.add_tensor(tensor + ".weight", gguf.quants.quantize(x, as_type), raw_dtype=as_type)
        if graph.qkv_bias and ".attn_" in tensor and tensor[-1] in "qkv":
            w.add_tensor(tensor + ".bias", rng.standard_normal(size[0], dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def greedy_of_llama_cpp(path: Path, prompt: list[int]) -> tuple[list[int], np.ndarray]:
    """The tokens and, for each but the last, the logits behind it."""
    from llama_cpp import Llama

    of_file = {"yarn_beta_fast": -1.0, "yarn_beta_slow": -1.0}  # its defaults are numbers
    peer = Llama(str(path), n_ctx=N_CTX, n_threads=1, logits_all=True, verbose=False, **of_file)
    peer.eval(prompt)
    ids = list(prompt)
    for _ in range(N_GREEDY):
        ids.append(int(peer.scores[len(ids) - 1].argmax()))
        if len(ids) < len(prompt) + N_GREEDY:
            peer.eval(ids[-1:])
    logits = np.array(peer.scores[: len(ids) - 1])
    peer.close()
    return ids, logits


@dataclasses.dataclass(frozen=True)
class Comparison:
    median: float  # over the positions, of the largest difference of two logits, in parts of the rms
    largest: float
    equal: int  # greedy tokens before the first that differs
    gap: float  # between both in llama.cpp, in parts of the rms; 0: all are equal

    def __str__(self) -> str:
        text = f"logits differ by {self.median:.1e} of the rms, at most {self.largest:.1e}"
        if self.equal == N_GREEDY:
            return f"{text}, {N_GREEDY} greedy tokens equal"
        return f"{text}, greedy token {self.equal} differs: a gap of {self.gap:.1e}"


def compare(name: str, shape: Shape, kind: str, seed: int, folder: Path) -> Comparison:
    import sterna

    path = folder / f"{name}-{SHAPES.index(shape)}-{kind}-{seed}.gguf"
    write(path, name, shape, kind, seed)
    prompt = [int(i) for i in np.random.default_rng(seed).integers(3, N_VOCAB, N_PROMPT)]
    ids, want = greedy_of_llama_cpp(path, prompt)
    with sterna.load(path, n_ctx=N_CTX, n_threads=1, **ARCHITECTURES[name].options) as model:
        got = model.forward(ids[:-1])
    path.unlink()
    rms = float(np.sqrt((want.astype(np.float64) ** 2).mean()))
    ours = got[N_PROMPT - 1 :].argmax(-1)
    differs = np.flatnonzero(ours != ids[N_PROMPT:])
    difference = np.abs(got - want).max(-1) / rms
    both = float(np.median(difference)), float(difference.max())
    if differs.size == 0:
        return Comparison(*both, N_GREEDY, 0.0)
    row = want[N_PROMPT - 1 + differs[0]]
    return Comparison(*both, int(differs[0]), float(row.max() - row[ours[differs[0]]]) / rms)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ARCHITECTURES:
            if len(sys.argv) > 1 and name.split(",")[0] not in sys.argv[1:]:
                continue
            for kind in TOLERANCE:
                for seed, shape in enumerate(SHAPES):
                    print(f"{name}, {kind}, seed {seed}: {compare(name, shape, kind, seed, Path(folder))}")


if __name__ == "__main__":
    main()
