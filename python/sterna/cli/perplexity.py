"""`sterna perplexity`: how well a model predicts a text."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

from .errors import UsageError
from .generation import SAMPLING_NAMES, exclusive
from .model_options import MODEL, load_model
from .options import Command, Option, path, whole
from .streams import read_text, status_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..model import Model

_DEFAULT_WINDOW = 512


def _chunks(word: str) -> int:
    n = whole(-1)(word)
    if n == 0:
        raise ValueError("1 or more, or -1 for all")
    return n


_TEXT = (
    Option("-f --file", "file", "text; - is standard input", path, "FILE"),
    Option("--tokens", "tokens", "token ids as a numpy array, instead of a text", path, "FILE.npy"),
    Option("--window", "window",
           "tokens per window, each from an empty context; default: -c as in llama-perplexity, else 512", whole(2), "N"),
    Option("--chunks", "chunks", "windows; -1: all", _chunks, "N", -1),
)  # fmt: skip


_HINTS = {
    **dict.fromkeys(SAMPLING_NAMES, "nothing is sampled; leave it out"),
    **dict.fromkeys(
        ("-n", "--predict", "--n-predict"), "nothing is generated; --chunks N limits the windows"
    ),
    **dict.fromkeys(("-p", "--prompt"), "the text comes from -f FILE; - is standard input"),
}


def _token_ids(args: SimpleNamespace, model: Model) -> npt.NDArray[np.integer]:
    import numpy as np

    if args.tokens is None:
        return np.array(model.tokenize(read_text(args.file)), np.int32)
    try:
        with open(args.tokens, "rb") as file:
            tokens: npt.NDArray[np.integer] = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OverflowError):
        raise ValueError(f"{args.tokens}: not a .npy file of token ids") from None
    if tokens.ndim != 1:
        raise ValueError(f"{args.tokens}: expected one array of token ids with one dimension")
    return tokens


def _perplexity(args: SimpleNamespace) -> None:
    exclusive({"-f": args.file, "--tokens": args.tokens})
    if args.file is None and args.tokens is None:
        raise UsageError("no text: expected -f FILE or --tokens FILE.npy")
    with load_model(args, screen="off") as model:  # all logits are needed
        default = _DEFAULT_WINDOW if args.n_ctx is None else model.info.n_ctx
        window = args.window or default
        tokens = _token_ids(args, model)
        if len(tokens) < window:
            raise ValueError(
                f"the text has {len(tokens)} tokens, expected a window of {window}; use --window N"
            )
        if args.chunks > 0:
            tokens = tokens[: args.chunks * window]

        def progress(nll: float, count: int) -> None:
            status_line(f"{count // (window - 1)}: {math.exp(min(nll / count, 700)):.4f}")

        print(f"perplexity {model.perplexity(tokens, window, progress):.4f} over {len(tokens)} tokens")


COMMAND = Command(
    "perplexity",
    "Measure how well a model predicts a text: exp of the mean -ln p of every token but the first of each window. "
    "(llama-perplexity counts the second half of each window only: its numbers are smaller.)",
    {"Text": _TEXT, "Model": MODEL},
    (
        "-m model.gguf -f wiki.test.raw -c 2048 --chunks 8",
        "-m model.gguf -f book.txt -c 4096 --window 512",
        "-m model.gguf --tokens ids.npy -t 4",
    ),
    _perplexity,
    takes_llama_flags=True,
    hints=_HINTS,
)
