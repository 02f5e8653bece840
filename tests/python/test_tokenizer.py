"""sterna.Tokenizer: the vocabulary of a file alone; and Unicode composition against Python's own."""

import struct
import unicodedata

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import ARRAY, I32, STRING, U32, Gguf, string, strings
from sterna.model import PACKAGED_MODEL


def byte_letters() -> list[str]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(0x100, 0x200))
    return [chr(b if b in printable else next(rest)) for b in range(256)]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    """A file with nothing but a tokenizer: all bytes, three special tokens, one merge."""
    tokens = [*byte_letters(), "he", "<|begin|>", "<|end|>", "<user>"]
    types = [1] * 257 + [3, 3, 4]
    gguf = Gguf()
    gguf.set("tokenizer.ggml.model", STRING, string("gpt2"))
    gguf.set("tokenizer.ggml.pre", STRING, string("qwen2"))
    gguf.set("tokenizer.ggml.tokens", ARRAY, strings(tokens))
    gguf.set("tokenizer.ggml.token_type", ARRAY, struct.pack(f"<IQ{len(types)}i", I32, len(types), *types))
    gguf.set("tokenizer.ggml.merges", ARRAY, strings(["h e"]))
    gguf.set("tokenizer.ggml.bos_token_id", U32, struct.pack("<I", 257))
    gguf.set("tokenizer.ggml.eos_token_id", U32, struct.pack("<I", 258))
    for key in ("add_bos_token", "add_eos_token"):
        gguf.set(f"tokenizer.ggml.{key}", 7, b"\1")
    path = tmp_path_factory.mktemp("vocabulary") / "v.gguf"
    path.write_bytes(gguf.build())
    return path


@pytest.fixture(scope="module")
def qwen(vocabulary):
    return sterna.Tokenizer.load(vocabulary)


def test_without_weights(qwen, vocabulary) -> None:
    t = qwen
    assert len(t) == t.n_vocab == 260 and (t.model, t.pre) == ("gpt2", "qwen2")
    assert (t.bos, t.eos, t.eot, t.add_bos, t.add_eos) == (257, 258, 258, True, True)
    assert repr(t) == "<sterna.Tokenizer 'gpt2' 'qwen2', 260 tokens>"
    assert t.is_eog(258) and not t.is_eog(257) and t.warnings == []
    assert (t.token_text(256), t.token_text(-1), t.token_text(260)) == ("he", "", "")
    assert t.encode("he") == [256]
    assert t.encode("he", add_special=True) == [257, 256, 258]
    assert t.encode("<|end|>", parse_special=True) == [258]
    assert t.encode("<|end|>") == [t.encode(c)[0] for c in "<|end|>"]
    assert t.encode("<user>") == [259]
    assert t.decode([257, 256, 258]) == "he"
    assert t.decode(np.array([257, 256, 258]), special=True) == "<|begin|>he<|end|>"
    assert t.encode("") == [] and t.decode([]) == ""
    assert sterna.Tokenizer.load(str(vocabulary), pre="gpt-2").pre == "gpt-2"


def test_the_same_as_the_model(tiny) -> None:
    t = sterna.Tokenizer.load(PACKAGED_MODEL)
    for text in ["The file and the directory", " x != y . ", "<|end_of_text|>", "caf\u00e9 \U0001f680\n\n"]:
        for special in (False, True):
            assert t.encode(text, special, special) == tiny.tokenize(text, special, special)
        assert (
            t.decode(t.encode(text))
            == text
            == tiny.detokenize(tiny.tokenize(text), special=True)[len(tiny.info.bos_text) :]
        )
    assert (t.bos, t.eos, t.eot) == (tiny.info.bos, tiny.info.eos, tiny.info.eot)


@pytest.mark.parametrize("name", sorted(p.name for p in MODELS.glob("*.gguf")))
def test_texts_come_back(name) -> None:
    t = sterna.Tokenizer.load(MODELS / name)
    for text in [
        "x != y and a . b",
        "for 'manual' , ok ?",
        " a 's b ",
        "\u2581 \u2581a",
        "\t\n  z  ",
        "<s></s>",
    ]:
        assert t.decode(t.encode(text)) == text
        assert t.decode(t.encode(text, parse_special=True), special=True) == text


def test_errors(qwen, tmp_path, vocabulary) -> None:
    with pytest.raises(FileNotFoundError):
        sterna.Tokenizer.load(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(ValueError):
        sterna.Tokenizer.load(tmp_path / "text.gguf")
    with pytest.raises(sterna.UnsupportedError, match="no-such-pre"):
        sterna.Tokenizer.load(vocabulary, pre="no-such-pre")
    for ids in ([260], [-1], [2**40]):
        with pytest.raises(ValueError):
            qwen.decode(ids)
    with pytest.raises(TypeError):
        qwen.decode([0.5])


def test_composes_every_character_as_python_does(qwen) -> None:
    """Characters that this Python's Unicode does not know yet may have got a decomposition since."""
    known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs")]
    plain = {c: qwen.encode(c) for c in "\n"}
    assert len(plain["\n"]) == 1
    for text in ("\n".join(known), "\n".join("e" + c + "\u0323\u0301" for c in known)):
        assert qwen.decode(qwen.encode(text)) == unicodedata.normalize("NFC", text)
