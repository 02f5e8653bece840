"""`sterna bench`: llama-bench's flags, tests and output, with peak memory and bytes per token besides."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import _core
from .model import PACKAGED_MODEL, Model, load


def _ints(text: str) -> list[int]:
    values = [int(part) for part in text.split(",")]
    if min(values) < 0:
        raise argparse.ArgumentTypeError("a negative number")
    return values


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
    model: Model, args: argparse.Namespace, n_prompt: int, n_gen: int, n_depth: int
) -> dict[str, Any]:
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
        "model_type": f"{i.name or i.architecture} {i.main_format}",
        "model_size": i.file_bytes,
        "model_n_params": i.n_params,
        "n_batch": args.batch_size,
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


def _results(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if args.isa:
        _core.force_isa(args.isa)
    tests = [(p, 0) for p in args.n_prompt if p] + [(0, g) for g in args.n_gen if g]
    n_ctx = max((p + g for p, g in tests), default=1) + max(args.n_depth)
    for path in args.model or [PACKAGED_MODEL]:
        for n_threads in args.threads or [None]:
            _reset_peak_memory()
            with load(
                path,
                n_threads=n_threads,
                n_ctx=n_ctx,
                n_batch=args.batch_size,
                screen="off",  # all logits are computed, as llama-bench does
                head_bits=args.head_bits,
            ) as model:
                for n_depth in args.n_depth:
                    for n_prompt, n_gen in tests:
                        yield _measure(model, args, n_prompt, n_gen, n_depth)


def _human(n: int, unit: str, base: int, names: str) -> str:
    value, index = float(n), -1
    while index < 0 or (value >= base and index < len(names) - 1):
        value, index = value / base, index + 1
    return f"{value:.2f} {names[index]}{unit}"


_COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "model": lambda r: r["model_type"],
    "size": lambda r: _human(r["model_size"], "iB", 1024, "KMG"),
    "params": lambda r: _human(r["model_n_params"], "", 1000, "KMB"),
    "backend": lambda r: r["backends"],
    "threads": lambda r: str(r["n_threads"]),
    "test": lambda r: (
        (f"pp{r['n_prompt']}" if r["n_prompt"] else f"tg{r['n_gen']}")
        + (f" @ d{r['n_depth']}" if r["n_depth"] else "")
    ),
    "t/s": lambda r: f"{r['avg_ts']:.2f} ± {r['stddev_ts']:.2f}",
    "peak RSS": lambda r: _human(r["peak_rss_bytes"], "iB", 1024, "KMG"),
    "bytes/token": lambda r: _human(r["bytes_per_token"], "iB", 1024, "KMG"),
}


def _write_md(results: Iterator[dict[str, Any]]) -> None:
    print("| " + " | ".join(_COLUMNS) + " |")
    print("| " + " | ".join("---" if name in ("model", "backend") else "---:" for name in _COLUMNS) + " |")
    for r in results:
        print("| " + " | ".join(cell(r) for cell in _COLUMNS.values()) + " |", flush=True)


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


_OUTPUTS = {"md": _write_md, "csv": _write_csv, "json": _write_json, "jsonl": _write_jsonl}


def _bench(args: argparse.Namespace) -> None:
    if args.repetitions < 1:
        raise ValueError(f"-r: got {args.repetitions}, expected at least 1")
    _OUTPUTS[args.output](_results(args))


def add_bench(commands: Any) -> None:
    p = commands.add_parser("bench", help="measure speed and memory, as llama-bench does", allow_abbrev=False)
    p.add_argument(
        "-m", "--model", action="append", help="GGUF file, may be repeated; default: the package's model"
    )
    p.add_argument(
        "-p", "--n-prompt", type=_ints, default=[512], metavar="N,...", help="prompt tokens; 0: no such test"
    )
    p.add_argument(
        "-n", "--n-gen", type=_ints, default=[128], metavar="N,...", help="tokens to decode; 0: no such test"
    )
    p.add_argument(
        "-d", "--n-depth", type=_ints, default=[0], metavar="N,...", help="tokens in the context before"
    )
    p.add_argument("-b", "--batch-size", type=int, default=512, metavar="N", help="prompt tokens per pass")
    p.add_argument(
        "--head-bits",
        type=int,
        choices=[0, 4, 6, 8],
        default=0,
        help="quantize the output matrix; default: 0, as in the file",
    )
    p.add_argument("-r", "--repetitions", type=int, default=5, metavar="N")
    p.add_argument(
        "-t", "--threads", type=_ints, default=None, metavar="N,...", help="default: the usable CPUs"
    )
    p.add_argument("-o", "--output", choices=list(_OUTPUTS), default="md")
    p.add_argument("--no-warmup", dest="warmup", action="store_false", help="no run before the measured ones")
    p.add_argument("--isa", default="", help="use only this instruction set and below")
    p.set_defaults(function=_bench)
