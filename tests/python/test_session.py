"""Sessions, texts generated together, and threads that models share: whatever runs beside a text, it is the
one that it is alone.
"""

import gc
import os
import struct
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import Gguf

BITNET, QWEN3 = MODELS / "mini-bitnet-i2_s.gguf", MODELS / "mini-qwen3-q1_0.gguf"
OPTIONS = {"seed": 3, "temperature": 1.5, "max_tokens": 12, "ignore_eos": True}
IDS = list(range(5, 25))
TIMEOUT = 60


@pytest.fixture
def model():
    with sterna.load(BITNET, n_ctx=640) as model:
        yield model


# --- many texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_batch", [1, 5, 512])
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.gguf")), ids=lambda p: p.stem)
def test_each_text_is_the_one_that_it_is_alone(path, n_batch) -> None:
    prompts = ["ab", IDS, "NAME\n    ls - list", np.array([7, 8, 9], np.uint16), tuple(IDS[:7]), "ab"]
    with sterna.load(path, n_ctx=128) as alone:
        want = [alone.complete(list(p) if isinstance(p, tuple) else p, **OPTIONS) for p in prompts]
    with sterna.load(path, n_ctx=128, n_batch=n_batch) as together:
        got = together.complete(prompts, **OPTIONS)
        assert [(c.text, c.tokens, c.n_prompt) for c in got] == [(c.text, c.tokens, c.n_prompt) for c in want]
        assert together.generate(tuple(prompts), **OPTIONS) == [c.text for c in want]
    assert len({tuple(c.tokens) for c in got}) > 3


def test_what_a_list_is(mini) -> None:
    assert mini.generate([]) == mini.complete([]) == mini.generate(()) == []
    one = mini.generate(IDS, **OPTIONS)
    assert mini.generate([IDS], **OPTIONS) == [one]
    assert mini.generate([np.array(IDS)], **OPTIONS) == [one]
    assert mini.generate(tuple(IDS), **OPTIONS) == mini.generate([np.int64(i) for i in IDS], **OPTIONS) == one
    with pytest.raises(TypeError, match="unexpected keyword argument 'tempratur'"):
        mini.generate([], tempratur=1)


def test_seeds(mini) -> None:
    """Without a seed a prompt that is there twice has two texts."""
    options = OPTIONS | {"seed": None}
    first, second = mini.complete(["ab", "ab"], **options)
    assert first.tokens != second.tokens
    first, second = mini.complete(["ab", "ab"], **OPTIONS)
    assert first.tokens == second.tokens


def test_stop_texts_that_can_be_read_once(mini) -> None:
    whole = mini.generate("ab", **OPTIONS)
    stop = whole[len(whole) // 2 :]
    assert stop and mini.generate(["ab"] * 3, stop=iter([stop]), **OPTIONS) == [whole[: -len(stop)]] * 3


def test_on_token_of_many(mini) -> None:
    told = {0: [], 1: [], 2: []}

    def on_token(index, token):
        told[index].append(token.id)
        return not (index == 1 and len(told[1]) == 4)

    done = mini.complete(["a", "b", "c"], on_token=on_token, **OPTIONS)
    assert [c.tokens for c in done] == list(told.values())
    assert [len(c.tokens) for c in done] == [12, 4, 12]
    assert [c.stop_reason for c in done] == ["length", "callback", "length"]


def test_errors_in_a_callback(model) -> None:
    told = []

    def fail(index, token):
        told.append(index)
        raise LookupError("mine")

    session = model.session()
    with pytest.raises(LookupError, match="mine"):
        model.generate(["a", "b"], on_token=fail, sessions=[session, None], **OPTIONS)
    assert len(told) == 1
    for call in (
        lambda: model.generate(["a"]),
        lambda: session.generate("a"),
        lambda: next(session.stream("a")),
        lambda: session.forward([5]),
        lambda: session.truncate(0),
        lambda: session.fork(),
        lambda: session.tokens,
        lambda: len(session),
    ):
        for outer in (model, session):
            on_token = (lambda i, t, c=call: c()) if outer is model else (lambda t, c=call: c())
            with pytest.raises(RuntimeError, match="busy with a call of this thread"):
                outer.generate(["a", "b"] if outer is model else "a", on_token=on_token, **OPTIONS)
    assert model.generate(["a"], **OPTIONS) == [session.generate("a", **OPTIONS)]


CTRL_C = """
import os, signal, sys, threading, sterna
model = sterna.load(None, n_ctx=2048)
session = model.session()
before = session.forward([1, 2, 3])
calls = {
    "many": lambda: model.generate(["NAME"] * 3, ignore_eos=True),
    "callback": lambda: model.generate(["NAME"] * 3, on_token=lambda i, token: None, ignore_eos=True),
    "prompts": lambda: [model.generate([[5] * 2000, [6] * 2000], max_tokens=1) for _ in range(100)],
    "session": lambda: session.generate("NAME", ignore_eos=True),
    "stream": lambda: list(session.stream("NAME", ignore_eos=True)),
    "forward": lambda: [(session.truncate(3), session.forward([5] * 2000)) for _ in range(100)],
}
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    calls[sys.argv[1]]()
except KeyboardInterrupt:
    session.truncate(0)
    assert (session.forward([1, 2, 3]) == before).all() and len(model.generate(["a", "b"], max_tokens=1)) == 2
    print("interrupted")
"""


@pytest.mark.parametrize("call", ["many", "callback", "prompts", "session", "stream", "forward"])
def test_ctrl_c(call) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, call], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)


# --- sessions ---------------------------------------------------------------------------------------------


def test_a_session_is_like_the_model(model) -> None:
    want = model.complete("NAME", **OPTIONS)
    session = model.session()
    assert session.tokens == [] and len(session) == 0
    done = session.complete("NAME", **OPTIONS)
    assert (done.text, done.tokens, done.n_reused) == (want.text, want.tokens, 0)
    prompt = model.tokenize("NAME")
    assert session.tokens == prompt + want.tokens[:-1] and len(session) == len(prompt) + 11
    assert session.generate(prompt, **OPTIONS) == "".join(session.stream("NAME", **OPTIONS)) == want.text
    assert session.complete("NAME", **OPTIONS).n_reused == len(prompt) - 1
    seen = []
    session.generate("NAME", on_token=lambda token: seen.append(token.id), **OPTIONS)
    assert seen == want.tokens
    assert session.complete("NAME", on_token=lambda token: False, **OPTIONS).stop_reason == "callback"


def test_forward_appends(model) -> None:
    want = model.forward(IDS)
    session = model.session()
    parts = [
        session.forward(IDS[:3]),
        session.forward(np.array(IDS[3:4], np.int64)),
        session.forward(IDS[4:]),
    ]
    assert all(part.dtype == np.float32 for part in parts) and parts[0].shape == (3, model.info.n_vocab)
    np.testing.assert_array_equal(np.concatenate(parts), want)
    assert session.tokens == IDS


def test_sessions_do_not_see_each_other(model) -> None:
    a, b = model.session(), model.session()
    want = model.forward(IDS)
    a.forward(IDS[:10]), b.forward([9, 9]), model.forward([8])
    np.testing.assert_array_equal(a.forward(IDS[10:]), want[10:])
    assert b.tokens == [9, 9]


def test_truncate_and_fork(model) -> None:
    long = [5 + i % 50 for i in range(300)]  # more than a page
    want = [model.forward(long + tail)[300:] for tail in ([7, 8], [9])]
    session = model.session()
    session.forward(long)
    fork = session.fork()
    np.testing.assert_array_equal(session.forward([7, 8]), want[0])
    assert fork.tokens == long and len(session) == 302
    np.testing.assert_array_equal(fork.forward([9]), want[1])
    session.truncate(np.int64(300))
    np.testing.assert_array_equal(session.forward([9]), want[1])
    session.truncate(0)
    assert session.tokens == []


def test_sessions_in_a_list(model) -> None:
    a, b = model.session(), model.session()
    b.forward(model.tokenize("NAME"))
    want = model.generate(["NAME", "NAME more", "x"], **OPTIONS)
    done = model.complete(["NAME", "NAME more", "x"], sessions=(a, b, None), **OPTIONS)
    assert [c.text for c in done] == want
    assert done[1].n_reused == len(model.tokenize("NAME")) > 0
    assert a.tokens == model.tokenize("NAME") + done[0].tokens[:-1]
    assert model.generate(["NAME"], sessions=[None], **OPTIONS) == want[:1]


def test_save_and_load(model, tmp_path) -> None:
    session = model.session()
    session.forward(IDS)
    session.save(tmp_path / "größe")
    want = session.forward([7])
    with sterna.load(BITNET, n_ctx=64, n_threads=1) as other:
        loaded = other.load_session(os.fspath(tmp_path / "größe"))
        assert loaded.tokens == IDS
        np.testing.assert_array_equal(loaded.forward([7]), want)
    empty = model.session()
    empty.save(tmp_path / "empty")
    assert model.load_session(tmp_path / "empty").tokens == []


def test_files_that_are_no_session(model, tmp_path) -> None:
    session = model.session()
    session.forward(IDS)
    session.save(tmp_path / "s")
    good = (tmp_path / "s").read_bytes()
    for content in (b"", b"GGUF" * 20, good[:-1], good + b"x", good[:200] + b"\xff\xff" + good[202:]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(ValueError, match=r"\[(load_session|open)\]"):
            model.load_session(tmp_path / "bad")
    with pytest.raises(FileNotFoundError):
        model.load_session(tmp_path / "none")
    with pytest.raises(OSError, match="save"):
        session.save(tmp_path / "no" / "folder")
    with sterna.load(QWEN3) as other, pytest.raises(sterna.UnsupportedError, match="another model"):
        other.load_session(tmp_path / "s")
    with sterna.load(BITNET, n_ctx=16) as small, pytest.raises(sterna.UnsupportedError, match="context"):
        small.load_session(tmp_path / "s")
    assert session.tokens == IDS


def test_wrong_arguments(model) -> None:
    session = model.session()
    session.forward(IDS)
    with sterna.load(QWEN3) as other:
        foreign = other.session()
        for error, message, call in [
            (TypeError, "prompt 1, got None", lambda: model.generate(["a", None])),
            (TypeError, "prompt 0, got b'a'", lambda: model.generate([b"a"])),
            (TypeError, "prompt 1: got 'int'", lambda: model.generate(["a", 5])),
            (TypeError, "prompt: got", lambda: model.generate([1.5])),
            (ValueError, r"empty.*\(prompt 1\)", lambda: model.generate([[5], []])),
            (ValueError, r"context.*\(prompt 0\)", lambda: model.generate([[5] * 641, "a"])),
            (ValueError, "top_p", lambda: model.generate(["a"], top_p=-1)),
            (TypeError, "on_token, got 5", lambda: model.generate(["a"], on_token=5)),
            (TypeError, "sessions, got it for one prompt", lambda: model.generate("a", sessions=[session])),
            (TypeError, "sessions, got <sterna.Session", lambda: model.generate(["a"], sessions=session)),
            (TypeError, r"sessions\[1\], got 'b'", lambda: model.generate(["a"] * 2, sessions=[None, "b"])),
            (ValueError, "got 1 for 2 prompts", lambda: model.generate(["a"] * 2, sessions=[session])),
            (ValueError, "session of prompt 1", lambda: model.generate(["a"] * 2, sessions=[session] * 2)),
            (ValueError, "session of prompt 0", lambda: model.generate(["a"], sessions=[foreign])),
            (TypeError, "prompt: got", lambda: session.generate(["a", "b"])),
            (TypeError, "prompt, got b'x'", lambda: session.generate(b"x")),
            (TypeError, "tokens: got 'str'", lambda: session.forward("x")),
            (ValueError, "empty", lambda: session.forward([])),
            (ValueError, "vocabulary|expected 0 to", lambda: session.forward([10**6])),
            (ValueError, "630 tokens after 20", lambda: session.forward([5] * 630)),
            (ValueError, "expected at most the context", lambda: session.forward([5] * 641)),
            (TypeError, "n, got 'a'", lambda: session.truncate("a")),
            (ValueError, "n, got -1", lambda: session.truncate(-1)),
            (ValueError, "got 21, expected at most the 20", lambda: session.truncate(21)),
            (TypeError, "path, got 5", lambda: session.save(5)),
            (TypeError, "path, got None", lambda: model.load_session(None)),
            (ValueError, "null byte", lambda: session.save("a\0b")),
            (TypeError, "threads, got 2", lambda: sterna.load(BITNET, threads=2)),
            (TypeError, "n, got 'a'", lambda: sterna.Threads("a")),
            (ValueError, "got 0, expected 1 to 1024", lambda: sterna.Threads(0)),
        ]:
            with pytest.raises(error, match=message):
                call()
    assert session.tokens == IDS


def test_closed(model, tmp_path) -> None:
    calls = [
        lambda s: s.tokens,
        len,
        lambda s: s.generate("a"),
        lambda s: list(s.stream("a")),
        lambda s: s.forward([5]),
        lambda s: s.truncate(0),
        lambda s: s.fork(),
        lambda s: s.save(tmp_path / "s"),
        lambda s: model.generate(["a"], sessions=[s]),
    ]
    with model.session() as session, model.session() as other:
        other.close()
        for call in calls:
            with pytest.raises(ValueError, match="the session is closed"):
                call(other)
        assert repr(session) == "<sterna.Session of 'mini-bitnet-i2_s', 0 tokens>"
        assert repr(other) == "<sterna.Session of 'mini-bitnet-i2_s', closed>"
        seen = []
        model.generate([5], max_tokens=1, seed=3, on_token=lambda token: seen.append(repr(session)))
        assert seen == ["<sterna.Session of 'mini-bitnet-i2_s', busy>"]
        model.close()
        for call in calls:
            for s in (session, other):
                with pytest.raises(ValueError, match="the model is closed"):
                    call(s)
        for call in (model.session, lambda: model.load_session(tmp_path / "s")):
            with pytest.raises(ValueError, match="the model is closed"):
                call()


def test_life() -> None:
    """A session keeps its model, which does not keep it; closing the model frees it."""
    session = sterna.load(BITNET, n_ctx=64).session()
    gc.collect()
    assert len(session.generate([5], **OPTIONS)) > 0
    model = session._model
    dropped = weakref.ref(model.session())
    gc.collect()
    assert dropped() is None
    before = sys.getrefcount(session._core)
    core = session._core
    assert sys.getrefcount(core) == before + 1  # and nobody else has it
    model.close()
    assert sys.getrefcount(core) == before


def test_threads_take_turns(model) -> None:
    session, other = model.session(), model.session()
    want = model.generate("NAME", **OPTIONS)
    numbers = count()

    def use(_):
        match next(numbers) % 4:
            case 0:
                return session.generate("NAME", **OPTIONS)
            case 1:
                return "".join(session.stream("NAME", **OPTIONS))
            case 2:
                return model.generate(["NAME", "NAME"], sessions=[other, None], **OPTIONS)[1]
            case _:
                return model.session().generate("NAME", **OPTIONS)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(24), timeout=TIMEOUT)) == [want] * 24


# --- threads ----------------------------------------------------------------------------------------------


def test_models_share_threads() -> None:
    before = threading.active_count()
    threads = sterna.Threads(2)
    assert threads.size == 2 and repr(threads) == "<sterna.Threads 2>" and sterna.Threads().size >= 1
    with (
        sterna.load(BITNET, n_ctx=64, threads=threads) as a,
        sterna.load(QWEN3, n_ctx=64, threads=threads) as b,
    ):
        assert a.info.n_threads == b.info.n_threads == 2
        want = [m.generate([5], **OPTIONS) for m in (a, b)]
        del threads
        with ThreadPoolExecutor(2) as pool:
            got = list(pool.map(lambda i: (a, b)[i % 2].generate([5], **OPTIONS), range(20), timeout=TIMEOUT))
        assert got == want * 10
        inner = []
        a.generate([5], max_tokens=1, seed=3, on_token=lambda token: inner.append(b.generate([5], **OPTIONS)))
        assert inner == want[1:]
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="n_threads, got 3 and 2 threads"):
        sterna.load(BITNET, threads=sterna.Threads(2), n_threads=3)


FORK = """
import os, signal, sys, threading, sterna
threads = sterna.Threads(2)
model, other = (sterna.load(MODEL, n_ctx=64, threads=threads) for _ in range(2))
session, beside = model.session(), other.session()
options = {"max_tokens": 8, "ignore_eos": True, "seed": 1}
want = session.generate([5, 6], **options)
def says(call):
    try:
        return str(call() == want)
    except RuntimeError as e:
        return "fork" if "fork" in str(e) else repr(e)
def child():
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        said = [
            says(lambda: session.generate([5, 6], **options)),
            says(lambda: session.fork().generate([5, 6], **options)),
            says(lambda: model.generate([[7], [5, 6]], sessions=[None, session], **options)[1]),
            says(lambda: "".join(model.session().stream([5, 6], **options))),
            says(lambda: beside.generate([5, 6], **options)),
        ]
        os.write(writing, " ".join(said).encode())
        os._exit(0)
    os.close(writing)
    signal.alarm(20)
    print(os.read(reading, 10000).decode(), flush=True)
    os.waitpid(pid, 0)
child()
started, leave = threading.Event(), threading.Event()
def hold(token):
    started.set()
    leave.wait(20)
thread = threading.Thread(target=lambda: session.generate([5], max_tokens=1, on_token=hold))
thread.start()
started.wait()
child()
leave.set()
thread.join()
print(says(lambda: session.generate([5, 6], **options)))
"""


def test_after_a_fork() -> None:
    """Sessions work as their model does; a model that shares the threads of a busy one works."""
    code = FORK.replace("MODEL", repr(str(BITNET)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT)
    said = ["True True True True True", "fork fork fork fork True", "True"]
    assert (done.stdout.splitlines(), done.returncode) == (said, 0), done.stderr


def test_sessions_of_another_scale_of_a_tensor_are_refused(tmp_path) -> None:
    with sterna.load(BITNET) as model:
        session = model.session()
        session.forward(IDS)
        session.save(tmp_path / "s")
    file = Gguf.read(BITNET)
    tensor = file.tensor("blk.0.attn_k.weight")
    at = len(tensor.data) - 32
    (scale,) = struct.unpack_from("<f", tensor.data, at)
    tensor.data = tensor.data[:at] + struct.pack("<f", 3 * scale) + tensor.data[at + 4 :]
    (tmp_path / "other.gguf").write_bytes(file.build())
    with sterna.load(tmp_path / "other.gguf") as other, pytest.raises(sterna.UnsupportedError, match="another model"):
        other.load_session(tmp_path / "s")


def test_what_a_file_says_is_not_shared(tmp_path, model) -> None:
    """A session from a file is believed for itself, not for texts that begin alike."""
    ids = [i % 200 + 5 for i in range(600)]
    session = model.session()
    session.forward(ids[:200])
    session.save(tmp_path / "s")
    session.close()
    loaded = model.load_session(tmp_path / "s")
    loaded.forward(ids[200:])
    assert model.complete(ids, max_tokens=1, temperature=0).n_reused == 0
