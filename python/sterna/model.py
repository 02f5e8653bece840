"""Model: what sterna.load() returns."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .chat_template import build_prompt
from .stream import stream as stream_pieces

if TYPE_CHECKING:
    from typing_extensions import Unpack

PACKAGED_MODEL = Path(__file__).parent / "data" / "sterna-tiny.gguf"

Prompt = str | Sequence[int] | npt.NDArray[np.integer]


class GenerateOptions(TypedDict, total=False):
    """Keyword arguments of generate(), complete(), stream() and chat(). The defaults are those of llama-
    cli.
    """

    max_tokens: int  # -1: until the model ends or the context is full
    temperature: float  # 0.8; <= 0: greedy
    top_k: int  # 40; <= 0: off
    top_p: float  # 0.95; >= 1: off
    min_p: float  # 0.05; <= 0: off
    repeat_penalty: float  # 1: off
    repeat_last_n: int  # 64; -1: the whole context
    seed: int | None  # None: a new one each time. The same seed gives the same text on every machine.
    ignore_eos: bool  # go on after the end-of-generation tokens
    lookup: int  # 0: off; else guess up to so many tokens from repetitions: faster or slower, same result
    stop: str | Sequence[str]  # generation ends before any of these texts


_DEFAULTS: GenerateOptions = {
    "max_tokens": -1,
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "repeat_penalty": 1.0,
    "repeat_last_n": 64,
    "seed": None,
    "ignore_eos": False,
    "lookup": 0,
    "stop": (),
}


def _core_options(options: GenerateOptions) -> dict[str, Any]:
    if unknown := options.keys() - _DEFAULTS.keys():
        raise TypeError(
            f"unexpected keyword argument {min(unknown)!r}, expected one of {', '.join(_DEFAULTS)}"
        )
    result: dict[str, Any] = {**_DEFAULTS, **options}
    if result["seed"] is None:
        result["seed"] = secrets.randbits(64)
    if not 0 <= result["seed"] < 1 << 64:
        raise ValueError(f"[generate] seed, got {result['seed']}, expected 0 to 2**64 - 1 or None")
    stop = result["stop"]
    result["stop"] = [stop] if isinstance(stop, str) else list(stop)
    return result


def _token_ids(tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    ids = np.asarray(tokens)
    if ids.size == 0 and ids.ndim == 1:
        return np.empty(0, np.int32)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"tokens: got {ids.ndim} dimensions of {ids.dtype}, expected a sequence of integers")
    bounds = np.iinfo(np.int32)
    if ids.min() < bounds.min or ids.max() > bounds.max:
        raise ValueError("tokens: got an id that is not in the vocabulary, expected 32-bit integers")
    return np.ascontiguousarray(ids, np.int32)


def _encode_path(path: str | os.PathLike[str]) -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("path: got an embedded null byte, expected a file name")
    return name


def open_gguf(path: str | os.PathLike[str]) -> _core.GgufFile:
    """Open a GGUF file to look at its metadata and tensors; the model in it need not be supported."""
    return _core.GgufFile.open(_encode_path(path))


def load(
    path: str | os.PathLike[str] | None,
    *,
    n_threads: int | None = None,
    n_ctx: int | None = None,
    n_batch: int = 512,
    pre: str = "",
    activation: str = "",
    kv_type: str = "f16",
    screen: str = "auto",
    head_bits: int = 0,
    progress: Callable[[float], object] | None = None,
) -> Model:
    """Load a GGUF model; None is the small demonstration model in this package.

    n_threads: default the CPUs this process may use. n_ctx: tokens of context; default the model's, at most
    4096; 0 is the model's. n_batch: prompt tokens per pass. pre, activation: override the pre-tokenizer and
    the FFN activation. kv_type: of the KV cache, "f16" or "int8" (half the memory, faster at long context, a
    little less exact). screen ("auto", "on", "off"): compute only those logits of a large output matrix that
    sampling can choose from, found with 4-bit planes in additional memory; never changes a result. head_bits:
    quantize the output matrix to 8, 6 or 4 bits; 0 is as in the file. progress(fraction) is called with 0 to
    1; an exception in it, or returning False
    (KeyboardInterrupt), cancels.

    Raises FileNotFoundError, OSError, ValueError (a damaged file or a wrong argument), UnsupportedError,
    MemoryError.
    """
    name = _encode_path(PACKAGED_MODEL if path is None else path)
    return Model(
        _core.Model.load(
            name, n_threads, n_ctx, n_batch, pre, activation, kv_type, screen, head_bits, progress
        )
    )


class Model:
    """A model with one context. Calls from several threads take turns. Made by sterna.load()."""

    def __init__(self, core: _core.Model) -> None:
        self._core: _core.Model | None = core
        self._info = core.info
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread whose turn it is

    # --- life ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Free the weights. Afterwards every call but info is a ValueError."""
        self._core = None

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        i = self._info
        return f"<sterna.Model {i.name!r} {i.architecture} {i.main_format}, {i.n_params} parameters, {i.isa}>"

    def _open(self) -> _core.Model:
        if self._core is None:
            raise ValueError("the model is closed")
        return self._core

    @contextmanager
    def _turn(self) -> Iterator[_core.Model]:
        """The model for one call at a time. The thread that has it must not ask again: it would wait for
        itself.
        """
        if self._holder == threading.get_ident():
            raise RuntimeError(
                "the model is busy: finish or close its stream, or return from on_token, first"
            )
        with self._lock:
            self._holder = threading.get_ident()
            try:
                yield self._open()
            finally:
                self._holder = None

    # --- what it is ---------------------------------------------------------------------------------------

    @property
    def info(self) -> _core.ModelInfo:
        return self._info

    def tensors(self) -> list[_core.TensorInfo]:
        """Every tensor with its format and the kernel that multiplies with it."""
        return self._open().tensors()

    def metadata(self) -> dict[str, str]:
        """The file's keys with printable values; long arrays are shortened."""
        return self._open().metadata()

    # --- tokens -------------------------------------------------------------------------------------------

    def tokenize(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """Token ids of a text. add_special: bos (eos) as the model asks. parse_special: "<|eot_id|>" is
        that token.
        """
        return self._open().tokenize(text.encode(), add_special, parse_special)

    def detokenize(self, tokens: Sequence[int] | npt.NDArray[np.integer], special: bool = False) -> str:
        """The text of token ids. special: print control tokens too."""
        ids = _token_ids(tokens)
        if ids.size and not 0 <= ids.min() <= ids.max() < self._info.n_vocab:
            last = self._info.n_vocab - 1
            raise ValueError(f"[detokenize] token, got {ids.min()} to {ids.max()}, expected 0 to {last}")
        return self._open().detokenize(ids, special)

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return self._open().is_eog(token)

    def _prompt_ids(self, prompt: Prompt) -> npt.NDArray[np.int32]:
        # Not tokenize(): what is to be continued never ends with an eos.
        return _token_ids(self._open().prompt_tokens(prompt.encode()) if isinstance(prompt, str) else prompt)

    # --- numbers ------------------------------------------------------------------------------------------

    def forward(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Logits (n_tokens, n_vocab) of a sequence from an empty context: row i predicts token i + 1."""
        ids = _token_ids(tokens)
        if ids.size > self._info.n_ctx:  # before the result is allocated
            raise ValueError(
                f"[forward] tokens, got {ids.size}, expected at most the context, {self._info.n_ctx}"
            )
        with self._turn() as core:
            logits = np.empty((ids.size, self._info.n_vocab), np.float32)
            core.forward(ids, logits)
        return logits

    def perplexity(
        self,
        tokens: Sequence[int] | npt.NDArray[np.integer],
        window: int = 512,
        progress: Callable[[float, int], object] | None = None,
    ) -> float:
        """exp of the mean -ln p over consecutive windows, each from an empty context.

        progress(nll, count) gets the sums so far after each window.
        """
        if window < 0:
            raise ValueError(f"[perplexity] window, got {window}, expected at least 2")
        with self._turn() as core:
            nll, count = core.perplexity(_token_ids(tokens), window, progress)
        return float(np.exp(nll / count))

    def bench(self, n_prompt: int, n_gen: int, n_depth: int = 0) -> float:
        """Seconds to process a prompt of n_prompt tokens and then decode n_gen, after n_depth tokens of
        context.
        """
        if min(n_prompt, n_gen, n_depth) < 0:
            raise ValueError(
                f"[bench] tokens, got {n_prompt}, {n_gen}, {n_depth}, expected none to be negative"
            )
        with self._turn() as core:
            return core.bench(n_prompt, n_gen, n_depth)

    # --- text ---------------------------------------------------------------------------------------------

    def complete(
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> _core.Completion:
        """Generate after a text or token ids; gives text, tokens, the reason for the stop and timings.

        on_token(token) sees every token; returning False stops, an exception stops and is raised again.
        Ctrl-C raises KeyboardInterrupt. The model stays usable after either. See GenerateOptions for the
        keyword arguments.
        """
        arguments = _core_options(options)
        ids = self._prompt_ids(prompt)
        with self._turn() as core:
            return core.generate(ids, on_token=on_token, keep_going=None, **arguments)

    def generate(
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> str:
        """The text that follows a text or token ids; complete() without the details."""
        return self.complete(prompt, on_token=on_token, **options).text

    def stream(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Iterator[str]:
        """Pieces of text as they are generated. Closing or dropping the iterator stops the generation."""
        return self._pieces(self._prompt_ids(prompt), _core_options(options))

    def _pieces(self, ids: npt.NDArray[np.int32], arguments: dict[str, Any]) -> Iterator[str]:
        with self._turn() as core:
            yield from stream_pieces(
                lambda on_piece, keep_going: core.generate(
                    ids, on_token=lambda token: on_piece(token.text), keep_going=keep_going, **arguments
                )
            )

    # --- chat ---------------------------------------------------------------------------------------------

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool = True,
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        template: str | None = None,
        **variables: Any,
    ) -> str:
        """The prompt text of a conversation, rendered by the file's Jinja template (or `template`) in a
        sandbox.

        messages: [{"role": "user", "content": "..."}, ...]. Further keyword arguments are variables of the
        template. Raises ValueError for an error in the template or raised by it.
        """
        variables |= {"add_generation_prompt": add_generation_prompt, "tools": tools}
        return build_prompt(self, messages, template, variables).text

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[False] = False,
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> str: ...

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Iterator[str]: ...

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> str | Iterator[str]:
        """The assistant's answer to a conversation, as text or, with stream=True, as an iterator of pieces.

        template_variables: variables of the template, e.g. {"enable_thinking": False}. Special tokens
        written in the messages' texts are encoded as text: a user cannot end his turn or open another.
        """
        variables = {**(template_variables or {}), "add_generation_prompt": True, "tools": tools}
        arguments = _core_options(options)
        prompt = build_prompt(self, messages, template, variables)
        arguments["stop"] += prompt.stop
        ids = _token_ids(prompt.tokens)
        if stream:
            return self._pieces(ids, arguments)
        with self._turn() as core:
            return core.generate(ids, on_token=None, keep_going=None, **arguments).text
