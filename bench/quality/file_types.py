#!/usr/bin/env python3
"""Sterna and llama.cpp beside exact arithmetic: every file type that llama.cpp's quantizer writes.

    file_types.py OUT MODEL.gguf                       # all types, made of MODEL by llama.cpp, one after the other
    file_types.py OUT MODEL.gguf --types Q4_0 IQ2_XXS  # these; "file": MODEL as it is
    file_types.py OUT MODEL.gguf --types file --kv-type int8

Exact is the float64 forward pass of tests/data/models/reference.py over the weights that a file holds, so this
measures how a program computes, not how good a type is. Writes OUT.json and OUT.md. Both programs run in this
interpreter, on one thread.
"""

import argparse
import collections
import datetime
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path

import llama_cpp_files
import numpy as np
import sterna
import type_table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/data/models"), str(ROOT / "bench/e2e")]
import compare  # noqa: E402
import make_model  # noqa: E402
import reference  # noqa: E402

TEXT = ROOT / "cpp/kernels/README.md"
PROMPTS = ["The capital of France is", "Once upon a time"]
GREEDY = 64  # tokens


def centred(x: np.ndarray) -> np.ndarray:
    """What softmax sees of logits."""
    return x - x.mean(-1, keepdims=True)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.square(x, dtype=np.float64).mean()))


def perplexity(logits: np.ndarray, tokens: list[int]) -> float:
    rows = logits[:-1].astype(np.float64)
    top = rows.max(-1)
    chosen = rows[np.arange(len(rows)), tokens[1:]]
    return float(np.exp((top + np.log(np.exp(rows - top[:, None]).sum(-1)) - chosen).mean()))


def first_difference(
    exact: reference.Model, prompt: list[int], ours: list[int], theirs: list[int]
) -> dict | None:
    """Where two continuations part: the index, and what exact arithmetic says of the two tokens there."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), None)
    if at is None:
        return None
    sequence = prompt + ours[:at]
    row = exact.logits(sequence, len(sequence) - 1)[0]
    return {
        "at": at,
        "gap": float(abs(row[ours[at]] - row[theirs[at]])),
        "exact_is": {ours[at]: "sterna", theirs[at]: "llama.cpp"}.get(int(row.argmax()), "neither"),
    }


def measure(path: Path, args: argparse.Namespace) -> dict:
    """One file. All three read the same tokens."""
    exact = reference.Model(str(path))
    kinds = {f.type_id: name for name, f in make_model.FORMATS.items()}
    matrices = [t for t in exact.file.tensors.values() if len(t.shape) > 1]
    tensors = collections.Counter(kinds[t.type_id] for t in matrices)
    n_ctx = args.tokens + GREEDY
    with sterna.load(path, n_ctx=n_ctx, n_threads=1, kv_type=args.kv_type) as model:
        tokens = model.tokenize(args.text)[: args.tokens]
        prompts = [model.tokenize(p) for p in args.prompts]
        ours = model.forward(tokens)
        our_greedy = [
            model.complete(p, max_tokens=GREEDY, temperature=0, ignore_eos=True).tokens for p in prompts
        ]
        warnings = list(model.info.warnings)
    peer = llama_cpp_files.Peer(path, n_ctx, args.kv_type)
    assert peer.tokenize(args.text)[: args.tokens] == tokens, "the programs tokenize differently"
    theirs = peer.logits(tokens)
    their_greedy = [peer.greedy(p, GREEDY) for p in prompts]
    peer.close()
    logits = exact.logits(tokens)
    size = rms(centred(logits))
    programs = {"sterna": ours, "llama.cpp": theirs}
    greedy = zip(prompts, our_greedy, their_greedy, strict=True)
    return {
        "tensors": dict(tensors.most_common()),
        "bytes": path.stat().st_size,
        "warnings": warnings,
        "rms": {name: rms(centred(x - logits)) / size for name, x in programs.items()},
        "perplexity": {name: perplexity(x, tokens) for name, x in {"exact": logits, **programs}.items()},
        "greedy": [first_difference(exact, p, list(a), b) for p, a, b in greedy],
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="prefix of the report files")
    parser.add_argument("model", type=Path, help="any GGUF file of an architecture that reference.py knows")
    parser.add_argument("--types", nargs="+", default=list(llama_cpp_files.FILE_TYPES), metavar="TYPE")
    parser.add_argument("--tokens", type=int, default=256, help="of the text")
    parser.add_argument("--text", type=Path, default=TEXT)
    parser.add_argument("--prompts", nargs="+", default=PROMPTS, help="continued greedily")
    parser.add_argument("--kv-type", choices=["f16", "int8"], default="f16", help="int8: llama.cpp's is Q8_0")
    args = parser.parse_args()
    args.text = args.text.read_text(encoding="utf-8")
    return args


def main() -> None:
    args = parse()
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["bench/quality/file_types.py", *(a.rpartition("/")[2] for a in sys.argv[1:])]),
        "machine": compare.machine(),
        "versions": {
            "sterna": sterna.__version__,
            "llama.cpp": f"llama-cpp-python {llama_cpp_files.llama_cpp.__version__}",
            "numpy": np.__version__,
        },
        "model": args.model.name,
        "tokens": args.tokens,
        "kv_type": args.kv_type,
        "types": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "f32.gguf"), Path(folder, "made.gguf")
        if args.types != ["file"]:
            assert llama_cpp_files.quantize(args.model, "F32", source)
        for name in args.types:
            start = time.monotonic()
            if name != "file" and not llama_cpp_files.quantize(source, name, made):
                print(f"llama.cpp makes no {name} of this model", flush=True)
                continue
            report["types"][name] = measure(args.model if name == "file" else made, args)
            print(
                *type_table.cells(name, report["types"][name]),
                f"{time.monotonic() - start:.0f} s",
                flush=True,
            )
            Path(f"{args.out}.json").write_text(json.dumps(report, indent=1) + "\n")
            Path(f"{args.out}.md").write_text(type_table.markdown(report))


if __name__ == "__main__":
    main()
