#!/usr/bin/env python3
"""Writes GGUF models of real shapes with random weights, for benchmarks and tests.

    make_model.py bitnet-2b out.gguf                              # I2_S, architecture bitnet-b1.58
    make_model.py bitnet-2b out.gguf --body TQ2_0 --arch bitnet   # the same weights as llama.cpp reads them
    make_model.py bonsai-1.7b out.gguf --body Q1_0

Equal arguments give equal bytes: only raw PCG64 output is used, never numpy's distributions, which may
change. The I2_S and the TQ2_0 file of one seed hold the same codes and scales. Tensors are streamed; memory
stays at a few chunks.
"""

import argparse
import dataclasses
import math
import statistics
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

# ---------------------------------------------------------------- GGUF container

_KINDS = {"u32": (4, "I"), "i32": (5, "i"), "f32": (6, "f"), "bool": (7, "?")}
_SCALAR_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
ALIGNMENT = 32


def encode_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def encode_value(kind: str, value) -> bytes:
    """Type id and bytes of a metadata value; kind: u32, i32, f32, bool, string, or one of these in []."""
    if kind == "string":
        return struct.pack("<I", 8) + encode_string(value)
    if kind == "[string]":
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(encode_string, value))
    if kind.startswith("["):
        type_id, code = _KINDS[kind[1:-1]]
        return struct.pack("<IIQ", 9, type_id, len(value)) + struct.pack(f"<{len(value)}{code}", *value)
    type_id, code = _KINDS[kind]
    return struct.pack("<I" + code, type_id, value)


@dataclasses.dataclass
class Tensor:
    name: str
    shape: tuple[int, ...]  # ne[0], the fastest dimension, first
    type_id: int
    n_bytes: int
    chunks: Callable[[], Iterable]  # yields buffers that add up to n_bytes


class GgufWriter:
    """Collects keys and tensors, then writes them in that order."""

    def __init__(self):
        self.keys: list[tuple[str, bytes]] = []  # name, encoded value
        self.tensors: list[Tensor] = []

    def key(self, name: str, kind: str, value) -> None:
        self.keys.append((name, encode_value(kind, value)))

    def write(self, path: str) -> None:
        with open(path, "wb") as f:
            f.write(b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.keys)))
            for name, value in self.keys:
                f.write(encode_string(name) + value)
            offset = 0
            for t in self.tensors:
                f.write(encode_string(t.name) + struct.pack("<I", len(t.shape)))
                f.write(struct.pack(f"<{len(t.shape)}QIQ", *t.shape, t.type_id, offset))
                offset += t.n_bytes + -t.n_bytes % ALIGNMENT
            f.write(bytes(-f.tell() % ALIGNMENT))
            for i, t in enumerate(self.tensors):
                progress(f"{path}: tensor {i + 1} of {len(self.tensors)}, {f.tell() / 1e6:.0f} MB")
                start = f.tell()
                for chunk in t.chunks():
                    f.write(chunk)
                written = f.tell() - start
                if written != t.n_bytes:
                    raise ValueError(f"{t.name}: wrote {written} bytes, declared {t.n_bytes}")
                f.write(bytes(-f.tell() % ALIGNMENT))
            progress(f"{path}: {f.tell() / 1e6:.2f} MB", end="\n")


def progress(text: str, end: str = "") -> None:
    if sys.stderr.isatty() or end:
        print(f"\r\x1b[K{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True)


@dataclasses.dataclass
class GgufFile:
    keys: dict[str, bytes]  # encoded values, in file order
    tensors: dict[str, Tensor]

    def value(self, name: str):
        """A scalar or string value."""
        raw = self.keys[name]
        type_id = struct.unpack_from("<I", raw)[0]
        return (
            raw[12:].decode() if type_id == 8 else struct.unpack_from("<" + _SCALAR_CODES[type_id], raw, 4)[0]
        )


def read_gguf(path: str) -> GgufFile:
    """Reads a file that is known to be good; hostile files are the business of the C++ reader."""
    with open(path, "rb") as f:

        def read(code: str):
            return struct.unpack("<" + code, f.read(struct.calcsize("<" + code)))[0]

        def string() -> bytes:
            return f.read(read("Q"))

        def skip_value(type_id: int) -> None:
            if type_id == 8:
                string()
            elif type_id == 9:
                element, count = read("I"), read("Q")
                for _ in range(count if element == 8 else 0):
                    string()
                f.seek(0 if element == 8 else count * struct.calcsize(_SCALAR_CODES[element]), 1)
            else:
                f.seek(struct.calcsize(_SCALAR_CODES[type_id]), 1)

        f.read(8)
        n_tensors, n_keys = read("Q"), read("Q")
        keys = {}
        for _ in range(n_keys):
            name, start = string().decode(), f.tell()
            skip_value(read("I"))
            end = f.tell()
            f.seek(start)
            keys[name] = f.read(end - start)
        infos = []
        for _ in range(n_tensors):
            name = string().decode()
            shape = tuple(read("Q") for _ in range(read("I")))
            infos.append((name, shape, read("I"), read("Q")))
        data_start = f.tell() + -f.tell() % ALIGNMENT
    tensors = {}
    for name, shape, type_id, offset in infos:
        n_bytes = tensor_bytes(next(f for f in FORMATS.values() if f.type_id == type_id), math.prod(shape))
        tensors[name] = Tensor(name, shape, type_id, n_bytes, _file_range(path, data_start + offset, n_bytes))
    return GgufFile(keys, tensors)


def _file_range(path: str, offset: int, n_bytes: int) -> Callable[[], Iterator]:
    def chunks():
        yield np.fromfile(path, np.uint8, n_bytes, offset=offset)

    return chunks


# ---------------------------------------------------------------- formats and random weights


@dataclasses.dataclass(frozen=True)
class Format:
    """How to make random blocks: where the scales stand, and what fills the rest of the block."""

    type_id: int
    block_elems: int
    block_bytes: int
    scales: tuple[tuple[int, float], ...] = ()  # byte offset, value for weights of rms 1
    fill: str = "any"  # any: all bytes are codes; ternary, trits: only bytes an encoder writes; float
    spread: bool = True  # whether scales differ between blocks, as they do except in converted BitNet models
    tail_bytes: int = 0
    scale: str = "f16"  # or e8m0: a byte, the exponent; e4m3: a byte; quarters: f16, its four bits on top of four u16 each


# Scales make the rms of uniformly random codes 1, e.g. Q4_0: sqrt(mean of (-8..7)^2) = 4.64; offsets make
# their mean 0.
FORMATS = {
    "F32": Format(0, 1, 4, fill="float"),
    "F16": Format(1, 1, 2, fill="float"),
    "BF16": Format(30, 1, 2, fill="float"),
    "Q4_0": Format(2, 32, 18, ((0, 1 / 4.64),)),
    "Q4_1": Format(3, 32, 20, ((0, 1 / 4.61), (2, -7.5 / 4.61))),
    "Q5_0": Format(6, 32, 22, ((0, 1 / 9.25),)),
    "Q5_1": Format(7, 32, 24, ((0, 1 / 9.23), (2, -15.5 / 9.23))),
    "Q8_0": Format(8, 32, 34, ((0, 1 / 73.9),)),
    "Q2_K": Format(10, 256, 84, ((80, 1 / 13.9), (82, 1.5 / 13.9))),
    "Q3_K": Format(11, 256, 110, ((108, 1 / 43.3),)),
    "Q4_K": Format(12, 256, 144, ((0, 1 / 258), (2, 7.5 / 258))),
    "Q5_K": Format(13, 256, 176, ((0, 1 / 527), (2, 15.5 / 527))),
    "Q6_K": Format(14, 256, 210, ((208, 1 / 1366),)),
    "IQ4_NL": Format(20, 32, 18, ((0, 1 / 67.4),)),
    "IQ4_XS": Format(23, 256, 136, ((0, 1 / 1247),)),
    "IQ3_S": Format(21, 256, 110, ((0, 1 / 140),)),
    "IQ3_XXS": Format(18, 256, 98, ((0, 1 / 142),)),
    "IQ2_S": Format(22, 256, 82, ((0, 1 / 56.5),)),
    "IQ2_XS": Format(17, 256, 74, ((0, 1 / 55.9),)),
    "IQ2_XXS": Format(16, 256, 66, ((0, 1 / 53.3),)),
    "IQ1_M": Format(29, 256, 56, ((48, 1 / 7.2),), scale="quarters"),
    "IQ1_S": Format(19, 256, 50, ((0, 1 / 7.2),)),
    "MXFP4": Format(39, 32, 17, ((0, 1 / 2.93),), scale="e8m0"),
    "NVFP4": Format(
        40, 64, 36, tuple((i, x / 2.93) for i, x in enumerate((0.8, 1, 1.2, 0.97))), scale="e4m3"
    ),
    "TQ1_0": Format(34, 256, 54, ((52, 1.2247),), "trits"),
    "TQ2_0": Format(35, 256, 66, ((64, 1.2247),), "ternary", spread=False),
    "I2_S": Format(36, 128, 32, (), "ternary", spread=False, tail_bytes=32),
    "Q1_0": Format(41, 128, 18, ((0, 1.0),)),
    "Q2_0": Format(42, 64, 18, ((0, 1.2247),), "ternary"),
}


def tensor_bytes(fmt: Format, n_elems: int) -> int:
    return n_elems // fmt.block_elems * fmt.block_bytes + fmt.tail_bytes


_U16 = np.arange(65536)
_NORMAL = np.array([statistics.NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(65536)], np.float32)
_TRITS = [_U16 // 3**i % 3 for i in range(5)]  # digits of the low 243 values, least significant first
_FIELDS_UP = sum(t << 2 * i for i, t in enumerate(_TRITS[:4])).astype(np.uint8)  # first code in the low bits
_FIELDS_DOWN = sum(t << 6 - 2 * i for i, t in enumerate(_TRITS[:4])).astype(
    np.uint8
)  # I2_S: in the high bits
_TRITS5 = ((_U16 % 243 * 256 + 242) // 243).astype(np.uint8)
_TRITS4 = ((_U16 % 81 * 3 * 256 + 242) // 243).astype(np.uint8)
_CHUNK_ELEMS = 1 << 22


_SCALE_BYTES = {"f16": 2, "e8m0": 1, "e4m3": 1, "quarters": 0}  # that hold nothing else


def _put_scale(blocks: np.ndarray, kind: str, at: int, x: np.ndarray) -> None:
    if kind == "e8m0":
        blocks[:, at] = np.rint(np.log2(x)) + 127
    elif kind == "e4m3":  # the nearest; below 2^-6 multiples of 2^-9
        exponent = np.clip(np.floor(np.log2(x)), -6, 8)
        blocks[:, at] = np.minimum((exponent + 6) * 8 + np.rint(x / 2.0 ** (exponent - 3)), 0x7E)
    elif kind == "quarters":
        for i in range(4):
            high = blocks[:, at + 1 + 2 * i]
            high[:] = high & 15 | (x.astype("<f2").view("<u2") >> 4 * i & 15) << 4
    else:
        blocks[:, at : at + 2] = x.astype("<f2")[:, None].view(np.uint8)


def random_chunks(
    name: str, fmt: Format, n_elems: int, rms: float, seed: int, mean: float = 0.0
) -> Iterator[np.ndarray]:
    """The bytes of a tensor whose weights have the given rms; `mean` is for float formats only."""
    bits = np.random.PCG64([seed, zlib.crc32(name.encode())])

    def draw(count: int) -> np.ndarray:
        return bits.random_raw(-(-count // 4)).astype("<u8").view("<u2")[:count]

    for start in range(0, n_elems, _CHUNK_ELEMS):
        n = min(_CHUNK_ELEMS, n_elems - start)
        if fmt.fill == "float":
            x = _NORMAL[draw(n)] * np.float32(rms) + np.float32(mean)
            if fmt.type_id == FORMATS["BF16"].type_id:
                yield (x.view("<u4") >> 16).astype("<u2")
            else:
                yield x.astype("<f2" if fmt.block_bytes == 2 else "<f4")
            continue
        blocks = np.empty((n // fmt.block_elems, fmt.block_bytes), np.uint8)
        is_scale = np.zeros(fmt.block_bytes, bool)
        for offset, _ in fmt.scales:
            is_scale[offset : offset + _SCALE_BYTES[fmt.scale]] = True
        codes = draw(len(blocks) * int((~is_scale).sum())).reshape(len(blocks), -1)
        if fmt.fill == "ternary":
            codes = (_FIELDS_UP if fmt.scales else _FIELDS_DOWN)[codes]
        elif fmt.fill == "trits":  # TQ1_0: 48 bytes of five trits, then 4 bytes of four
            codes = np.hstack([_TRITS5[codes[:, :48]], _TRITS4[codes[:, 48:]]])
        blocks[:, ~is_scale] = codes  # for "any" this keeps the low byte
        factor = draw(len(blocks)) / 65536 * 0.5 + 0.75 if fmt.spread else np.ones(len(blocks))
        for offset, unit in fmt.scales:
            _put_scale(blocks, fmt.scale, offset, unit * rms * factor)
        yield blocks
    if fmt.tail_bytes:
        scale = np.float32(np.float16(1.2247 * rms))  # as TQ2_0 stores it
        yield struct.pack("<f", scale) + bytes(fmt.tail_bytes - 4)


# ---------------------------------------------------------------- vocabularies

_WORDS = (
    "Ġthe Ġand Ġof Ġto ing Ġin er Ġis Ġfor Ġfile tion Ġthat Ġwith Ġoption Ġare Ġcommand Ġname Ġthis Ġvalue "
    "Ġfrom Ġnot Ġused Ġline Ġoutput Ġnumber"
)


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins, index = byte."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = (chr(256 + i) for i in range(68))
    return [chr(b) if b in printable else next(others) for b in range(256)]


def bpe_tokenizer(
    w: GgufWriter, pre: str, n_vocab: int, n_control: int, named: list[str], bos: str, eos: str
) -> None:
    """A byte-level BPE vocabulary: bytes, pieces of words with their merges, fillers, control tokens."""
    tokens, merges = byte_alphabet(), []
    room = n_vocab - n_control - len(tokens)
    for word in _WORDS.split():
        for end in range(2, len(word) + 1):
            if word[:end] not in tokens and len(merges) < room:
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
                tokens.append(word[:end])
    tokens += [f"Ġtoken{i}" for i in range(n_vocab - n_control - len(tokens))]
    tokens += named + [f"<|reserved_{i}|>" for i in range(n_control - len(named))]
    w.key("tokenizer.ggml.model", "string", "gpt2")
    w.key("tokenizer.ggml.pre", "string", pre)
    w.key("tokenizer.ggml.tokens", "[string]", tokens)
    w.key("tokenizer.ggml.token_type", "[i32]", [1] * (n_vocab - n_control) + [3] * n_control)
    w.key("tokenizer.ggml.merges", "[string]", merges)
    w.key("tokenizer.ggml.bos_token_id", "u32", tokens.index(bos))
    w.key("tokenizer.ggml.eos_token_id", "u32", tokens.index(eos))
    w.key("tokenizer.ggml.add_bos_token", "bool", pre == "llama-bpe")


def llama3_tokenizer(w: GgufWriter, n_vocab: int, n_control: int = 256) -> None:
    named = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        *(f"<|special_{i}|>" for i in range(min(7, n_control - 3))),
        "<|eot_id|>",
    ]
    bpe_tokenizer(w, "llama-bpe", n_vocab, n_control, named, "<|begin_of_text|>", "<|end_of_text|>")


def qwen_tokenizer(w: GgufWriter, n_vocab: int, n_control: int = 293) -> None:
    named = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe_tokenizer(w, "qwen2", n_vocab, n_control, named, "<|endoftext|>", "<|im_end|>")


# ---------------------------------------------------------------- models


@dataclasses.dataclass(frozen=True)
class Shape:
    arch: str
    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_vocab: int
    context: int
    rope_base: float
    eps: float
    tied: bool = True
    n_expert: int = 0  # experts of n_ff each, of which a token uses n_expert_used
    n_expert_used: int = 0
    window: int = 0
    n_rot: int = 0  # elements of a head that turn; 0: all
    original_context: int = 0  # that YaRN makes four times as long; 0: no YaRN
    keys: tuple[tuple[str, str, object], ...] = ()  # further ones of the architecture: name, kind, value


EMBEDDING_RMS = 0.04


def residual_rms(shape: Shape, top_logit: float) -> float:
    """Rms that each of the 2 * n_layer additions to the residual stream needs for the token just read, whose
    embedding started the stream, to have a logit `top_logit` standard deviations above the mean of all. Noise
    has logits of deviation |h| * EMBEDDING_RMS, that token cos(h, e) * |h| * sqrt(n_embd) * EMBEDDING_RMS.
    """
    return EMBEDDING_RMS * math.sqrt((shape.n_embd / top_logit**2 - 1) / (2 * shape.n_layer))


def add_keys(w: GgufWriter, shape: Shape, name: str) -> None:
    """Those of the graph."""
    s, a = shape, shape.arch
    w.key("general.architecture", "string", a)
    w.key("general.name", "string", name)
    w.key("general.quantization_version", "u32", 2)
    for key, kind, value in (
        ("block_count", "u32", s.n_layer),
        ("context_length", "u32", s.context),
        ("embedding_length", "u32", s.n_embd),
        ("feed_forward_length", "u32", s.n_ff),
        ("attention.head_count", "u32", s.n_head),
        ("attention.head_count_kv", "u32", s.n_head_kv),
        ("attention.key_length", "u32", s.head_dim),
        ("attention.value_length", "u32", s.head_dim),
        ("attention.layer_norm_rms_epsilon", "f32", s.eps),
        ("rope.dimension_count", "u32", s.n_rot or s.head_dim),
        ("rope.freq_base", "f32", s.rope_base),
        ("vocab_size", "u32", s.n_vocab),
    ):
        w.key(f"{a}.{key}", kind, value)
    if s.n_expert:
        w.key(f"{a}.expert_count", "u32", s.n_expert)
        w.key(f"{a}.expert_used_count", "u32", s.n_expert_used)
        w.key(f"{a}.expert_feed_forward_length", "u32", s.n_ff)
    if a == "phi3":
        w.key(f"{a}.rope.scaling.original_context_length", "u32", 8)
        w.key(f"{a}.rope.scaling.attn_factor", "f32", 1.1)
    if s.window:
        w.key(f"{a}.attention.sliding_window", "u32", s.window)
    if s.original_context:
        w.key(f"{a}.rope.scaling.type", "string", "yarn")
        w.key(f"{a}.rope.scaling.factor", "f32", 4.0)
        w.key(f"{a}.rope.scaling.original_context_length", "u32", s.original_context)
    if a == "mistral3":
        w.key(f"{a}.rope.scaling.yarn_log_multiplier", "f32", 1.0)
        w.key(f"{a}.attention.temperature_scale", "f32", 0.1)
    for key, kind, value in s.keys:
        w.key(f"{a}.{key}", kind, value)


def build_model(
    w: GgufWriter,
    shape: Shape,
    name: str,
    format_of: Callable[[str], str],
    seed: int,
    top_logit: float | None = None,
) -> None:
    """Adds keys and tensors, not the tokenizer, to `w`; `format_of` maps a matrix to its format."""
    s, a = shape, shape.arch
    add_keys(w, s, name)

    def add(name: str, shape: tuple[int, ...], fmt: Format, rms: float, mean: float) -> None:
        n = math.prod(shape)
        chunks = lambda: random_chunks(name, fmt, n, rms, seed, mean)  # noqa: E731
        w.tensors.append(Tensor(name, shape, fmt.type_id, tensor_bytes(fmt, n), chunks))

    def matrix(name: str, n_in: int, n_out: int, rms: float | None = None, n: int = 0) -> None:
        fmt = FORMATS[format_of(name)]
        if n_in % fmt.block_elems:
            raise ValueError(
                f"{name}: rows of {n_in} elements do not divide into blocks of {fmt.block_elems}"
            )
        add(name, (n_in, n_out, n) if n else (n_in, n_out), fmt, rms or n_in**-0.5, 0.0)

    def vector(name: str, n: int, mean: float = 1.0) -> None:
        add(name, (n,), FORMATS["F32"], 0.1, mean)

    q, kv = s.n_head * s.head_dim, s.n_head_kv * s.head_dim
    norms_behind_only, norms_behind = ("exaone4", "olmo2"), ("gemma2", "gemma3", "exaone4", "olmo2")
    added = residual_rms(s, top_logit) if top_logit else 1.0
    behind = added * (math.sqrt(s.n_embd) if top_logit and a.startswith("gemma") else 1.0)
    matrix("token_embd.weight", s.n_embd, s.n_vocab, rms=EMBEDDING_RMS)
    for i in range(s.n_layer):
        b = f"blk.{i}."
        if a not in norms_behind_only:
            vector(b + "attn_norm.weight", s.n_embd)
        for part, n_out in (("qkv", q + 2 * kv),) if a == "phi3" else (("q", q), ("k", kv), ("v", kv)):
            matrix(f"{b}attn_{part}.weight", s.n_embd, n_out)
            if a == "qwen2":
                vector(f"{b}attn_{part}.bias", n_out, mean=0.0)
        if a.startswith("qwen3") or a in ("gemma3", "olmoe", "exaone4", "olmo2"):
            vector(b + "attn_q_norm.weight", q if a.startswith("olmo") else s.head_dim)
            vector(b + "attn_k_norm.weight", kv if a.startswith("olmo") else s.head_dim)
        if a.startswith("bitnet"):
            vector(b + "attn_sub_norm.weight", q)
        matrix(b + "attn_output.weight", q, s.n_embd, rms=added * q**-0.5)
        if a in norms_behind:
            vector(b + "post_attention_norm.weight", s.n_embd, behind)
        if a not in norms_behind_only:
            vector(b + "ffn_norm.weight", s.n_embd)
        kind, n = ("_exps", s.n_expert) if s.n_expert else ("", 0)
        if n:
            add(f"{b}ffn_gate_inp.weight", (s.n_embd, n), FORMATS["F32"], s.n_embd**-0.5, 0.0)
        if a not in ("phi3", "arcee"):
            matrix(f"{b}ffn_gate{kind}.weight", s.n_embd, s.n_ff, n=n)
        matrix(f"{b}ffn_up{kind}.weight", s.n_embd, (2 if a == "phi3" else 1) * s.n_ff, n=n)
        if a.startswith("bitnet"):
            vector(b + "ffn_sub_norm.weight", s.n_ff)
        matrix(f"{b}ffn_down{kind}.weight", s.n_ff, s.n_embd, rms=added * s.n_ff**-0.5, n=n)
        if a in norms_behind:
            vector(b + "post_ffw_norm.weight", s.n_embd, behind)
    if a == "phi3":
        vector("rope_factors_short.weight", (s.n_rot or s.head_dim) // 2, mean=1.5)
        vector("rope_factors_long.weight", (s.n_rot or s.head_dim) // 2, mean=3.0)
    vector("output_norm.weight", s.n_embd)
    if not s.tied:
        matrix("output.weight", s.n_embd, s.n_vocab)


@dataclasses.dataclass(frozen=True)
class Preset:
    shape: Shape
    body: str
    embedding: str | None  # None: as the body
    tokenizer: Callable[[GgufWriter, int], None]


PRESETS = {
    "bitnet-2b": Preset(
        Shape("bitnet-b1.58", 30, 2560, 6912, 20, 5, 128, 128256, 4096, 5e5, 1e-5),
        "I2_S",
        "F16",
        llama3_tokenizer,
    ),
    "bonsai-1.7b": Preset(
        Shape("qwen3", 28, 2048, 6144, 16, 8, 128, 151936, 32768, 1e6, 1e-6), "Q2_0", None, qwen_tokenizer
    ),
    "qwen3-30b-a3b": Preset(
        Shape("qwen3moe", 48, 2048, 768, 32, 4, 128, 151936, 32768, 1e6, 1e-6, False, 128, 8),
        "Q4_0",
        None,
        qwen_tokenizer,
    ),
    "gemma3-1b": Preset(
        Shape("gemma3", 26, 1152, 6912, 4, 1, 256, 262144, 32768, 1e6, 1e-6, window=512),
        "Q4_0",
        "Q8_0",
        qwen_tokenizer,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("out")
    parser.add_argument("--body", choices=FORMATS, help="format of the matrices (default: the preset's)")
    parser.add_argument(
        "--embedding", choices=FORMATS, help="format of the token embedding (default: the preset's)"
    )
    parser.add_argument("--arch", help="architecture string (default: the preset's)")
    parser.add_argument("--layers", type=int, help="fewer layers, for tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--top-logit",
        type=float,
        metavar="Z",
        help="largest logit in standard deviations above the mean (default: that of noise, about 4.5)",
    )
    args = parser.parse_args()

    preset = PRESETS[args.preset]
    shape = dataclasses.replace(
        preset.shape, arch=args.arch or preset.shape.arch, n_layer=args.layers or preset.shape.n_layer
    )
    body = args.body or preset.body
    embedding = args.embedding or preset.embedding or body
    w = GgufWriter()
    build_model(
        w,
        shape,
        f"random {args.preset} {body}",
        lambda t: embedding if t == "token_embd.weight" else body,
        args.seed,
        args.top_logit,
    )
    preset.tokenizer(w, shape.n_vocab)
    w.write(args.out)


if __name__ == "__main__":
    main()
