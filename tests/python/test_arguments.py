"""None means the default, numpy's numbers are numbers, and a wrong type is an error that names the argument."""

import re

import numpy as np
import pytest
import sterna
from conftest import MODELS

PATH = MODELS / "mini-bitnet-i2_s.gguf"
GENERATE = {"max_tokens": 4, "seed": 1, "ignore_eos": True}
CODES, SCALES = np.ones((4, 64), np.uint8), np.ones(4, np.float32)
X = np.ones((2, 64), np.float32)
MESSAGES = [{"role": "user", "content": "hi"}]
TEMPLATE = "{{ messages[0].content }}"


@pytest.mark.parametrize("name", list(sterna.GenerateOptions.__annotations__))
def test_none_is_the_default(mini, name) -> None:
    options = {"seed": 1, "max_tokens": 4} | {name: None}
    if name == "seed":
        assert len(mini.complete([5], **options, ignore_eos=True).tokens) == 4
        return
    without = {key: value for key, value in options.items() if value is not None}
    want = mini.complete([5], **without).tokens
    assert mini.complete([5], **options).tokens == want
    assert "".join(mini.stream([5], **options)) == mini.generate([5], **without)
    assert mini.chat(MESSAGES, template=TEMPLATE, **options) == mini.chat(
        MESSAGES, template=TEMPLATE, **without
    )


def test_none_elsewhere(mini) -> None:
    names = [*sterna.LoadOptions.__annotations__, "progress", "threads"]
    with sterna.load(PATH, **dict.fromkeys(names)) as model, sterna.load(PATH) as plain:
        assert (model.forward([5]) == plain.forward([5])).all() and model.info.n_ctx == plain.info.n_ctx
    assert mini.tokenize("a b", None, None) == mini.tokenize("a b")
    assert mini.detokenize([1, 5], None) == mini.detokenize([1, 5])
    assert mini.perplexity([5] * 64, 64, None) == pytest.approx(mini.perplexity([5] * 64, 64))
    assert mini.bench(1, 1, None) > 0
    assert mini.generate([5], on_token=None, **GENERATE) == mini.generate([5], **GENERATE)
    assert mini.generate(["a"], on_token=None, sessions=None, **GENERATE) == [mini.generate("a", **GENERATE)]
    assert sterna.Threads(None).size == sterna.Threads().size
    chat = {"tools": None, "template_variables": None, "stream": None, "template": TEMPLATE}
    assert isinstance(mini.chat(MESSAGES, **chat, **GENERATE), str)
    assert mini.apply_chat_template(MESSAGES, None, None, template=TEMPLATE) == "hi"
    w = sterna.pack(CODES, SCALES, bits=None, zero=None, codebook=None)
    want = sterna.pack(CODES, SCALES).matmul(X)
    assert (w.matmul(X, out=None, n_threads=None, act_bits=None) == want).all()
    sterna.force_isa(None)
    sterna.set_kernel_choice(None)


def test_load_without_arguments(tiny) -> None:
    with sterna.load() as model:
        assert model.info.name == tiny.info.name


def test_numbers_of_numpy(mini) -> None:
    options = {
        "max_tokens": np.int64(4),
        "seed": np.uint64(1),
        "temperature": np.float32(0.5),
        "top_k": np.int8(9),
        "top_p": np.float64(0.5),
        "min_p": 0,
        "lookup": np.uint8(2),
        "ignore_eos": np.True_,
        "stop": np.array(["no such text"]),
    }
    plain = {
        name: value if name == "stop" else value.item() for name, value in options.items() if name != "min_p"
    }
    assert mini.generate([5], **options) == mini.generate([5], **plain, min_p=0.0)
    with sterna.load(PATH, n_ctx=np.int32(16), n_threads=np.int64(1), head_bits=np.uint8(8)) as model:
        assert model.info.n_ctx == 16
    assert mini.tokenize("a", np.False_, 1) == mini.tokenize("a", False, True)
    assert mini.is_eog(np.int32(5)) is False
    assert mini.perplexity([5] * 8, np.int64(4)) == mini.perplexity([5] * 8, 4)
    w = sterna.pack(CODES, SCALES, bits=np.int64(2), zero=np.int8(1))
    assert (w.matmul(X, act_bits=np.int16(8), n_threads=np.int32(1)) == w.matmul(X)).all()
    assert sterna.dequantize("Q4_0", np.zeros(36, np.uint8), (np.int64(2), np.int32(32))).shape == (2, 32)
    assert sterna.dequantize("Q4_0", np.zeros(18, np.uint8), np.int64(32)).shape == (32,)


def test_other_names(mini) -> None:
    want = mini.generate([5], max_tokens=3, temperature=0)
    assert mini.generate([5], max_new_tokens=3, temp=0) == want
    assert mini.generate([5], n_predict=3, max_tokens=None, temp=0, temperature=None) == want
    for options in (
        {"max_tokens": 3, "max_new_tokens": 3},
        {"max_new_tokens": 3, "n_predict": 3},
        {"temp": 0, "temperature": 0.0},
    ):
        with pytest.raises(TypeError, match="|".join(options)):
            mini.generate([5], **options)
    with pytest.raises(TypeError, match="n_predict, got 'x'"):
        mini.generate([5], n_predict="x")
    with pytest.raises(TypeError, match="max_len"):
        mini.generate([5], max_len=3)


class Odd:
    def __repr__(self):
        raise RuntimeError


HUGE = 10**5000
WRONG = [
    *(("generate", name, value) for name in ("max_tokens", "top_k", "repeat_last_n", "lookup", "seed")
      for value in ("3", 5.5, b"1", [1], Odd())),
    *(("generate", name, value) for name in ("temperature", "top_p", "min_p", "repeat_penalty")
      for value in ("0.5", b"1", [0.5], 1j)),
    *(("generate", name, HUGE) for name in ("max_tokens", "top_k", "seed", "temperature")),
    *(("generate", "stop", value) for value in (b"x", 5, [b"x"], ["a", None], [["a"]])),
    *(("generate", "ignore_eos", value) for value in ("false", 2, 0.5, [])),
    ("generate", "on_token", 5),
    *(("load", name, value) for name in ("n_threads", "n_ctx", "n_batch", "head_bits")
      for value in ("2", 1.5, HUGE)),
    *(("load", name, value) for name in ("pre", "activation", "kv_type", "screen") for value in (5, b"x", True)),
    ("load", "progress", "x"),
    *(("pack", "bits", value) for value in ("2", 2.0, HUGE)),
    *(("pack", "zero", value) for value in ("2", 0.5)),
    ("pack", "codebook", [1, 2]),
    *(("matmul", "act_bits", value) for value in ("8", 8.5, HUGE)),
    *(("matmul", "n_threads", value) for value in ("2", 1.0)),
    *(("matmul", "out", value) for value in (5, [])),
    ("chat", "template", 5),
    ("chat", "stream", "yes"),
    ("chat", "template_variables", [1]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name", "value"), WRONG, ids=lambda v: v if isinstance(v, str) else "value")
def test_wrong_type_names_the_option(mini, call, name, value) -> None:
    w = sterna.pack(CODES, SCALES)
    calls = {
        "generate": lambda **options: mini.generate([5], **options),
        "load": lambda **options: sterna.load(PATH, **options),
        "pack": lambda **options: sterna.pack(CODES, SCALES, **options),
        "matmul": lambda **options: w.matmul(X, **options),
        "chat": lambda **options: mini.chat(MESSAGES, **{"template": TEMPLATE} | options),
    }
    with pytest.raises((TypeError, ValueError), match=name) as error:
        calls[call](**{name: value})
    assert "expected" in str(error.value) and "incompatible" not in str(error.value)
    assert isinstance(error.value, ValueError if value is HUGE else TypeError)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: m.tokenize(5), "text, got 5 (int), expected a str"),
        (lambda m: m.tokenize(b"a"), "text, got b'a' (bytes)"),
        (lambda m: m.tokenize(None), "text, got None"),
        (lambda m: m.tokenize("a", "yes"), "add_special, got 'yes'"),
        (lambda m: m.tokenize("a", parse_special=7), "parse_special, got 7"),
        (lambda m: m.detokenize("a"), "tokens: got 'str'"),
        (lambda m: m.detokenize([1], "x"), "special, got 'x'"),
        (lambda m: m.forward("x"), "tokens: got 'str', expected a sequence of integers"),
        (lambda m: m.forward([[1], [2, 3]]), "tokens, got [[1], [2, 3]]"),
        (lambda m: m.generate(b"x"), "prompt, got b'x' (bytes), expected a str"),
        (lambda m: m.generate(5), "prompt: got 'int'"),
        (lambda m: m.perplexity([1] * 8, 1.5), "window, got 1.5"),
        (lambda m: m.perplexity([1] * 8, 4, 5), "progress, got 5"),
        (lambda m: m.perplexity("x"), "tokens: got 'str'"),
        (lambda m: m.bench("a", 1), "n_prompt, got 'a'"),
        (lambda m: m.bench(1, None), "n_gen, got None"),
        (lambda m: m.bench(1, 1, 1.5), "n_depth, got 1.5"),
        (lambda m: m.is_eog("a"), "token, got 'a'"),
        (lambda m: m.apply_chat_template(MESSAGES, template=5), "template, got 5"),
        (lambda m: m.apply_chat_template(MESSAGES, "x"), "add_generation_prompt, got 'x'"),
        (lambda m: sterna.load(5), "path, got 5"),
        (lambda m: sterna.open_gguf(5), "path, got 5"),
        (lambda m: sterna.open_gguf(None), "path, got None"),
        (lambda m: sterna.GgufFile.open(5), "path"),
        (lambda m: sterna.force_isa(3), "name, got 3"),
        (lambda m: sterna.set_kernel_choice(b"x"), "mode, got b'x'"),
        (lambda m: sterna.explain_kernels(5, 64, 64, [1]), "variant, got 5"),
        (lambda m: sterna.explain_kernels("w2_row", "64", 64, [1]), "rows, got '64'"),
        (lambda m: sterna.explain_kernels("w2_row", 64, 64.5, [1]), "depth, got 64.5"),
        (lambda m: sterna.explain_kernels("w2_row", 64, 64, 1), "n_tokens, got 1"),
        (lambda m: sterna.explain_kernels("w2_row", 64, 64, ["1"]), "n_tokens, got '1'"),
        (lambda m: sterna.dequantize(5, np.zeros(18, np.uint8), 32), "format, got 5"),
        (lambda m: sterna.dequantize("Q4_0", np.zeros(18, np.uint8), "32"), "shape, got '32'"),
        (lambda m: sterna.dequantize("Q4_0", np.zeros(18, np.uint8), (1, 2, 3)), "shape, got (1, 2, 3)"),
        (lambda m: sterna.dequantize("Q4_0", bytes(18), 32), "data: got bytes"),
        (lambda m: sterna.pack(CODES.tolist(), SCALES), "codes: got list"),
        (lambda m: sterna.pack(CODES, None), "scales: got NoneType"),
        (lambda m: sterna.selftest(report=5), "report, got 5"),
    ],
)
def test_wrong_argument(mini, call, says) -> None:
    with pytest.raises(TypeError, match=re.escape(says)) as error:
        call(mini)
    assert "incompatible" not in str(error.value)


def test_huge_token(mini) -> None:
    for tokens in ([2**70], [-(2**70), 1], [2**63]):
        with pytest.raises(ValueError, match="token"):
            mini.forward(tokens)


def test_name_with_a_nul_byte() -> None:
    with pytest.raises(sterna.UnsupportedError, match="NUL"):
        sterna.dequantize("Q4_0\0x", np.zeros(18, np.uint8), 32)
    with pytest.raises(sterna.UnsupportedError):
        sterna.force_isa("scalar\0x")
    with pytest.raises(ValueError, match="null byte"):
        sterna.open_gguf(f"{PATH}\0x")
    with pytest.raises(ValueError, match="NUL|null"):
        sterna.GgufFile.open(f"{PATH}\0x")


def test_no_rows() -> None:
    w = sterna.pack(CODES, SCALES)
    assert w.matmul(np.empty((0, 64), np.float32)).shape == (0, 4)
    assert (w @ np.empty((64, 0), np.float32)).shape == (4, 0)
    out = np.empty((0, 4), np.float32)
    assert w.matmul(np.empty((0, 64), np.float32), out=out) is out
    for shape in ((0, 32), (0, 0)):
        assert sterna.dequantize("Q4_0", np.empty(0, np.uint8), shape).shape == shape
    assert sterna.dequantize("I2_S", np.empty(0, np.uint8), (0, 128)).shape == (0, 128)
    with pytest.raises(ValueError, match="rows and depth, got 0 x 64"):
        sterna.pack(CODES[:0], SCALES[:0])
