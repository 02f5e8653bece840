"""The interpreter ends while daemon threads are in calls that run without the GIL."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import MODELS

# Every call that releases the GIL, some with callbacks; each runs for ever in a thread of its own.
SETUP = """
import os, sys, threading, time
import numpy as np, sterna
path = MODEL
model = sterna.load(path, n_ctx=64)
codes, scales = np.ones((256, 256), np.uint8), np.ones(256, np.float32)
packed = sterna.pack(codes, scales)
x = np.ones((64, 256), np.float32)
data = np.zeros(18 * 4096, np.uint8)
tensor = sterna.open_gguf(path).tensor("token_embd.weight")
calls = {
    "load": lambda: sterna.load(path, progress=lambda fraction: time.sleep(1e-4)),
    "open_gguf": lambda: sterna.open_gguf(path),
    "tensor": tensor.dequantize,
    "forward": lambda: model.forward([5] * 64),
    "generate": lambda: model.generate([5], ignore_eos=True),
    "on_token": lambda: model.generate([5], ignore_eos=True, on_token=lambda token: time.sleep(1e-4)),
    "stream": lambda: list(model.stream([5], ignore_eos=True)),
    "open stream": lambda: next(model.stream([5], ignore_eos=True)),
    "perplexity": lambda: model.perplexity([5] * 640, 64, progress=lambda nll, count: time.sleep(1e-4)),
    "bench": lambda: model.bench(32, 32),
    "tokenize": lambda: model.tokenize("some text " * 100),
    "detokenize": lambda: model.detokenize([5] * 100),
    "pack": lambda: sterna.pack(codes, scales),
    "pack_bcq": lambda: sterna.pack_bcq(codes[None], scales[None]),
    "matmul": lambda: packed.matmul(x),
    "dequantize": lambda: sterna.dequantize("Q4_0", data, 32 * 4096),
    "explain_kernels": lambda: sterna.explain_kernels("w2_row", 64, 256, [1]),
    "selftest": lambda: sterna._core.selftest_kernels(lambda line: time.sleep(1e-4)),
}
going = threading.Event()
def work():
    while True:
        going.set()
        calls[sys.argv[1]]()
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
going.wait()
time.sleep(float(sys.argv[2]))
print("bye", flush=True)
"""
CALLS = [line.split('"')[1] for line in SETUP.splitlines() if line.startswith('    "')]
ENDS = {"pass": 0, "sys.exit(3)": 3, "os._exit(4)": 4, "raise SystemExit": 0, "assert False, 'mine'": 1}


def run(call: str, end: str, delay: float) -> tuple[int, str, str]:
    code = SETUP.replace("MODEL", repr(str(MODELS / "mini-bitnet-i2_s.gguf"))) + end
    done = subprocess.run(
        [sys.executable, "-c", code, call, str(delay)], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_daemon_threads(call) -> None:
    """Twice, by another end each time."""
    ends = list(ENDS)
    mine = [ends[0], ends[1 + CALLS.index(call) % (len(ends) - 1)]]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, [call] * 2, mine, [0.02, 0.1]))
    for end, (code, out, err) in zip(mine, results, strict=True):
        assert (code, out) == (ENDS[end], "bye\n"), err
        assert err == "" or ("mine" in end and err.endswith("AssertionError: mine\n")), err


@pytest.mark.parametrize("delay", [0, 0.002, 0.005, 0.01, 0.02])
def test_first_use_in_a_daemon_thread(delay) -> None:
    """The interpreter ends while the module itself is being imported."""
    code = f"""
import threading, time, numpy, sterna
threading.Thread(target=lambda: sterna.pack, daemon=True).start()
time.sleep({delay})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
