"""A process made by fork works if the model was idle, and else gets an error at once."""

import subprocess
import sys

import pytest
from conftest import MODELS

SETUP = """
import os, signal, sys, threading, time, sterna
model = sterna.load(MODEL, n_ctx=64)
options = {"ignore_eos": True, "temperature": 0}
want = model.generate([5], max_tokens=8, **options)
calls = {
    "generate": lambda: model.generate([5], max_tokens=8, **options) == want,
    "forward": lambda: model.forward([5, 6]).shape[0] == 2,
    "stream": lambda: "".join(model.stream([5], max_tokens=8, **options)) == want,
    "perplexity": lambda: model.perplexity([5] * 8, 4) > 0,
    "bench": lambda: model.bench(2, 2) > 0,
}
def child(extra=lambda: None):
    '''What the calls say in a child, which has 20 s.'''
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        said = []
        try:
            extra()
            for name, call in calls.items():
                try:
                    said.append(str(call()))
                except RuntimeError as e:
                    said.append("fork" if "fork" in str(e) else repr(e))
        except BaseException as e:
            said.append(repr(e))
        os.write(writing, " ".join(said).encode())
        os._exit(0)
    os.close(writing)
    signal.alarm(20)
    print(os.read(reading, 10000).decode(), flush=True)
    os.waitpid(pid, 0)
"""
BUSY = """
started, leave = threading.Event(), threading.Event()
def hold(token):
    started.set()
    leave.wait(20)
thread = threading.Thread(target=lambda: model.generate([5], max_tokens=1, on_token=hold))
thread.start()
started.wait()
child()
leave.set()
thread.join()
print(calls["generate"]())
"""
STREAM = """
stream = model.stream([5], **options)
first = next(stream)
def use():
    try:
        next(stream)
    except RuntimeError as e:
        assert "fork" in str(e), e
    stream.close()
child(use)
other = model.stream([5], **options)
next(other)
child(lambda: globals().pop("other"))
print(len(first + "".join(stream)) > 0)
"""
IN_CALLBACK = """
def fork(token):
    pid = os.fork()
    children.append(pid)
children = []
got = model.generate([5], max_tokens=2, on_token=fork, **options)
if 0 in children:
    os._exit(0 if got and model.generate([5], max_tokens=8, **options) == want else 1)
print([os.waitpid(pid, 0)[1] for pid in children])
"""
WORKS = "True True True True True"
LOST = "fork fork fork fork fork"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("child()", [WORKS]),
        ("stream = model.stream([5], max_tokens=8, **options)\nchild(lambda: list(stream))", [WORKS]),
        (
            "thread = threading.Thread(target=calls['forward'])\nthread.start()\nthread.join()\nchild()",
            [WORKS],
        ),
        (BUSY, [LOST, "True"]),
        (STREAM, [LOST, LOST, "True"]),
        (IN_CALLBACK, ["[0, 0]"]),
    ],
    ids=["idle", "stream that has not begun", "used by a thread before", "busy", "open stream", "callback"],
)
def test_child(code, said) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SETUP.replace("MODEL", repr(str(MODELS / "mini-bitnet-i2_s.gguf"))) + code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.splitlines(), done.returncode) == (said, 0), done.stderr
