"""The oracle for whole models: a forward pass in numpy float64, straight from the definitions.

    reference.py model.gguf 5 6 7      # prints the most likely next tokens

Activations stay float64 (bitnet's int8 excepted), so engines that quantize them differ in the second or third
digit. Only the graphs and formats of the models in this folder, and of those made by bench/, are known.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))
import make_model  # noqa: E402

IQ4_VALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])


def f16(blocks: np.ndarray, offset: int) -> np.ndarray:
    """The f16 at a byte offset of every block, as a column."""
    return blocks[:, offset : offset + 2].copy().view("<f2").astype(np.float64)


def fields(b: np.ndarray, bits: int) -> np.ndarray:
    """[blocks, bytes] -> [blocks, 8 / bits, bytes], lowest field first."""
    shifts = np.arange(0, 8, bits)[None, :, None]
    return (b[:, None, :] >> shifts) & (1 << bits) - 1


def nibbles(b: np.ndarray) -> np.ndarray:
    """Low nibbles of the block, then high ones."""
    return fields(b, 4).reshape(len(b), -1).astype(np.int64)


def strided(b: np.ndarray, bits: int, group: int) -> np.ndarray:
    """Within each group of bytes: lowest fields of all its bytes, then the next fields."""
    n = len(b)
    return fields(b.reshape(-1, group), bits).reshape(n, -1).astype(np.int64)


def q5_codes(b: np.ndarray, qh_offset: int) -> np.ndarray:
    high = np.unpackbits(b[:, qh_offset : qh_offset + 4], axis=1, bitorder="little")
    return nibbles(b[:, qh_offset + 4 :]) + 16 * high.astype(np.int64)


def trits(b: np.ndarray, count: int) -> np.ndarray:
    """[blocks, bytes] -> [blocks, count * bytes]: most significant digit of every byte, then the next."""
    powers = 3 ** np.arange(count)[None, :, None]
    return ((b[:, None, :] * powers % 256 * 3 >> 8) - 1).reshape(len(b), -1)


def k_scales(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q4_K, Q5_K: the 12 scale bytes -> eight 6-bit scales and minima."""
    a, b, c = s[:, 0:4].astype(np.int64), s[:, 4:8].astype(np.int64), s[:, 8:12].astype(np.int64)
    scales = np.hstack([a & 63, (c & 15) | (a >> 6) << 4])
    return scales, np.hstack([b & 63, (c >> 4) | (b >> 6) << 4])


def repeat(x: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(x, n, axis=1)


def decode_q2_k(b):
    q = strided(b[:, 16:80], 2, 32)
    return f16(b, 80) * repeat(b[:, :16] & 15, 16) * q - f16(b, 82) * repeat(b[:, :16] >> 4, 16)


def decode_q3_k(b):
    low = fields(b[:, 96:104], 4).reshape(len(b), -1).astype(np.int64)
    scales = (low | strided(b[:, 104:108], 2, 4) << 4) - 32
    high = fields(b[:, :32], 1).reshape(len(b), -1).astype(np.int64)
    return f16(b, 108) * repeat(scales, 16) * (strided(b[:, 32:96], 2, 32) - 4 * (1 - high))


def decode_q4_k(b):
    scales, minima = k_scales(b[:, 4:16])
    return f16(b, 0) * repeat(scales, 32) * strided(b[:, 16:144], 4, 32) - f16(b, 2) * repeat(minima, 32)


def decode_q5_k(b):
    scales, minima = k_scales(b[:, 4:16])
    q = strided(b[:, 48:176], 4, 32) + 16 * fields(b[:, 16:48], 1).reshape(len(b), -1).astype(np.int64)
    return f16(b, 0) * repeat(scales, 32) * q - f16(b, 2) * repeat(minima, 32)


def decode_q6_k(b):
    low = strided(b[:, :128], 4, 64)
    q = (low | strided(b[:, 128:192], 2, 32) << 4) - 32
    return f16(b, 208) * repeat(b[:, 192:208].view(np.int8).astype(np.int64), 16) * q


def sequential(b: np.ndarray, bits: int) -> np.ndarray:
    return fields(b, bits).transpose(0, 2, 1).reshape(len(b), -1).astype(np.int64)


def decode_tq1_0(b):
    codes = np.hstack([trits(b[:, :32], 5), trits(b[:, 32:48], 5), trits(b[:, 48:52], 4)])
    return f16(b, 52) * codes


def of_gguf(name: str):
    """A decoder of the gguf package, which has the tables of the IQ formats."""

    def decode(b: np.ndarray) -> np.ndarray:
        import gguf

        return gguf.quants.dequantize(b, gguf.GGMLQuantizationType[name]).astype(np.float64)

    return decode


DECODERS = {
    "F32": lambda b: b.view("<f4").astype(np.float64),
    "F16": lambda b: b.view("<f2").astype(np.float64),
    "BF16": lambda b: (b.view("<u2").astype("<u4") << 16).view("<f4").astype(np.float64),
    "Q4_0": lambda b: f16(b, 0) * (nibbles(b[:, 2:]) - 8),
    "Q4_1": lambda b: f16(b, 0) * nibbles(b[:, 4:]) + f16(b, 2),
    "Q5_0": lambda b: f16(b, 0) * (q5_codes(b, 2) - 16),
    "Q5_1": lambda b: f16(b, 0) * q5_codes(b, 4) + f16(b, 2),
    "Q8_0": lambda b: f16(b, 0) * b[:, 2:].view(np.int8),
    "Q2_K": decode_q2_k,
    "Q3_K": decode_q3_k,
    "Q4_K": decode_q4_k,
    "Q5_K": decode_q5_k,
    "Q6_K": decode_q6_k,
    "IQ4_NL": lambda b: f16(b, 0) * IQ4_VALUES[nibbles(b[:, 2:])],
    **{n: of_gguf(n) for n in ("IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")},
    "MXFP4": of_gguf("MXFP4"),
    "NVFP4": of_gguf("NVFP4"),
    "TQ1_0": decode_tq1_0,
    "TQ2_0": lambda b: f16(b, 64) * (strided(b[:, :64], 2, 32) - 1),
    "I2_S": lambda b: strided(b, 2, 32).reshape(-1, 4, 32)[:, ::-1].reshape(len(b), -1) - 1.0,
    "Q1_0": lambda b: f16(b, 0) * (2 * sequential(b[:, 2:], 1) - 1),
    "Q2_0": lambda b: f16(b, 0) * (sequential(b[:, 2:], 2) - 1),
}


def decode(t: make_model.Tensor) -> np.ndarray:
    """The tensor as float64 [rows, depth], or [n] for vectors."""
    name, fmt = next((n, f) for n, f in make_model.FORMATS.items() if f.type_id == t.type_id)
    raw = np.concatenate(list(t.chunks()))
    body = raw[: len(raw) - fmt.tail_bytes].reshape(-1, fmt.block_bytes)
    values = DECODERS[name](np.ascontiguousarray(body))
    if fmt.tail_bytes:
        values = values * raw[len(body) * fmt.block_bytes :][:4].view("<f4")[0]
    return values.reshape(t.shape[::-1])


class Model:
    def __init__(self, path: str):
        self.file = make_model.read_gguf(path)
        self.arch = self.file.value("general.architecture")
        self.weights = {name: decode(t) for name, t in self.file.tensors.items()}
        for name in [n for n in self.weights if self.arch == "phi3" and n.startswith("blk.")]:
            self.take_apart(name)

    def key(self, name: str, default=None):
        if default is not None and f"{self.arch}.{name}" not in self.file.keys:
            return default
        return self.file.value(f"{self.arch}.{name}")

    def is_local(self, layer: int) -> bool:
        """Whether a token sees a window only; in some architectures the last layer of each period sees all."""
        period = {"gemma2": 2, "gemma3": 6, "exaone4": 4, "olmo2": 4}.get(self.arch)
        return self.key("attention.sliding_window", 0) > 0 and (not period or (layer + 1) % period != 0)

    def is_rotated(self, layer: int) -> bool:
        if self.arch == "exaone4":
            return self.key("attention.sliding_window", 0) == 0 or self.is_local(layer)
        return self.arch != "smollm3" or (layer + 1) % 4 != 0

    def take_apart(self, name: str) -> None:
        """Fused matrices of phi3."""
        w, b = self.weights[name], name[: name.rindex(".", 0, -7) + 1]
        if name.endswith("attn_qkv.weight"):
            heads = self.key("attention.head_count"), self.key("attention.head_count_kv")
            q, kv = (h * self.key("attention.key_length") for h in heads)
            for part, rows in (("q", w[:q]), ("k", w[q : q + kv]), ("v", w[q + kv :])):
                self.weights[f"{b}attn_{part}.weight"] = rows
        if name.endswith("ffn_up.weight"):
            self.weights[b + "ffn_gate.weight"], self.weights[name] = np.split(w, 2)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return (
            x
            / np.sqrt((x * x).mean(-1, keepdims=True) + self.key("attention.layer_norm_rms_epsilon"))
            * self.weights[name]
        )

    def norm_if_any(self, x: np.ndarray, name: str) -> np.ndarray:
        return self.norm(x, name) if name in self.weights else x

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        w = self.weights[name + ".weight"]
        if self.arch.startswith("bitnet") and name.startswith(
            "blk."
        ):  # trained so: int8 activations per token
            s = 127 / np.maximum(1e-5, np.abs(x).max(-1, keepdims=True))
            x = np.rint(x * s) / s
        return x @ w.T * self.weights.get(name + ".scale", 1.0) + self.weights.get(name + ".bias", 0.0)

    def capped(self, x: np.ndarray, name: str) -> np.ndarray:
        cap = self.key(name, 0)
        return cap * np.tanh(x / cap) if cap else x

    def yarn(self, angle: np.ndarray, base: float) -> tuple[np.ndarray, float]:
        """Low frequencies are interpolated, high ones are not: the angles and the factor of magnitude."""
        factor, half = self.key("rope.scaling.factor"), angle.shape[1]
        turns = self.key("rope.scaling.original_context_length") / (2 * np.pi)
        low, high = (half * np.log(turns / beta) / np.log(base) for beta in (32, 1))
        low, high = max(0, np.floor(low)), min(2 * half - 1, np.ceil(high))
        plain = 1 - np.clip((np.arange(half) - low) / max(0.001, high - low), 0, 1)
        magnitude = 1 + 0.1 * np.log(factor)
        if self.arch == "mistral3":
            magnitude /= 1 + 0.1 * self.key("rope.scaling.yarn_log_multiplier") * np.log(factor)
        return angle * plain + angle / factor * (1 - plain), magnitude

    def rope(self, x: np.ndarray, base: float, scaled: bool) -> np.ndarray:
        """x is [tokens, heads, head_dim]."""
        n_rot = self.key("rope.dimension_count", x.shape[-1])
        if n_rot < x.shape[-1]:
            return np.concatenate([self.rope(x[..., :n_rot], base, scaled), x[..., n_rot:]], axis=-1)
        half = x.shape[-1] // 2
        angle = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
        magnitude = 1.0
        if self.arch == "phi3":  # of contexts beyond the original length
            angle = angle / self.weights["rope_factors_long.weight"]
            magnitude = self.key("rope.scaling.attn_factor")
        if scaled and self.key("rope.scaling.type", "none") == "yarn":
            angle, magnitude = self.yarn(angle, base)
        cos, sin = magnitude * np.cos(angle)[:, None], magnitude * np.sin(angle)[:, None]
        neighbours = self.arch in ("llama", "arcee", "granite", "granitemoe", "smollm3", "mistral3")
        pairs = (
            x.reshape(*x.shape[:2], half, 2)
            if neighbours
            else x.reshape(*x.shape[:2], 2, half).swapaxes(2, 3)
        )
        a, b = pairs[..., 0], pairs[..., 1]
        out = np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
        return (out if neighbours else out.swapaxes(2, 3)).reshape(x.shape)

    def attention(self, x: np.ndarray, layer: int) -> np.ndarray:
        b, local = f"blk.{layer}.", self.is_local(layer)
        n, heads, kv_heads = len(x), self.key("attention.head_count"), self.key("attention.head_count_kv")
        q, k, v = (
            self.linear(x, f"{b}attn_{p}").reshape(n, h, -1)
            for p, h in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        if b + "attn_q_norm.weight" in self.weights:
            shapes = q.shape, k.shape
            if self.arch.startswith("olmo"):
                q, k = q.reshape(n, -1), k.reshape(n, -1)
            q, k = self.norm(q, b + "attn_q_norm.weight"), self.norm(k, b + "attn_k_norm.weight")
            q, k = q.reshape(shapes[0]), k.reshape(shapes[1])
        base = self.key("rope.freq_base")
        if self.arch == "gemma3" and local:
            base = self.key("rope.freq_base_swa", 1e4)
        if self.is_rotated(layer):
            q, k = self.rope(q, base, not local), self.rope(k, base, not local)
        if scale := self.key("attention.temperature_scale", 0):
            far = np.arange(n) // self.key("rope.scaling.original_context_length")
            q = q * (1 + scale * np.log(1 + far))[:, None, None]
        k, v = (np.repeat(t, heads // kv_heads, axis=1) for t in (k, v))
        scores = np.einsum("ihd,jhd->hij", q, k) * self.key("attention.scale", q.shape[-1] ** -0.5)
        scores = self.capped(scores, "attn_logit_softcapping")
        age = np.arange(n)[:, None] - np.arange(n)
        scores[:, (age < 0) | (local & (age >= self.key("attention.sliding_window", 0)))] = -np.inf
        p = np.exp(scores - scores.max(-1, keepdims=True))
        return np.einsum("hij,jhd->ihd", p / p.sum(-1, keepdims=True), v).reshape(n, -1)

    def experts(self, x: np.ndarray, b: str) -> np.ndarray:
        """A mixture of experts, token by token; the weights of the chosen ones sum to 1, but for olmoe."""
        p = self.linear(x, b + "ffn_gate_inp")
        p = np.exp(p - p.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        gate, up, down = (self.weights[f"{b}ffn_{part}_exps.weight"] for part in ("gate", "up", "down"))
        out = np.zeros_like(x)
        for t, row in enumerate(x):
            chosen = np.argsort(-p[t], kind="stable")[: self.key("expert_used_count")]
            for e in chosen:
                g = gate[e] @ row
                weight = p[t, e] if self.arch == "olmoe" else p[t, e] / p[t, chosen].sum()
                out[t] += weight * (down[e] @ (g / (1 + np.exp(-g)) * (up[e] @ row)))
        return out

    def activation(self, x: np.ndarray) -> np.ndarray:
        if self.arch.startswith("gemma"):
            return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return np.maximum(x, 0) ** 2 if self.arch.startswith(("bitnet-", "arcee")) else x / (1 + np.exp(-x))

    def hidden(self, tokens) -> np.ndarray:
        """[tokens, width], every position: what the output matrix is multiplied by."""
        h = self.weights["token_embd.weight"][np.asarray(tokens)]
        h = h * (np.sqrt(h.shape[-1]) if self.arch.startswith("gemma") else self.key("embedding_scale", 1.0))
        residual_scale = self.key("residual_scale", 1.0)
        for i in range(self.key("block_count")):
            b = f"blk.{i}."
            o = self.attention(self.norm_if_any(h, b + "attn_norm.weight"), i)
            o = self.norm_if_any(o, b + "attn_sub_norm.weight")
            o = self.linear(o, b + "attn_output")
            h = h + self.norm_if_any(o, b + "post_attention_norm.weight") * residual_scale
            x = self.norm_if_any(h, b + "ffn_norm.weight")
            if b + "ffn_gate_inp.weight" in self.weights:
                h = h + self.experts(x, b) * residual_scale
                continue
            if self.arch == "arcee":
                f = self.activation(self.linear(x, b + "ffn_up"))
            else:
                f = self.activation(self.linear(x, b + "ffn_gate")) * self.linear(x, b + "ffn_up")
            f = self.norm_if_any(f, b + "ffn_sub_norm.weight")
            f = self.linear(f, b + "ffn_down")
            h = h + self.norm_if_any(f, b + "post_ffw_norm.weight") * residual_scale
        return self.norm(h, "output_norm.weight")

    def logits(self, tokens, first: int = 0) -> np.ndarray:
        """[positions from `first` on, vocabulary]."""
        head = self.weights.get("output.weight", self.weights["token_embd.weight"])
        h = self.hidden(tokens)[first:] @ head.T
        return self.capped(h / self.key("logit_scale", 1.0), "final_logit_softcapping")

    def greedy(self, tokens, count: int) -> list[int]:
        tokens = list(tokens)
        for _ in range(count):
            tokens.append(int(self.logits(tokens)[-1].argmax()))
        return tokens


def main() -> None:
    last = Model(sys.argv[1]).logits([int(t) for t in sys.argv[2:]])[-1]
    for token in np.argsort(-last)[:5]:
        print(token, f"{last[token]:.4f}")


if __name__ == "__main__":
    main()
