"""The command `sterna`. Text goes to stdout, everything else to stderr. Flags are those of llama-cli where
it has them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import _core
from .cli_bench import add_bench
from .cli_common import add_model_flags, load_model, status_line
from .cli_inspect import add_inspect
from .errors import UnsupportedError
from .golden import selftest
from .model import GenerateOptions, Model

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        return chr(int(match[1][1:], 16)) if match[1].startswith("x") else _ESCAPES[match[1]]

    return re.sub(r"""\\(x[0-9a-fA-F]{2}|[ntr\\'"])""", character, text)


def _read_text(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    return data.decode(errors="replace")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _print_timings(c: _core.Completion) -> None:
    def rate(n: int, seconds: float) -> str:
        return f"{n} tokens, {seconds:.2f} s, {n / seconds:.1f} t/s" if seconds > 0 else f"{n} tokens"

    status_line(f"prompt: {rate(c.n_prompt - c.n_reused, c.prompt_seconds)}")
    guesses = f", {c.n_accepted} of {c.n_drafted} guesses right" if c.n_drafted else ""
    status_line(f"decode: {rate(len(c.tokens), c.decode_seconds)} ({c.stop_reason}){guesses}")
    if n := c.screen.tokens:
        status_line(
            f"output matrix: {n} of {n + c.screen.full} tokens screened; {c.screen.after_4 / n:.1f} rows left by "
            f"4 bits, {c.screen.after_8 / n:.1f} by 8; {c.screen.bytes / n / 1e6:.1f} MB read a token"
        )


# --- run --------------------------------------------------------------------------------------------------
# ----------


def _add_sampling_flags(p: argparse.ArgumentParser) -> None:
    p.add_argument("-n", "--predict", "--n-predict", dest="max_tokens", type=int, default=-1, metavar="N",
                   help="tokens to generate; -1: until the model ends or the context is full")  # fmt: skip
    p.add_argument("-s", "--seed", type=int, default=-1, help="-1: a new one each time")
    p.add_argument("--temp", dest="temperature", type=float, default=0.8, metavar="T", help="0: greedy")
    p.add_argument("--top-k", type=int, default=40, metavar="N", help="0: off")
    p.add_argument("--top-p", type=float, default=0.95, metavar="P", help="1: off")
    p.add_argument("--min-p", type=float, default=0.05, metavar="P", help="0: off")
    p.add_argument("--repeat-penalty", type=float, default=1.0, metavar="X", help="1: off")
    p.add_argument("--repeat-last-n", type=int, default=64, metavar="N", help="-1: the whole context")
    p.add_argument("--ignore-eos", action="store_true", help="go on after the end-of-generation token")
    p.add_argument("--lookup", type=int, nargs="?", const=8, default=0, metavar="N",
                   help="guess up to N (8) tokens from repetitions in the context; never changes the text")  # fmt: skip
    p.add_argument("-r", "--reverse-prompt", dest="stop", action="append", default=[], metavar="TEXT",
                   help="stop before this text; may be given more than once")  # fmt: skip
    p.add_argument(
        "-sys",
        "--system-prompt",
        default=None,
        metavar="TEXT",
        help="system message; implies the chat format",
    )
    p.add_argument(
        "--chat-template-file", default=None, metavar="FILE", help="Jinja template instead of the model's"
    )


def _options(args: argparse.Namespace) -> GenerateOptions:
    names = GenerateOptions.__optional_keys__ - {"seed"}
    options = {name: getattr(args, name) for name in names}
    return cast(GenerateOptions, options | {"seed": None if args.seed < 0 else args.seed})


def _template(args: argparse.Namespace) -> str | None:
    return None if args.chat_template_file is None else _read_text(args.chat_template_file)


def _system_message(args: argparse.Namespace) -> list[dict[str, str]]:
    return [] if args.system_prompt is None else [{"role": "system", "content": args.system_prompt}]


def _run(args: argparse.Namespace) -> None:
    if args.file is not None:
        prompt = _read_text(args.file)
    else:
        prompt = _unescape(args.prompt) if args.escape else args.prompt
    with load_model(args) as model:
        if args.chat or args.system_prompt is not None:
            messages = [*_system_message(args), {"role": "user", "content": prompt}]
            for piece in model.chat(messages, stream=True, template=_template(args), **_options(args)):
                _write(piece)
        else:
            if args.display_prompt:
                _write(prompt)
            completion = model.complete(prompt, on_token=lambda token: _write(token.text), **_options(args))
            status_line()
            _print_timings(completion)
    _write("\n")


def _add_run(commands: Any) -> None:
    p = commands.add_parser("run", help="generate text after a prompt", allow_abbrev=False)
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("-p", "--prompt", help="the text to continue")
    source.add_argument("-f", "--file", help="file with the prompt; - is standard input")
    add_model_flags(p)
    _add_sampling_flags(p)
    p.add_argument("-cnv", "--chat", action="store_true", help="the prompt is a message: use the chat format")
    p.add_argument(
        "--no-display-prompt", dest="display_prompt", action="store_false", help="print the answer only"
    )
    p.add_argument(
        "--no-escape", dest="escape", action="store_false", help=r"leave \n and the like in -p alone"
    )
    p.set_defaults(function=_run)


# --- chat -------------------------------------------------------------------------------------------------
# ----------


def _answer(
    model: Model, messages: list[dict[str, str]], args: argparse.Namespace, template: str | None
) -> str:
    """Prints the answer; Ctrl-C ends it where it is."""
    pieces: list[str] = []
    try:
        for piece in model.chat(messages, stream=True, template=template, **_options(args)):
            _write(piece)
            pieces.append(piece)
    except KeyboardInterrupt:
        status_line("\n(interrupted)")
    _write("\n")
    return "".join(pieces)


def _chat(args: argparse.Namespace) -> None:
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (line editing in input())
    template, messages, interrupted = _template(args), _system_message(args), False
    with load_model(args) as model:
        status_line("Ctrl-C stops an answer, /reset starts again, Ctrl-D ends.")
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "")
            except EOFError:
                return
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                status_line("\n(again to end)")
                continue
            interrupted = False
            if line.strip() == "/reset":
                messages = _system_message(args)
            elif line.strip():
                messages.append({"role": "user", "content": line})
                messages.append({"role": "assistant", "content": _answer(model, messages, args, template)})


def _add_chat(commands: Any) -> None:
    p = commands.add_parser("chat", help="talk with a model", allow_abbrev=False)
    add_model_flags(p)
    _add_sampling_flags(p)
    p.set_defaults(function=_chat)


# --- perplexity, kernels, selftest
# ----------------------------------------------------------------------------------


def _perplexity(args: argparse.Namespace) -> None:
    with load_model(args) as model:
        tokens = (
            np.load(args.tokens) if args.tokens else np.array(model.tokenize(_read_text(args.file)), np.int32)
        )
        if args.chunks > 0:
            tokens = tokens[: args.chunks * args.window]

        def progress(nll: float, count: int) -> None:
            status_line(f"{count // (args.window - 1)}: {np.exp(nll / count):.4f}")

        print(f"perplexity {model.perplexity(tokens, args.window, progress):.4f} over {len(tokens)} tokens")


def _add_perplexity(commands: Any) -> None:
    p = commands.add_parser("perplexity", help="how well a model predicts a text", allow_abbrev=False)
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("-f", "--file", help="text; - is standard input")
    source.add_argument("--tokens", metavar="FILE.npy", help="token ids as a numpy array")
    p.add_argument(
        "--window", type=int, default=512, metavar="N", help="tokens per window, each from an empty context"
    )
    p.add_argument("--chunks", type=int, default=-1, metavar="N", help="windows; -1: all")
    add_model_flags(p)
    p.set_defaults(function=_perplexity, screen="off")  # all logits are needed


def _kernels(args: argparse.Namespace) -> None:
    if args.isa:
        _core.force_isa(args.isa)
    if args.explain:
        _explain(*args.explain)
        return
    print(f"CPU: {_core.cpu_name()}, {_core.usable_cpus()} usable")
    for isa in _core.isas():
        state = "in use" if isa.active else "supported" if isa.supported else "not supported here"
        print(f"{isa.name:14} {state:20} needs {isa.requires}")
    print()
    for k in _core.kernels():
        note = "" if k.supported else "not supported here"
        print(f"{'*' if k.chosen else ' '} {k.name:40} {k.isa:14}{note}".rstrip())


def _shape(text: str) -> tuple[int, int, str, list[int]]:
    """ROWSxDEPTH[:VARIANT][:TOKENS]"""
    match = re.fullmatch(r"(\d+)x(\d+)(?::([wt]\w+))?(?::(\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected ROWSxDEPTH[:VARIANT][:TOKENS]")
    rows, depth, variant, tokens = match.groups()
    return int(rows), int(depth), variant or "w2_row", [int(tokens)] if tokens else [1, 4, 16, 64]


def _explain(rows: int, depth: int, variant: str, tokens: list[int]) -> None:
    explanation = _core.explain_kernels(variant, rows, depth, tokens)
    print(f"{variant}, {rows} x {depth}, one thread; * is in use: {explanation.why}")
    print(f"{'tokens':>8} {'kernel':40} {'us':>10} {'GMAC/s':>8} {'GB/s':>6}")
    for t in explanation.timings:
        star = "*" if t.chosen else " "
        rates = f"{t.seconds * 1e6:10.1f} {t.gmac_per_s:8.1f} {t.gb_per_s:6.2f}"
        print(f"{star} {t.n_tokens:6} {t.kernel:40} {rates}")


def _add_kernels(commands: Any) -> None:
    p = commands.add_parser(
        "kernels", help="instruction sets and kernels; * is the built-in choice", allow_abbrev=False
    )
    p.add_argument("--explain", type=_shape, metavar="SHAPE",
                   help="time the kernels on ROWSxDEPTH[:VARIANT][:TOKENS], like 2560x6912:w2_row:1")  # fmt: skip
    p.add_argument("--isa", default="", help="as if only this instruction set and those below it were there")
    p.set_defaults(function=_kernels)


def _selftest(args: argparse.Namespace) -> None:
    selftest(args.model, report=print)
    print("all is well")


def _add_selftest(commands: Any) -> None:
    p = commands.add_parser("selftest", help="check this machine, the kernels and a file", allow_abbrev=False)
    p.add_argument("-m", "--model", default=None, help="also check this GGUF file")
    p.set_defaults(function=_selftest)


# --- main -------------------------------------------------------------------------------------------------
# ----------


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "sterna", description="Run models with one- to four-bit weights.", allow_abbrev=False
    )
    p.add_argument("--version", action="version", version=f"sterna {_core.version()}")
    commands = p.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_run, _add_chat, add_bench, add_inspect, _add_perplexity, _add_kernels, _add_selftest):
        add(commands)
    return p


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0, 1 for an error, 2 for wrong usage, 130 after Ctrl-C."""
    for output in (sys.stdout, sys.stderr):
        output.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        args = _parser().parse_args([os.fsencode(a).decode(errors="replace") for a in argv or sys.argv[1:]])
        args.function(args)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        status_line()
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails again
        return EXIT_ERROR
    except (ValueError, TypeError, OSError, MemoryError, UnsupportedError) as e:
        status_line(f"sterna: error: {e or type(e).__name__}")
        return EXIT_ERROR
