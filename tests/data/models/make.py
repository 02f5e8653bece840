#!/usr/bin/env python3
"""Makes the models of this folder: random weights, few layers, 320 tokens; many formats between them.

    make.py            # writes them again; the bytes do not change

Beside each model stands NAME.expected.txt: a line of token ids and a line with the logits after the last of
them, from reference.py. An engine that quantizes activations to int8 differs from these by about 2 % of their
rms (llama.cpp: 1.4 to 2.4 %), except for bitnet, where the reference quantizes too.
"""

import sys
from pathlib import Path

import numpy as np
import reference
from make_model import FORMATS, GgufWriter, Shape, Tensor, build_model, llama3_tokenizer, qwen_tokenizer

HERE = Path(__file__).resolve().parent
N_VOCAB = 320
TOKENS = [256, 17, 300, 4, 99, 271, 8, 264, 150, 33, 258, 261]
LONG = [(37 * i + 11 * i * i + 5) % 300 for i in range(70)]  # longer than windows and original contexts

SMALL = {
    "n_layer": 2,
    "n_embd": 128,
    "n_head": 4,
    "n_head_kv": 2,
    "n_vocab": N_VOCAB,
    "context": 256,
    "eps": 1e-5,
}

TINY = SMALL | {"n_layer": 4, "n_embd": 64, "n_head": 2, "n_head_kv": 1}


def spm_tokenizer(w: GgufWriter) -> None:
    letters = ["▁", *"etaoinsrhldcumfpgwybvk"]
    merged = (
        "▁t he ▁the in er ▁a an re on ▁o ▁of nd ▁and ing at es ▁to ▁s ▁c is or en ▁i ▁in ▁f it ▁w al ▁is ed "
        "ou ar le ti tion ▁for ch ▁b"
    )
    pieces = list(dict.fromkeys(merged.split()))[: N_VOCAB - 259 - len(letters)] + letters
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    w.key("tokenizer.ggml.model", "string", "llama")
    w.key("tokenizer.ggml.tokens", "[string]", tokens)
    w.key("tokenizer.ggml.scores", "[f32]", [0.0] * 259 + [-float(i) for i in range(len(pieces))])
    w.key("tokenizer.ggml.token_type", "[i32]", [2, 3, 3] + [6] * 256 + [1] * len(pieces))
    w.key("tokenizer.ggml.bos_token_id", "u32", 1)
    w.key("tokenizer.ggml.eos_token_id", "u32", 2)
    w.key("tokenizer.ggml.unknown_token_id", "u32", 0)
    w.key("tokenizer.ggml.add_bos_token", "bool", True)
    w.key("tokenizer.ggml.add_space_prefix", "bool", True)


def llama3(w: GgufWriter) -> None:
    llama3_tokenizer(w, N_VOCAB, n_control=8)


def qwen(w: GgufWriter) -> None:
    qwen_tokenizer(w, N_VOCAB, n_control=4)


PARTS = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
# name: shape, tokenizer, formats of PARTS in each layer, of the embedding, and of the output if not tied
MODELS = {
    "mini-bitnet-i2_s": (
        Shape(arch="bitnet-b1.58", n_ff=256, head_dim=32, rope_base=5e5, **SMALL),
        llama3, [["I2_S"] * 7] * 2, "F16", None,
    ),
    "mini-llama-mixed": (
        Shape(arch="llama", n_ff=160, head_dim=32, rope_base=1e4, tied=False, **SMALL),
        llama3,
        [["Q4_0", "Q5_0", "F16", "Q8_0", "Q4_1", "IQ4_NL", "Q5_1"],
         ["Q5_1", "F32", "BF16", "IQ4_NL", "Q5_0", "Q4_1", "Q8_0"]],
        "F16", "Q5_0",
    ),
    "mini-llama-kquants": (
        Shape(arch="llama", n_ff=256, head_dim=64, rope_base=5e5, **(SMALL | {"n_embd": 256})),
        llama3,
        [["Q2_K", "Q6_K", "Q3_K", "Q4_K", "TQ1_0", "TQ2_0", "Q3_K"],
         ["Q4_K", "Q5_K", "Q6_K", "TQ2_0", "Q2_K", "Q2_K", "TQ1_0"]],
        "Q4_K", None,
    ),
    "mini-llama-iq": (
        Shape(arch="llama", n_ff=256, head_dim=64, rope_base=5e5, **(SMALL | {"n_embd": 256})),
        llama3,
        [["IQ2_XXS", "IQ3_XXS", "IQ4_XS", "IQ3_S", "IQ2_XS", "IQ2_S", "MXFP4"],
         ["IQ1_S", "IQ4_XS", "MXFP4", "IQ2_XXS", "IQ1_M", "IQ3_XXS", "IQ2_S"]],
        "IQ3_S", None,
    ),
    "mini-llama-nvfp4": (
        Shape(arch="llama", n_ff=64, head_dim=32, rope_base=1e4,
              **(SMALL | {"n_embd": 64, "n_head": 2, "n_head_kv": 1})),
        llama3, [["NVFP4"] * 7] * 2, "NVFP4", None,
    ),
    "mini-qwen2-q8_0": (
        Shape(arch="qwen2", n_ff=160, head_dim=32, rope_base=1e6, **SMALL),
        qwen, [["Q8_0"] * 7] * 2, "Q8_0", None,
    ),
    "mini-qwen3-q1_0": (  # heads wider than n_embd / n_head, embedding and output of one bit, too
        Shape(arch="qwen3", n_ff=256, head_dim=64, rope_base=1e6, **SMALL),
        qwen, [["Q1_0"] * 7] * 2, "Q1_0", None,
    ),
    "mini-qwen3moe": (
        Shape(arch="qwen3moe", n_ff=64, head_dim=32, rope_base=1e6, n_expert=8, n_expert_used=3, **SMALL),
        qwen,
        [["Q8_0", "Q8_0", "Q8_0", "Q8_0", "Q4_0", "Q4_0", "Q8_0"],
         ["Q8_0", "Q8_0", "Q8_0", "Q8_0", "Q2_0", "F16", "Q2_0"]],
        "Q8_0", None,
    ),
    "mini-olmoe": (
        Shape(arch="olmoe", n_ff=32, head_dim=32, rope_base=1e4, n_expert=4, n_expert_used=2,
              tied=False, **(SMALL | {"n_head_kv": 4})),
        qwen, [["Q8_0", "Q8_0", "Q5_0", "Q4_0", "Q4_1", "Q4_0", "Q8_0"]] * 2, "Q8_0", "Q8_0",
    ),
    "mini-phi-longrope": (  # three quarters of a head turn, by the factors of long contexts
        Shape(arch="phi3", n_ff=96, head_dim=32, rope_base=1e4, n_rot=24, **SMALL),
        llama3, [["Q4_0", "", "", "Q5_0", "", "Q4_1", "Q8_0"]] * 2, "Q8_0", None,
    ),
    "mini-spm": (
        Shape(arch="llama", n_ff=160, head_dim=32, rope_base=1e4, **SMALL),
        spm_tokenizer, [["Q4_0"] * 7] * 2, "Q8_0", None,
    ),
    "mini-gemma3": (  # the sixth layer sees all
        Shape(arch="gemma3", n_ff=128, head_dim=32, rope_base=1e6, window=24,
              **(SMALL | {"n_layer": 7, "n_embd": 64, "n_head_kv": 1, "eps": 1e-6})),
        spm_tokenizer, [["Q5_0", "Q5_0", "Q8_0", "Q4_0", "Q5_0", "Q5_0", "Q8_0"]] * 7, "Q8_0", None,
    ),
    "mini-smollm3": (  # heads of the fourth layer do not turn
        Shape(arch="smollm3", n_ff=96, head_dim=32, rope_base=1e4, **TINY),
        llama3, [["Q8_0", "Q5_0", "Q4_0", "Q8_0", "Q4_1", "Q5_0", "Q8_0"]] * 4, "Q8_0", None,
    ),
    "mini-mistral3": (
        Shape(arch="mistral3", n_ff=96, head_dim=32, rope_base=1e4, original_context=16,
              **(TINY | {"n_layer": 2, "n_head": 4})),
        llama3, [["Q8_0", "Q8_0", "Q4_0", "Q5_0", "Q4_1", "Q5_0", "Q8_0"]] * 2, "Q8_0", None,
    ),
    "mini-olmo2": (  # the fourth layer sees all, with scaled angles
        Shape(arch="olmo2", n_ff=96, head_dim=32, rope_base=1e4, window=24, original_context=16, **TINY),
        qwen, [["Q8_0", "Q5_0", "Q4_0", "Q8_0", "Q4_1", "Q5_0", "Q8_0"]] * 4, "Q8_0", None,
    ),
    "mini-exaone4": (  # the fourth layer sees all, and its heads do not turn
        Shape(arch="exaone4", n_ff=96, head_dim=32, rope_base=1e4, window=24, **TINY),
        qwen, [["Q8_0", "Q5_0", "Q4_0", "Q8_0", "Q4_1", "Q5_0", "Q8_0"]] * 4, "Q8_0", None,
    ),
    "mini-gemma2": (  # the first and the third layer are local; caps that most scores and logits feel
        Shape(arch="gemma2", n_ff=96, head_dim=32, rope_base=1e4, window=24,
              keys=(("attn_logit_softcapping", "f32", 1.5), ("final_logit_softcapping", "f32", 0.3)),
              **(SMALL | {"n_layer": 3, "n_embd": 64, "eps": 1e-6})),
        spm_tokenizer, [["Q8_0", "Q8_0", "Q5_0", "Q4_0", "Q5_0", "Q5_0", "Q8_0"]] * 3, "Q8_0", None,
    ),
    "mini-granitemoe": (
        Shape(arch="granitemoe", n_ff=32, head_dim=32, rope_base=1e4, n_expert=4, n_expert_used=2, tied=False,
              keys=(("embedding_scale", "f32", 12.0), ("residual_scale", "f32", 0.22),
                    ("attention.scale", "f32", 0.3), ("logit_scale", "f32", 3.0)),
              **(SMALL | {"n_embd": 64})),
        qwen, [["Q8_0", "Q8_0", "Q5_0", "Q4_0", "Q4_1", "Q4_0", "Q8_0"]] * 2, "Q8_0", "Q8_0",
    ),
    "mini-arcee": (
        Shape(arch="arcee", n_ff=160, head_dim=32, rope_base=1e4, **(SMALL | {"n_embd": 64})),
        llama3, [["Q8_0", "Q8_0", "Q5_0", "Q4_0", "", "Q5_0", "Q8_0"]] * 2, "Q8_0", None,
    ),
}  # fmt: skip


def add_scales(w: GgufWriter) -> None:
    """What files of NVFP4 have beside each matrix: the rest of its scale, and one that only GPUs need."""
    for t in list(w.tensors):
        if t.type_id == FORMATS["NVFP4"].type_id and t.name.startswith("blk."):
            for kind, value in (("scale", 0.5 + len(w.tensors) / 64), ("input_scale", 0.01)):
                data = np.array([value], "<f4")
                name = t.name.removesuffix("weight") + kind
                w.tensors.append(
                    Tensor(name, (1,), FORMATS["F32"].type_id, 4, lambda data=data: iter([data]))
                )


def make(name: str) -> None:
    shape, tokenizer, layers, embedding, output = MODELS[name]

    def format_of(tensor: str) -> str:
        if not tensor.startswith("blk."):
            return embedding if tensor == "token_embd.weight" else output
        _, layer, part, _ = tensor.split(".")
        part = part.removesuffix("_exps").replace("qkv", "q")
        return layers[int(layer)][PARTS.index(part)]

    w = GgufWriter()
    build_model(w, shape, name, format_of, seed=1)
    add_scales(w)
    tokenizer(w)
    path = HERE / f"{name}.gguf"
    w.write(str(path))
    tokens = LONG if shape.window or shape.original_context else TOKENS
    logits = reference.Model(str(path)).logits(tokens)[-1]
    lines = [" ".join(map(str, tokens)), " ".join(f"{x:.6f}" for x in logits)]
    (HERE / f"{name}.expected.txt").write_text("\n".join(lines) + "\n")
    print(f"{name}: logits rms {np.sqrt((logits**2).mean()):.3f}", file=sys.stderr)


if __name__ == "__main__":
    for name in MODELS:
        make(name)
