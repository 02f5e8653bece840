"""Real models end to end, before a release: STERNA_REAL=1 pytest tests/real (downloads 350 MB once).

With llama-cpp-python installed, logits and perplexity are compared with llama.cpp's, whose activations are
rounded, too, but otherwise.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import packages
import pytest
import sterna

pytestmark = pytest.mark.skipif(os.environ.get("STERNA_REAL") != "1", reason="STERNA_REAL is not 1")
TEXT = (Path(__file__).resolve().parents[2] / "cpp" / "kernels" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=packages.MODELS)
def path(request) -> Path:
    return packages.model(request.param)


def negative_log_likelihoods(logits: np.ndarray, ids: list[int]) -> np.ndarray:
    rows = logits[:-1].astype(np.float64)
    top = rows.max(-1)
    return top + np.log(np.exp(rows - top[:, None]).sum(-1)) - rows[np.arange(len(rows)), ids[1:]]


# The same on every machine.
GREEDY = {
    "smollm2-135m-instruct-q4_1": ("The capital of France is", " Paris.\n\nThe answer is: 201"),
    "gemma3-270m-q4_k_m": ("A tern is a", " bird that is a member of the order terns. They"),
}


def test_greedy_text(path: Path) -> None:
    prompt, want = GREEDY[path.stem]
    with sterna.load(path) as model:
        assert model.info.warnings == []
        assert model.complete(prompt, max_tokens=12, temperature=0).text == want


def test_same_bits(path: Path) -> None:
    with sterna.load(path, n_ctx=1024) as model:
        ids = model.tokenize(TEXT)[:700]  # longer than Gemma's window
        want = model.forward(ids)
    for threads, batch in ((1, 64), (3, 7)):
        with sterna.load(path, n_ctx=1024, n_threads=threads, n_batch=batch) as model:
            np.testing.assert_array_equal(model.forward(ids), want)


@pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
def test_against_llama_cpp(path: Path) -> None:
    from llama_cpp import Llama

    with sterna.load(path, n_ctx=1024) as model:
        ids = model.tokenize(TEXT)[:1000]
        got = model.forward(ids)
    peer = Llama(str(path), n_ctx=1024, logits_all=True, verbose=False)
    assert peer.tokenize(TEXT.encode(), add_bos=True, special=False)[:1000] == ids
    peer.eval(ids)
    want = np.array(peer.scores[: len(ids)])
    ours, theirs = (negative_log_likelihoods(x, ids) for x in (got, want))
    print(f"{path.name}: perplexity {np.exp(ours.mean()):.3f}, llama.cpp {np.exp(theirs.mean()):.3f}")
    assert abs(ours.mean() - theirs.mean()) < 0.01
    assert (got.argmax(-1) == want.argmax(-1)).mean() > 0.9
