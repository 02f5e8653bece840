"""What stands before and behind a prompt, and what ends a generation: bos, eos, stop texts, edges of sampling."""

import struct

import pytest
import sterna
from conftest import MODELS
from gguf_writer import BOOL, STRING, U32, Gguf, string

QWEN, SPM = MODELS / "mini-qwen3-q1_0.gguf", MODELS / "mini-spm.gguf"
WILD = {"max_tokens": 40, "temperature": 3.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
FEW = {"max_tokens": 6, "temperature": 0, "ignore_eos": True}
YES = struct.pack("<?", True)
USER = [{"role": "user", "content": "hi"}]


def edited(path, model, *, drop=(), **keys):
    """A copy of a small model without some keys of its tokenizer and with others."""
    gguf = Gguf.read(model)
    for key in drop:
        gguf.drop_key(f"tokenizer.ggml.{key}")
    for key, (kind, value) in keys.items():
        gguf.set("tokenizer." + key.replace("ggml_", "ggml."), kind, value)
    path.write_bytes(gguf.build())
    return path


@pytest.mark.parametrize("model", [QWEN, MODELS / "mini-bitnet-i2_s.gguf"], ids=lambda p: p.stem)
def test_ids_that_no_key_names(tmp_path, model) -> None:
    """For byte-level BPE, whose files of old gave none, other programs take token 11."""
    template = "{{ bos_token }}{{ eos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    file = edited(
        tmp_path / "m.gguf",
        model,
        drop=["bos_token_id", "eos_token_id"],
        ggml_add_bos_token=(BOOL, YES),
        ggml_add_eos_token=(BOOL, YES),
        chat_template=(STRING, string(template)),
    )
    with sterna.load(file) as m:
        i = m.info
        assert (i.bos, i.eos, i.bos_text, i.eos_text, i.add_bos) == (-1, -1, "", "", False)
        assert not m.is_eog(11) and not m.is_eog(-1)
        assert m.tokenize("hi") == m.tokenize("hi", add_special=False)
        assert m.apply_chat_template(USER) == "hi" or i.architecture.startswith("bitnet")
        assert m.chat(USER, max_tokens=2) is not None
        assert [w for w in i.warnings if "bos" in w] and [w for w in i.warnings if "eos" in w]


@pytest.mark.parametrize("model", [QWEN, SPM], ids=lambda p: p.stem)
def test_no_eos_between_prompt_and_answer(tmp_path, model) -> None:
    with_eos = edited(tmp_path / "e.gguf", model, ggml_add_eos_token=(BOOL, YES))
    with sterna.load(model) as plain, sterna.load(with_eos) as m:
        assert m.tokenize("hi") == [*plain.tokenize("hi"), m.info.eos]  # the ids of a whole text
        want = plain.complete("hi", **FEW)
        assert want.tokens == m.complete("hi", **FEW).tokens
        assert want.n_prompt == m.complete("hi", **FEW).n_prompt
        assert m.generate("hi", **FEW) == want.text == "".join(m.stream("hi", **FEW))
        assert m.chat(USER, **FEW) == plain.chat(USER, **FEW)


@pytest.mark.parametrize("model", [QWEN, SPM], ids=lambda p: p.stem)
def test_one_bos(tmp_path, model) -> None:
    template = "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    file = edited(
        tmp_path / "b.gguf",
        model,
        ggml_bos_token_id=(U32, struct.pack("<I", 1 if model == SPM else 317)),
        ggml_add_bos_token=(BOOL, YES),
        chat_template=(STRING, string(template)),
    )
    with sterna.load(file) as m:
        bos, text = m.info.bos, m.info.bos_text
        once = m.tokenize("hi")
        assert once[0] == bos and bos not in once[1:]
        assert m.tokenize(text + "hi") == once
        assert m.tokenize(text, parse_special=False).count(bos) == 1  # only the text of one
        want = m.complete("hi", **FEW)
        for prompt in (text + "hi", text + text + "hi", [bos, bos, *once]):
            got = m.complete(prompt, **FEW)
            assert (got.tokens, got.n_prompt) == (want.tokens, want.n_prompt)
        assert m.chat(USER, **FEW) == want.text


def run_through(model, wanted, **options):
    """A completion with a control token in its middle, and the seed that gives it."""
    for seed in range(400):
        done = model.complete("hi", seed=seed, ignore_eos=True, **options)
        if wanted in done.tokens[2:-3]:
            return done, seed
    raise AssertionError(f"no seed gives token {wanted}")


@pytest.mark.parametrize(("model", "control"), [(QWEN, 317), (SPM, 1)], ids=["bpe", "spm"])
def test_stop_texts_of_control_tokens(model, control) -> None:
    with sterna.load(model) as m:
        free, seed = run_through(m, control, **WILD)
        at = free.tokens.index(control, 2)
        mark = m.detokenize([control], special=True)
        assert mark and mark not in free.text
        pieces = []
        m.complete("hi", seed=seed, ignore_eos=True, on_token=lambda t: pieces.append(t.text), **WILD)
        before, after = m.detokenize(free.tokens[at - 1 : at]), m.detokenize(free.tokens[at + 1 : at + 2])
        stops = {mark: 1, mark[:-1]: 1}
        if before.strip():
            stops[before.strip() + mark] = 1
        if after and "\ufffd" not in after and free.tokens[at + 1] != control:
            stops[mark + after] = 2
        for stop, extra in stops.items():
            done = m.complete("hi", seed=seed, ignore_eos=True, stop=["never there", stop], **WILD)
            assert done.stop_reason == "stop", stop
            first = free.tokens.index(control)
            assert first < len(done.tokens) <= at + extra, stop
            assert free.text.startswith(done.text) and mark not in done.text
        streamed = "".join(m.stream("hi", seed=seed, ignore_eos=True, stop=mark, **WILD))
        assert streamed == m.generate("hi", seed=seed, ignore_eos=True, stop=mark, **WILD)


def test_stop_texts_keep_what_goes_on() -> None:
    """The beginning of a stop text is held back, and control tokens inside it do not show when it goes on."""
    with sterna.load(QWEN) as m:
        free, seed = run_through(m, 317, **WILD)
        done = m.complete("hi", seed=seed, ignore_eos=True, stop=["<|im_start|>\0never"], **WILD)
        assert done.text == free.text and done.stop_reason == "length"


@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 0.0},
        {"top_p": 1e-30},
        {"min_p": 1.0},
        {"top_k": 1},
        {"temperature": 1e-45},
        {"temperature": 1e-30, "top_k": 2**31 - 1, "top_p": 1.0, "min_p": 0.0},
        {"temperature": -1.0},
    ],
    ids=str,
)
def test_edges_that_leave_the_best_token(tiny, options) -> None:
    best = tiny.generate("The ls command", max_tokens=8, temperature=0)
    assert tiny.generate("The ls command", max_tokens=8, seed=5, **options) == best


@pytest.mark.parametrize(
    "options",
    [
        {"repeat_penalty": 1e-38},
        {"repeat_penalty": 3e38},
        {"repeat_penalty": 1e-38, "top_p": 1.0, "min_p": 0.0, "top_k": 0},
        {"temperature": 3e38, "top_k": 2**31 - 1},
    ],
    ids=str,
)
def test_edges_that_only_have_to_end(mini, options) -> None:
    done = mini.complete("ab", max_tokens=8, seed=5, ignore_eos=True, **options)
    assert len(done.tokens) == 8


@pytest.mark.parametrize("options", [{"top_p": -0.1}, {"top_p": float("nan")}, {"min_p": 1.5}], ids=str)
def test_values_that_mean_nothing(mini, options) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        mini.generate("ab", max_tokens=1, **options)
