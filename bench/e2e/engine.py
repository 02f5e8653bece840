"""The protocol between compare.py and an engine: a child that loads one model and obeys lines on stdin.

    pp N [D]   evaluate N arbitrary tokens in one batch after D others        -> {"seconds": s}
    tg N [D]   evaluate N arbitrary tokens one by one after D others          -> {"seconds": s}
    gen N      generate N tokens greedily after one                           -> {"seconds": s}
    quit                                                                      -> {"peak_rss_mib": m}

In pp and tg both compute the logits of the last token of each batch, on the CPU, and neither samples; the D
tokens are not part of the time. gen is what a user waits for: an engine may leave out what cannot change the
tokens. Answers are JSON lines on stdout; the first one, unasked, describes the load.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol


class Engine(Protocol):
    description: dict  # name, version and how it was built

    def pp(self, n: int, depth: int = 0) -> float: ...

    def tg(self, n: int, depth: int = 0) -> float: ...

    def gen(self, n: int) -> float: ...


def peak_rss_mib() -> float:
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def serve(load: Callable[[str, int, int], Engine]) -> None:
    """Runs a child; load(path, threads, context) gives the engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    args = parser.parse_args()

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the engine itself prints goes to stderr

    start = time.perf_counter()
    engine = load(args.model, args.threads, args.context)
    loaded = time.perf_counter()
    engine.tg(1)  # a loader that only maps the file pays here
    first = time.perf_counter()
    print(
        json.dumps({"load_s": loaded - start, "first_token_s": first - start, **engine.description}),
        file=answers,
    )
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "quit":
            print(json.dumps({"peak_rss_mib": peak_rss_mib()}), file=answers)
            return
        seconds = {"pp": engine.pp, "tg": engine.tg, "gen": engine.gen}[command](*map(int, arguments))
        print(json.dumps({"seconds": seconds}), file=answers)
