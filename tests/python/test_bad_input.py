"""Broken files and wrong calls: each gives the documented error and leaves a loaded model as it was."""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import ARRAY, BOOL, F32, I32, STRING, U32, Gguf, string, strings
from sterna.prompts import is_list

BASE = "mini-bitnet-i2_s.gguf"  # every projection I2_S with a float32 scale after its codes
ARCH = "bitnet-b1.58"
PROMPT = [256, 17, 300, 4]

# --- files ------------------------------------------------------------------------------------------------

Break = Callable[[Gguf], Gguf | bytes]
CASES: dict[str, tuple[Break, type[Exception], str]] = {}


def case(name: str, error: type[Exception], message: str) -> Callable[[Break], Break]:
    def add(change: Break) -> Break:
        assert name not in CASES
        CASES[name] = (change, error, message)
        return change

    return add


def field(**values) -> Break:
    def change(g: Gguf) -> Gguf:
        for name, value in values.items():
            setattr(g, name, value)
        return g

    return change


def tensor(which: str, **values) -> Break:
    def change(g: Gguf) -> Gguf:
        found = g.tensor(which)
        for key, value in values.items():
            setattr(found, key, value)
        return g

    return change


def u32(key: str, value: int) -> Break:
    return lambda g: g.set_u32(key, value)


V, U = ValueError, sterna.UnsupportedError

# The container.
case("empty file", V, "0 bytes")(lambda g: b"")
case("half a header", V, "17 bytes|header")(lambda g: g.build()[:17])
case("magic", V, "magic")(field(magic=b"GGUX"))
case("version 1", U, "version")(field(version=1))
case("version 4", U, "version")(field(version=4))
case("big-endian", U, "endian")(field(version=3 << 24))
case("tensor count -1", V, "tensor")(field(n_tensors=2**64 - 1))
case("tensor count 2^62", V, "tensor")(field(n_tensors=2**62))
case("one tensor more than there is", V, "tensor")(lambda g: field(n_tensors=len(g.tensors) + 1)(g))
case("key count -1", V, "key")(field(n_keys=2**64 - 1))
case("key count 2^40", V, "key")(field(n_keys=2**40))
case("cut in the keys", V, "tokenizer.ggml.tokens")(lambda g: g.build()[:900])
case("cut in the last tensor", V, "blk|norm|token_embd|output")(lambda g: g.build()[:-64])
case("cut after the header", V, "broken.gguf")(lambda g: g.build()[:24])
case("duplicate key", V, "general.name")(
    lambda g: field(keys=g.keys + [("general.name", STRING, string("x"))])(g)
)
case("empty key", V, "key")(lambda g: field(keys=[("", STRING, string("x")), *g.keys])(g))
case("value type 13", V, "type")(lambda g: g.set("x.y", 13, b"\0" * 8))
case("array of arrays", V, "x.y")(
    lambda g: g.set("x.y", ARRAY, struct.pack("<IQ", ARRAY, 1) + strings(["a"]))
)
case("array of 2^61 numbers", V, "x.y")(lambda g: g.set("x.y", ARRAY, struct.pack("<IQ", U32, 2**61)))
case("array of 2^40 strings", V, "x.y")(lambda g: g.set("x.y", ARRAY, struct.pack("<IQ", STRING, 2**40)))
case("string of 2^63 bytes", V, "x.y")(lambda g: g.set("x.y", STRING, struct.pack("<Q", 2**63)))
case("bool of value 7", V, "x.y")(lambda g: g.set("x.y", BOOL, b"\7"))
case("alignment 0", V, "general.alignment")(u32("general.alignment", 0))
case("alignment 24", V, "general.alignment")(u32("general.alignment", 24))
case("alignment 2^31", V, "general.alignment")(u32("general.alignment", 2**31))

case("a web page", V, "web page")(lambda g: b"<!DOCTYPE html><html>")
case("a Git LFS pointer", V, "git lfs pull")(lambda g: b"version https://git-lfs.github.com/spec/v1\n")
case("compressed", V, "gzip.*unpack")(lambda g: b"\x1f\x8b\x08\0" + g.build())
case("safetensors", V, "safetensors")(lambda g: struct.pack("<Q", 2) + b"{}")
case("an unfinished download", V, "bytes, [0-9]+ are missing")(lambda g: g.build()[:-20000])
case("an adapter", U, "adapter")(lambda g: g.set("general.type", STRING, string("adapter")))
case("a projector", U, "projector")(lambda g: g.set("general.architecture", STRING, string("clip")))
case("a vocabulary", U, "vocabulary")(field(tensors=[]))

# Tensor descriptions.
NORM = "blk.0.attn_norm.weight"
Q = "blk.0.attn_q.weight"
case("dimension 2^62", V, Q)(tensor(Q, shape=[2**62, 4]))
case("dimensions that wrap to 0", V, Q)(tensor(Q, shape=[2**32, 2**32]))
case("dimension 0", V, Q)(tensor(Q, shape=[128, 0]))
case("dimension -1", V, Q)(tensor(Q, shape=[128, 2**64 - 1]))
case("five dimensions", V, Q)(tensor(Q, shape=[128, 128, 1, 1, 1]))
case("not a multiple of the block", V, Q)(tensor(Q, shape=[100, 128]))
case("type 999", U, Q)(tensor(Q, type_id=999))
case("type -1", U, Q)(tensor(Q, type_id=2**32 - 1))
case("offset past the end", V, Q)(tensor(Q, offset=2**40))
case("offset near 2^64", V, Q)(tensor(Q, offset=2**64 - 32))
case("offset off the alignment", V, Q)(tensor(Q, offset=40))
case("overlapping tensors", V, "overlap")(tensor("blk.1.attn_q.weight", offset=0))
case("name of 64 bytes", V, "name")(tensor(NORM, name="n" * 64))
case("duplicate tensor", V, NORM)(tensor("blk.1.attn_norm.weight", name=NORM))

# The model.
case("no architecture", V, "general.architecture")(lambda g: g.drop_key("general.architecture"))
case("unknown architecture", U, "mamba9")(lambda g: g.set("general.architecture", STRING, string("mamba9")))
case("architecture is a number", V, "general.architecture")(u32("general.architecture", 5))
case("no block count", V, "block_count")(lambda g: g.drop_key(f"{ARCH}.block_count"))
case("block count 0", V, "block_count")(u32(f"{ARCH}.block_count", 0))
case("block count 3", V, "blk.2")(u32(f"{ARCH}.block_count", 3))
case("block count 2^32-1", V, "block_count|blk.2")(u32(f"{ARCH}.block_count", 2**32 - 1))
case("block count is text", V, "block_count")(lambda g: g.set(f"{ARCH}.block_count", STRING, string("2")))
case("width 0", V, "embedding_length")(u32(f"{ARCH}.embedding_length", 0))
case("width of another model", V, "embedding_length|token_embd|expected")(
    u32(f"{ARCH}.embedding_length", 256)
)
case("heads 0", V, "head_count")(u32(f"{ARCH}.attention.head_count", 0))
case("heads 3 of key heads 2", V, "head")(u32(f"{ARCH}.attention.head_count", 3))
case("key heads 0", V, "head_count_kv")(u32(f"{ARCH}.attention.head_count_kv", 0))
case("rope dimension odd", V, "rope.dimension_count")(u32(f"{ARCH}.rope.dimension_count", 31))
case("rope base NaN", V, "rope.freq_base")(lambda g: g.set_f32(f"{ARCH}.rope.freq_base", float("nan")))
case("epsilon -1", V, "epsilon")(lambda g: g.set_f32(f"{ARCH}.attention.layer_norm_rms_epsilon", -1.0))
case("context 0", V, "context_length")(u32(f"{ARCH}.context_length", 0))
case("no embedding", V, "token_embd.weight")(lambda g: g.drop_tensor("token_embd.weight"))
case("no value matrix", V, "blk.1.attn_v.weight")(lambda g: g.drop_tensor("blk.1.attn_v.weight"))
case("norm of a wrong length", V, NORM)(tensor(NORM, shape=[64]))
case("matrix transposed", V, "blk.0.ffn_up.weight")(tensor("blk.0.ffn_up.weight", shape=[256, 128]))


@case("NaN scale", V, Q)
def _(g: Gguf) -> Gguf:
    t = g.tensor(Q)
    n_codes = 128 * 128 // 4
    t.data = t.data[:n_codes] + struct.pack("<f", float("nan")) + t.data[n_codes + 4 :]
    return g


@case("infinite norm weight", V, NORM)
def _(g: Gguf) -> Gguf:
    t = g.tensor(NORM)
    t.data = struct.pack("<f", float("inf")) + t.data[4:]
    return g


# The tokenizer.
case("no tokens", V, "tokenizer.ggml.tokens")(lambda g: g.drop_key("tokenizer.ggml.tokens"))
case("tokens are numbers", V, "tokenizer.ggml.tokens")(
    lambda g: g.set("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQI", U32, 1, 7))
)
case("more tokens than rows", V, "token")(
    lambda g: g.set("tokenizer.ggml.tokens", ARRAY, strings([f"t{i}" for i in range(400)])).drop_key(
        "tokenizer.ggml.token_type"
    )
)
case("fewer token types than tokens", V, "token_type")(
    lambda g: g.set("tokenizer.ggml.token_type", ARRAY, struct.pack("<IQi", I32, 1, 1))
)
case("unknown tokenizer", U, "tokenizer.ggml.model")(
    lambda g: g.set("tokenizer.ggml.model", STRING, string("abacus"))
)
case("unknown pre-tokenizer", U, "no-such-pre")(
    lambda g: g.set("tokenizer.ggml.pre", STRING, string("no-such-pre"))
)
case("bos is text", V, "bos_token_id")(lambda g: g.set("tokenizer.ggml.bos_token_id", STRING, string("<s>")))
case("add_bos is a float", V, "add_bos_token")(
    lambda g: g.set("tokenizer.ggml.add_bos_token", F32, struct.pack("<f", 1.0))
)


@pytest.mark.parametrize("name", CASES)
def test_broken_file(name: str, tmp_path) -> None:
    change, error, message = CASES[name]
    broken = change(Gguf.read(MODELS / BASE))
    path = tmp_path / "broken.gguf"
    path.write_bytes(broken if isinstance(broken, bytes) else broken.build())
    with pytest.raises(error, match=message) as caught:
        sterna.load(path)
    assert "broken.gguf" in str(caught.value)


def test_nan_in_the_embedding(tmp_path) -> None:
    """Large float tensors are not scanned at load: the error comes when the damaged row is used."""
    file = Gguf.read(MODELS / BASE)
    t = file.tensor("token_embd.weight")
    t.data = b"\x00\x7e" + t.data[2:]  # element 0 of token 0
    path = tmp_path / "broken.gguf"
    path.write_bytes(file.build())
    with sterna.load(path, n_ctx=16) as model:
        with pytest.raises(ValueError, match="not finite"):
            model.forward([0])
        for temperature in (0, 0.8):  # row 0 of the output, which is the same tensor
            try:
                model.generate([1], max_tokens=4, temperature=temperature, seed=1)
            except ValueError as e:
                assert "not finite" in str(e)


def test_truncated_anywhere(tmp_path) -> None:
    raw = (MODELS / "mini-qwen3-q1_0.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    cuts = [*range(0, 400), *range(400, len(raw), 509)]
    for n in cuts:
        path.write_bytes(raw[:n])
        with pytest.raises(ValueError, match="cut.gguf"):
            sterna.load(path)


def test_flipped_bytes_never_crash(tmp_path) -> None:
    raw = (MODELS / "mini-qwen3-q1_0.gguf").read_bytes()
    path, rng = tmp_path / "flipped.gguf", np.random.default_rng(1)
    failed = 0
    for _ in range(300):
        damaged = bytearray(raw)
        for at in rng.integers(0, 12000, 3):  # keys and tensor descriptions
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            with sterna.load(path, n_ctx=16) as model:
                model.forward([1, 2, 3])
        except (ValueError, MemoryError, sterna.UnsupportedError):
            failed += 1
    assert failed > 30


# --- paths and load options -------------------------------------------------------------------------------


def test_path_errors(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such.gguf"):
        sterna.load(tmp_path / "no-such.gguf")
    with pytest.raises(OSError, match=tmp_path.name):
        sterna.load(tmp_path)
    with pytest.raises(ValueError, match="null byte"):
        sterna.load("a\0b")
    with pytest.raises(TypeError):
        sterna.load(5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"n_threads": -1}, ValueError, "n_threads"),
        ({"n_threads": 10**6}, ValueError, "n_threads"),
        ({"n_threads": "two"}, TypeError, "."),
        ({"n_ctx": -1}, ValueError, "n_ctx"),
        ({"n_batch": 0}, ValueError, "n_batch"),
        ({"n_batch": 10**6}, ValueError, "n_batch"),
        ({"pre": "no-such-pre"}, (ValueError, sterna.UnsupportedError), "no-such-pre"),
        ({"activation": "swish9"}, (ValueError, sterna.UnsupportedError), "swish9"),
        ({"kv_type": "q4_0"}, ValueError, "kv_type, got 'q4_0'"),
        ({"screen": "maybe"}, ValueError, "screen, got 'maybe', expected auto, on or off"),
        ({"head_bits": 5}, ValueError, "head_bits, got 5"),
        ({"head_bits": "4"}, TypeError, "."),
        ({"progress": 5}, TypeError, "."),
    ],
)
def test_load_options(options, error, message) -> None:
    with pytest.raises(error, match=message):
        sterna.load(MODELS / BASE, **options)


def test_the_greatest_context() -> None:
    """Its memory is taken as tokens come, if the system promises that of their ids."""
    with suppress(MemoryError), sterna.load(MODELS / BASE, n_ctx=2**31 - 1) as model:
        assert model.info.n_ctx == 2**31 - 1 and model.forward([5]).shape[0] == 1


def test_force_isa() -> None:
    with pytest.raises(sterna.UnsupportedError, match="scalar"):
        sterna.force_isa("avx9000")


# --- a model that is used wrongly -------------------------------------------------------------------------


@pytest.fixture
def unharmed(mini: sterna.Model) -> Iterator[sterna.Model]:
    """A model whose logits must be the same bits after the test."""
    before = mini.forward(PROMPT)
    yield mini
    np.testing.assert_array_equal(mini.forward(PROMPT), before)


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        ([], ValueError, "empty"),
        ([1] * 65, ValueError, "context"),
        ([1] * 10**6, ValueError, "context"),
        ([-1], ValueError, "token"),
        ([320], ValueError, "token"),
        ([2**40], ValueError, "token"),
        ([1.5], TypeError, "integers"),
        ([True], TypeError, "integers"),
        (["a"], TypeError, "integers"),
        ("text", TypeError, "integers"),
        (5, TypeError, "integers"),
        ([[1, 2], [3, 4]], TypeError, "integers"),
        (None, TypeError, "integers"),
    ],
)
def test_tokens(unharmed, tokens, error, message) -> None:
    with pytest.raises(error, match=message):
        unharmed.forward(tokens)
    if not isinstance(tokens, str) and not is_list(tokens):
        with pytest.raises(error, match=message):
            unharmed.generate(tokens, max_tokens=1)


def test_detokenize_out_of_range(unharmed) -> None:
    for tokens in ([-1], [320], [2**31 - 1]):
        with pytest.raises(ValueError, match="320|319"):
            unharmed.detokenize(tokens)


def test_empty_prompt() -> None:
    with sterna.load(MODELS / "mini-qwen3-q1_0.gguf", n_ctx=16) as model:  # adds no bos
        with pytest.raises(ValueError, match="empty"):
            model.generate("")
        with pytest.raises(ValueError, match="empty"):
            list(model.stream(""))


def test_prompt_longer_than_the_context(unharmed) -> None:
    with pytest.raises(ValueError, match="context"):
        unharmed.generate("x" * 100)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": float("nan")}, ValueError, "temperature"),
        ({"temperature": float("inf")}, ValueError, "temperature"),
        ({"top_p": -1.0}, ValueError, "top_p"),
        ({"min_p": float("nan")}, ValueError, "min_p"),
        ({"repeat_penalty": 0.0}, ValueError, "repeat_penalty"),
        ({"repeat_last_n": -2}, ValueError, "repeat_last_n"),
        ({"max_tokens": -5}, ValueError, "max_tokens"),
        ({"max_tokens": "many"}, TypeError, "."),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**64}, ValueError, "seed"),
        ({"temprature": 1.0}, TypeError, "temprature"),
        ({"stop": [5]}, TypeError, "."),
        ({"on_token": 5}, TypeError, "."),
    ],
)
def test_generate_options(unharmed, options, error, message) -> None:
    with pytest.raises(error, match=message):
        unharmed.generate(PROMPT, **{"max_tokens": 1, **options})


def test_lone_surrogate(unharmed) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        unharmed.generate("\ud800")


@pytest.mark.parametrize("window", [-1, 0, 1, 65, 10**6])
def test_perplexity_window(unharmed, window) -> None:
    with pytest.raises(ValueError, match="window"):
        unharmed.perplexity([1, 2, 3] * 40, window)


def test_perplexity_of_too_few_tokens(unharmed) -> None:
    with pytest.raises(ValueError, match="token|window"):
        unharmed.perplexity([1], 8)


@pytest.mark.parametrize("sizes", [(-1, 1), (0, 0), (65, 0), (0, 10**9), (1, 1, 64), (2**62, 2**62, 2**62)])
def test_bench_sizes(unharmed, sizes) -> None:
    with pytest.raises(ValueError, match="bench"):
        unharmed.bench(*sizes)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ("hello", TypeError),
        ({"role": "user", "content": "x"}, TypeError),
        (["hello"], TypeError),
        ([{"content": "x"}], ValueError),
        ([{"role": "user", "content": object()}], TypeError),
        ([{"role": "user", 5: "x"}], TypeError),
    ],
)
def test_chat_messages(unharmed, messages, error) -> None:
    with pytest.raises(error, match="messages"):
        unharmed.chat(messages, max_tokens=1)


def test_busy(unharmed) -> None:
    with pytest.raises(RuntimeError, match="busy"):
        unharmed.generate(
            PROMPT, max_tokens=2, ignore_eos=True, on_token=lambda token: unharmed.forward(PROMPT)
        )


def test_closed() -> None:
    model = sterna.load(MODELS / BASE, n_ctx=16)
    model.close()
    model.close()
    assert model.info.n_vocab == 320
    for call in (
        lambda: model.forward([1]),
        lambda: model.generate("x"),
        lambda: list(model.stream([1])),
        lambda: model.chat([{"role": "user", "content": "x"}]),
        lambda: model.tokenize("x"),
        lambda: model.detokenize([1]),
        lambda: model.perplexity([1, 2]),
        lambda: model.bench(1, 1),
        model.tensors,
        model.metadata,
    ):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError, match="closed"), model:
        model.tokenize("x")


# --- the matmul -------------------------------------------------------------------------------------------

CODES = np.ones((8, 64), np.uint8)
SCALES = np.ones(8, np.float32)


@pytest.mark.parametrize(
    ("codes", "scales", "options", "error", "message"),
    [
        (CODES.astype(np.int8), SCALES, {}, TypeError, "codes.*uint8"),
        (CODES.tolist(), SCALES, {}, TypeError, "codes.*list"),
        (CODES[0], SCALES, {}, ValueError, "codes.*dimensions"),
        (CODES[:, ::2], SCALES, {}, ValueError, "codes.*contiguous"),
        (np.asfortranarray(CODES), SCALES, {}, ValueError, "codes.*contiguous"),
        (CODES * 4, SCALES, {}, ValueError, "code"),
        (CODES * 2, SCALES, {"bits": 1}, ValueError, "code"),
        (np.empty((0, 64), np.uint8), SCALES[:0], {}, ValueError, "."),
        (np.empty((8, 0), np.uint8), SCALES, {}, ValueError, "."),
        (CODES, SCALES.astype(np.float64), {}, TypeError, "scales.*float32"),
        (CODES, SCALES[:7], {}, ValueError, "scales"),
        (CODES, np.ones((8, 3), np.float32), {}, ValueError, "scales"),
        (CODES, np.ones((8, 4), np.float32), {}, ValueError, "block"),
        (CODES, np.ones(16, np.float32)[::2], {}, ValueError, "scales.*contiguous"),
        (CODES, np.full(8, np.nan, np.float32), {}, ValueError, "scale"),
        (CODES, np.full(8, np.inf, np.float32), {}, ValueError, "scale"),
        (CODES, SCALES, {"bits": 9}, ValueError, "bits"),
        (CODES, SCALES, {"bits": 0}, ValueError, "bits"),
        (CODES, SCALES, {"zero": 10**6}, ValueError, "zero"),
        (CODES, SCALES, {"bits": "2"}, TypeError, "."),
    ],
)
def test_pack(codes, scales, options, error, message) -> None:
    with pytest.raises(error, match=message):
        sterna.pack(codes, scales, **options)


X = np.ones((3, 64), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: w.matmul(X.astype(np.float64)), TypeError, "x.*float32"),
        (lambda w: w.matmul(X.astype(">f4")), TypeError, "x.*float32"),
        (lambda w: w.matmul([1.0] * 64), TypeError, "x.*list"),
        (lambda w: w.matmul(X[:, :63]), ValueError, "x.*contiguous"),
        (lambda w: w.matmul(X[:, :32].copy()), ValueError, "64"),
        (lambda w: w.matmul(X[None]), ValueError, "dimensions"),
        (lambda w: w.matmul(np.float32(1)), TypeError, "x"),
        (lambda w: w.matmul(X, n_threads=0), ValueError, "n_threads"),
        (lambda w: w.matmul(X, n_threads=10**6), ValueError, "n_threads"),
        (lambda w: w.matmul(X, out=np.empty((3, 7), np.float32)), ValueError, "out"),
        (lambda w: w.matmul(X, out=np.empty((3, 8))), TypeError, "out.*float32"),
        (lambda w: w.matmul(X, out=np.empty((8, 3), np.float32).T), ValueError, "out.*contiguous"),
        (lambda w: w.matmul(X, out=X.reshape(-1)[:24].reshape(3, 8)), ValueError, "overlap"),
        (lambda w: w @ np.ones((64, 3), np.float32), ValueError, "asfortranarray"),
        (lambda w: w @ X, ValueError, "asfortranarray"),
        (lambda w: w @ 5, TypeError, "."),
        (lambda w: X @ w, TypeError, "."),
    ],
)
def test_matmul(call, error, message) -> None:
    w = sterna.pack(CODES * 2, SCALES)
    before = w.matmul(X)
    with pytest.raises(error, match=message):
        call(w)
    np.testing.assert_array_equal(w.matmul(X), before)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("Q9_9", np.zeros(18, np.uint8), 32), sterna.UnsupportedError, "Q9_9"),
        (("Q4_0", np.zeros(17, np.uint8), 32), ValueError, "17|bytes"),
        (("Q4_0", np.zeros(18, np.uint8), 31), ValueError, "31|row"),
        (("Q4_0", np.zeros(18, np.uint8), 0), ValueError, "."),
        (("Q4_0", np.zeros(18, np.uint8), -32), ValueError, "-32"),
        (("Q4_0", np.zeros(18, np.uint8), 2**62), ValueError, "shape"),
        (("Q4_0", np.zeros(18, np.int8), 32), TypeError, "uint8"),
        (("Q4_0", np.zeros(36, np.uint8)[::2], 32), ValueError, "contiguous"),
        (("Q4_0", b"\0" * 18, 32), TypeError, "bytes"),
    ],
)
def test_dequantize(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        sterna.dequantize(*arguments)
