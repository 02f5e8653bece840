"""Model: what sterna.load() returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import (
    boolean,
    count,
    function,
    integer,
    mapping,
    optional,
    string,
    wrong_type,
)
from .chat_template import build_prompt
from .option_types import GenerateOptions, LoadOptions
from .options import generate_options, load_options, with_options
from .stream import stream as stream_pieces
from .turn import Turn

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Not where the module is made: no Python code may run there, lest it find the interpreter ending.
Mapping.register(_core.GgufFile)

PACKAGED_MODEL = Path(__file__).parent / "data" / "sterna-tiny.gguf"

Prompt = str | Sequence[int] | npt.NDArray[np.integer]


class _Options(GenerateOptions, total=False):
    """And other names that programs use for them."""

    max_new_tokens: int | None
    n_predict: int | None
    temp: float | None


def _token_ids(name: str, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    try:
        ids = np.asarray(tokens)
    except ValueError:  # rows of different lengths
        raise wrong_type(name, tokens, "a sequence of integers") from None
    if ids.size == 0 and ids.ndim == 1:
        return np.empty(0, np.int32)
    huge = ids.dtype == object and all(isinstance(token, int) for token in ids.flat)
    if ids.ndim != 1 or not (huge or np.issubdtype(ids.dtype, np.integer)):
        got = f"{ids.ndim} dimensions of {ids.dtype}" if ids.ndim else repr(type(tokens).__name__)
        raise TypeError(f"{name}: got {got}, expected a sequence of integers")
    bounds = np.iinfo(np.int32)
    if ids.min() < bounds.min or ids.max() > bounds.max:
        raise ValueError(f"{name}: got a token id outside the vocabulary, expected 32-bit integers")
    return np.ascontiguousarray(ids, np.int32)


def _encode_path(path: str | os.PathLike[str]) -> bytes:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise wrong_type("path", path, "a str or a path")
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("path: got an embedded null byte, expected a file name")
    return name


def open_gguf(path: str | os.PathLike[str]) -> _core.GgufFile:
    """Open a GGUF file to look at its metadata and tensors; the model in it need not be supported.

    The result is a mapping from metadata keys to values and has tensors(), whose `data` are numpy arrays of
    the mapped file: do not shorten or overwrite a file that is open here; rename another one over it.
    """
    return _core.GgufFile.open(_encode_path(path))


@with_options("load")
def load(
    path: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[float], object] | None = None,
    **options: Unpack[LoadOptions],
) -> Model:
    """Load a GGUF model; without a path, the small demonstration model in this package.

    progress(fraction) is called with 0 to 1; an exception in it, or returning False (KeyboardInterrupt),
    cancels. LoadOptions are the other keyword arguments. None means the default everywhere.

    Raises FileNotFoundError, OSError, ValueError (a damaged file or a wrong argument), TypeError,
    UnsupportedError, MemoryError.
    """
    return Model(
        _core.Model.load(
            _encode_path(PACKAGED_MODEL if path is None else path),
            load_options(options),
            optional(function, "[load] progress", progress, None),
        )
    )


class Model:
    """A model with one context. Made by sterna.load().

    Calls from several threads take turns, in the order in which they came. A stream has its turn from the
    first piece to the last; when another call waits for it, it is generated to its end ahead of its reader,
    so close a stream that you do not finish. A call from a callback of a call on the same model is a
    RuntimeError. In a process made by fork the model works if no other thread was using it, and else every
    call is a RuntimeError.
    """

    def __init__(self, core: _core.Model) -> None:
        self._core: _core.Model | None = core
        self._info = core.info
        self._turns = Turn()

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
        with self._turns.take():
            yield self._open()

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

    def tokenize(
        self, text: str, add_special: bool | None = True, parse_special: bool | None = True
    ) -> list[int]:
        """Token ids of a text. add_special: bos (eos) as the model asks. parse_special: "<|eot_id|>" is
        that token.
        """
        add_special = optional(boolean, "[tokenize] add_special", add_special, True)
        parse_special = optional(boolean, "[tokenize] parse_special", parse_special, True)
        encoded = string("[tokenize] text", text).encode()
        return self._open().tokenize(encoded, add_special, parse_special)

    def detokenize(
        self, tokens: Sequence[int] | npt.NDArray[np.integer], special: bool | None = False
    ) -> str:
        """The text of token ids. special: print control tokens too."""
        special = optional(boolean, "[detokenize] special", special, False)
        ids = _token_ids("tokens", tokens)
        if ids.size and not 0 <= ids.min() <= ids.max() < self._info.n_vocab:
            last = self._info.n_vocab - 1
            raise ValueError(f"[detokenize] token, got {ids.min()} to {ids.max()}, expected 0 to {last}")
        return self._open().detokenize(ids, special)

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return self._open().is_eog(integer("[is_eog] token", token))

    def _prompt_ids(self, prompt: Prompt) -> npt.NDArray[np.int32]:
        if isinstance(prompt, str):  # not tokenize(): what is to be continued never ends with an eos
            return _token_ids("prompt", self._open().prompt_tokens(string("prompt", prompt).encode()))
        if prompt is None or isinstance(prompt, (bytes, bytearray)):
            raise wrong_type("prompt", prompt, "a str or a sequence of integers (token ids)")
        return _token_ids("prompt", prompt)

    # --- numbers ------------------------------------------------------------------------------------------

    def forward(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Logits (n_tokens, n_vocab) of a sequence from an empty context: row i predicts token i + 1."""
        ids = _token_ids("tokens", tokens)
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
        window: int | None = 512,
        progress: Callable[[float, int], object] | None = None,
    ) -> float:
        """exp of the mean -ln p over consecutive windows, each from an empty context.

        progress(nll, count) gets the sums so far after each window.
        """
        window = optional(count, "[perplexity] window", window, 512)
        progress = optional(function, "[perplexity] progress", progress, None)
        ids = _token_ids("tokens", tokens)
        with self._turn() as core:
            nll, n = core.perplexity(ids, window, progress)
        return float(np.exp(nll / n))

    def bench(self, n_prompt: int, n_gen: int, n_depth: int | None = 0) -> float:
        """Seconds to process a prompt of n_prompt tokens and then decode n_gen, after n_depth tokens of
        context.
        """
        sizes = (
            count("[bench] n_prompt", n_prompt),
            count("[bench] n_gen", n_gen),
            optional(count, "[bench] n_depth", n_depth, 0),
        )
        with self._turn() as core:
            return core.bench(*sizes)

    # --- text ---------------------------------------------------------------------------------------------

    def complete(
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        **options: Unpack[_Options],
    ) -> _core.Completion:
        """Generate after a text or token ids; gives text, tokens, the reason for the stop and timings.

        on_token(token) sees every token; returning False stops, an exception stops and is raised again.
        Ctrl-C raises KeyboardInterrupt. The model stays usable after either. See GenerateOptions for the
        keyword arguments.
        """
        arguments = generate_options(options)
        on_token = optional(function, "[generate] on_token", on_token, None)
        ids = self._prompt_ids(prompt)
        with self._turn() as core:
            return core.generate(ids, arguments, on_token=on_token, keep_going=None)

    def generate(
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        **options: Unpack[_Options],
    ) -> str:
        """The text that follows a text or token ids; complete() without the details."""
        return self.complete(prompt, on_token=on_token, **options).text

    def stream(self, prompt: Prompt, **options: Unpack[_Options]) -> Iterator[str]:
        """Pieces of text as they are generated, for any thread to read. Closing or dropping the iterator
        stops the generation.
        """
        return self._pieces(self._prompt_ids(prompt), generate_options(options))

    def _pieces(self, ids: npt.NDArray[np.int32], arguments: dict[str, Any]) -> Iterator[str]:
        return stream_pieces(
            self._turns,
            lambda on_piece, keep_going: self._open().generate(
                ids, arguments, on_token=lambda token: on_piece(token.text), keep_going=keep_going
            ),
        )

    # --- chat ---------------------------------------------------------------------------------------------

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool | None = True,
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
        where = "[apply_chat_template]"
        template = optional(string, f"{where} template", template, None)
        generate = optional(boolean, f"{where} add_generation_prompt", add_generation_prompt, True)
        variables |= {"add_generation_prompt": generate, "tools": tools}
        return build_prompt(self, messages, template, variables).text

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[False] | None = False,
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[_Options],
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
        **options: Unpack[_Options],
    ) -> Iterator[str]: ...

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool | None = False,
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[_Options],
    ) -> str | Iterator[str]:
        """The assistant's answer to a conversation, as text or, with stream=True, as an iterator of pieces.

        template_variables: variables of the template, e.g. {"enable_thinking": False}. Special tokens
        written in the messages' texts are encoded as text: a user cannot end his turn or open another.
        """
        stream = optional(boolean, "[chat] stream", stream, False)
        template = optional(string, "[chat] template", template, None)
        given = optional(mapping, "[chat] template_variables", template_variables, {})
        variables = {**given, "add_generation_prompt": True, "tools": tools}
        arguments = generate_options(options)
        prompt = build_prompt(self, messages, template, variables)
        arguments["stop"] += prompt.stop
        ids = _token_ids("prompt", prompt.tokens)
        if stream:
            return self._pieces(ids, arguments)
        with self._turn() as core:
            return core.generate(ids, arguments, on_token=None, keep_going=None).text
