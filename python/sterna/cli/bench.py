"""`sterna bench`: llama-bench's flags, tests and output, with peak memory and bytes per token besides."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import sterna

from .. import _core
from .errors import UsageError
from .generation import SAMPLING_NAMES
from .library_options import arguments
from .model_options import ISA, force_isa, kv_type, load_options
from .options import Command, Option, choice, ranges, whole
from .streams import visible

if TYPE_CHECKING:
    from ..model import Model

_MAX_TOKENS = 1 << 24


class _Test(NamedTuple):
    n_prompt: int
    n_gen: int


def _pair(word: str) -> list[_Test]:
    n_prompt, _, n_gen = word.partition(",")
    count = whole(0, _MAX_TOKENS)
    try:
        test = _Test(count(n_prompt), count(n_gen))
    except ValueError:
        test = _Test(0, 0)
    if not any(test):
        raise ValueError(f"PROMPT,DECODED: tokens from 0 to {_MAX_TOKENS}, not both 0")
    return [test]


def _files(word: str) -> list[str]:
    """Names with commas between them, as llama-bench has them, unless a file has such a name."""
    names = [word] if os.path.exists(word) else word.split(",")
    if not all(names):
        raise ValueError("FILE or FILE,FILE")
    return names


def _reset_peak_memory() -> None:
    with contextlib.suppress(OSError):  # without /proc the peak is that of the process so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """Bytes of resident memory at most since the reset."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _measure(
    model: Model, args: SimpleNamespace, test: _Test, n_depth: int, settings: dict[str, Any]
) -> dict[str, Any]:
    n_prompt, n_gen = test
    started = datetime.now(timezone.utc)
    if args.warmup:
        model.bench(n_prompt, min(n_gen, 1), n_depth)
    seconds = [model.bench(n_prompt, n_gen, n_depth) for _ in range(args.repetitions)]
    rates = [(n_prompt + n_gen) / s for s in seconds]
    i = model.info
    return {
        "build_number": _core.version(),
        "cpu_info": _core.cpu_name(),
        "backends": f"CPU {i.isa}",
        "model_filename": i.path,
        "model_type": visible(f"{i.name or i.architecture} {i.main_format}"),
        "model_size": i.file_bytes,
        "model_n_params": i.n_params,
        **settings,
        "n_threads": i.n_threads,
        "n_prompt": n_prompt,
        "n_gen": n_gen,
        "n_depth": n_depth,
        "test_time": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "avg_ns": round(statistics.fmean(seconds) * 1e9),
        "stddev_ns": round(_stddev(seconds) * 1e9),
        "avg_ts": statistics.fmean(rates),
        "stddev_ts": _stddev(rates),
        "peak_rss_bytes": _peak_memory(),
        "bytes_per_token": i.bytes_per_token,
        "samples_ns": [round(s * 1e9) for s in seconds],
        "samples_ts": rates,
    }


def _stddev(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _tests(args: SimpleNamespace) -> list[_Test]:
    tests = [_Test(n, 0) for n in args.n_prompt if n] + [_Test(0, n) for n in args.n_gen if n] + args.pairs
    if not tests:
        raise UsageError("-p and -n: got 0 for both, expected a test")
    return tests


def _results(args: SimpleNamespace, tests: list[_Test]) -> Iterator[dict[str, Any]]:
    n_ctx = max(map(sum, tests)) + max(args.n_depth)
    sizes = itertools.product(args.n_threads or [None], args.n_batch, args.cache)
    for file, (n_threads, n_batch, cache) in itertools.product(args.model or [None], sizes):
        _reset_peak_memory()
        varied = {"n_threads": n_threads, "n_ctx": n_ctx, "n_batch": n_batch, "kv_type": cache}
        # Without screening all logits are computed, as llama-bench does.
        with sterna.load(file, **{**arguments("load", args), **varied, "screen": "off"}) as model:
            settings = {"n_batch": n_batch, "type_k": cache, "type_v": cache}
            for n_depth, test in itertools.product(args.n_depth, tests):
                yield _measure(model, args, test, n_depth, settings)


def _human(n: int, unit: str, base: int, names: str) -> str:
    value, index = float(n), -1
    while index < 0 or (value >= base and index < len(names) - 1):
        value, index = value / base, index + 1
    return f"{value:.2f} {names[index]}{unit}"


_Columns = dict[str, Callable[[dict[str, Any]], str]]
_SETTINGS: _Columns = {
    "model": lambda r: r["model_type"].replace("|", r"\|"),
    "size": lambda r: _human(r["model_size"], "iB", 1024, "KMG"),
    "params": lambda r: _human(r["model_n_params"], "", 1000, "KMB"),
    "backend": lambda r: r["backends"],
    "threads": lambda r: str(r["n_threads"]),
}
_FIGURES: _Columns = {
    "test": lambda r: (
        "+".join(f"{kind}{r[n]}" for kind, n in (("pp", "n_prompt"), ("tg", "n_gen")) if r[n])
        + (f" @ d{r['n_depth']}" if r["n_depth"] else "")
    ),
    "t/s": lambda r: f"{r['avg_ts']:.2f} ± {r['stddev_ts']:.2f}",
    "peak RSS": lambda r: _human(r["peak_rss_bytes"], "iB", 1024, "KMG"),
    "bytes/token": lambda r: _human(r["bytes_per_token"], "iB", 1024, "KMG"),
}


def _write_md(results: Iterator[dict[str, Any]], more_settings: list[str]) -> None:
    more: _Columns = {name: lambda r, name=name: str(r[name]) for name in more_settings}
    columns = _SETTINGS | more | _FIGURES
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---" if name in ("model", "backend") else "---:" for name in columns) + " |")
    for r in results:
        print("| " + " | ".join(cell(r) for cell in columns.values()) + " |", flush=True)


def _write_csv(results: Iterator[dict[str, Any]]) -> None:
    writer = None
    for r in results:
        row = {k: v for k, v in r.items() if not k.startswith("samples_")}
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
        sys.stdout.flush()


def _write_json(results: Iterator[dict[str, Any]]) -> None:
    print(json.dumps(list(results), indent=2))


def _write_jsonl(results: Iterator[dict[str, Any]]) -> None:
    for r in results:
        print(json.dumps(r), flush=True)


_FOR_PROGRAMS = {"csv": _write_csv, "json": _write_json, "jsonl": _write_jsonl}


def _bench(args: SimpleNamespace) -> None:
    tests = _tests(args)
    force_isa(args)
    args.cache = kv_type(args) or ["f16"]
    results = _results(args, tests)
    if args.output == "md":
        told = {"n_batch": args.n_batch != [512], "type_k": args.cache != ["f16"]}
        _write_md(results, [name for name, unusual in told.items() if unusual])
    else:
        _FOR_PROGRAMS[args.output](results)


_COUNTS = ranges(0, _MAX_TOKENS)
_TESTS = (
    Option(
        "-p --n-prompt", "n_prompt", "prompt tokens; 0: no such test", _COUNTS, "N,...", [512], repeat=True
    ),
    Option("-n --n-gen", "n_gen", "tokens to decode; 0: no such test", _COUNTS, "N,...", [128], repeat=True),
    Option("-pg", "pairs", "a prompt and decoding after it, in one test", _pair, "P,N", repeat=True),
    Option("-d --n-depth", "n_depth", "tokens in the context before", _COUNTS, "N,...", [0], repeat=True),
    Option("-r --repetitions", "repetitions", "measurements of each test", whole(1, 100_000), "N", 5),
    Option("--no-warmup", "warmup", "no run before the measured ones", default=True, sets=False),
)
_MODEL = (
    Option(
        "-m --model",
        "model",
        "GGUF files, may be repeated; default: the package's model",
        _files,
        "FILE,...",
        repeat=True,
    ),
    *load_options(without="n_ctx screen", lists="n_threads n_batch kv_type"),
    ISA,
)
_OUTPUT = (
    Option("-o --output", "output", "md, csv, json, jsonl", choice("md", *_FOR_PROGRAMS), "FORM", "md"),
)

COMMAND = Command(
    "bench",
    "Measure tokens per second and peak memory, in llama-bench's form. N,... is also N-M, N-M+STEP or N-M*FACTOR.",
    {"Tests": _TESTS, "Model": _MODEL, "Output": _OUTPUT},
    (
        "-m model.gguf",
        "-m model.gguf -p 128,512 -n 32 -t 1,2 -r 3",
        "-m model.gguf -pg 512,64 -d 0,4096 -o jsonl",
    ),
    _bench,
    takes_llama_flags=True,
    hints=dict.fromkeys(SAMPLING_NAMES, "nothing is sampled; leave it out"),
)
