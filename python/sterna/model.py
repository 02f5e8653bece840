"""Model: what sterna.load() returns."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import (
    boolean,
    count,
    file_name,
    function,
    integer,
    mapping,
    optional,
    string,
)
from .chat_template import build_prompt
from .option_types import LoadOptions
from .options import generate_options, load_options, options_of_each, with_options
from .prompts import Prompt, Prompts, is_list, token_ids
from .sequence import Options, TokenSequence
from .session import Session, session_list
from .threads import Threads, shared
from .turn import Turn

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Not where the module is made: no Python code may run there, lest it find the interpreter ending.
Mapping.register(_core.GgufFile)

PACKAGED_MODEL = Path(__file__).parent / "data" / "sterna-tiny.gguf"


def open_gguf(path: str | os.PathLike[str]) -> _core.GgufFile:
    """Open a GGUF file to look at its metadata and tensors; the model in it need not be supported.

    The result is a mapping from metadata keys to values and has tensors(), whose `data` are numpy arrays of
    the mapped file: do not shorten or overwrite a file that is open here; rename another one over it.
    """
    return _core.GgufFile.open(file_name(path))


@with_options("load")
def load(
    path: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[float], object] | None = None,
    threads: Threads | None = None,
    **options: Unpack[LoadOptions],
) -> Model:
    """Load a GGUF model; without a path, the small demonstration model in this package.

    progress(fraction) is called with 0 to 1; an exception in it, or returning False (KeyboardInterrupt),
    cancels. threads: shared with other models, in place of n_threads of its own. LoadOptions are the other
    keyword arguments. None means the default everywhere.

    Raises FileNotFoundError, OSError, ValueError (a damaged file or a wrong argument), TypeError,
    UnsupportedError, MemoryError.
    """
    return Model(
        _core.Model.load(
            file_name(PACKAGED_MODEL if path is None else path),
            load_options(options),
            optional(function, "[load] progress", progress, None),
            optional(shared, "[load] threads", threads, None),
        )
    )


class Model(TokenSequence[_core.Model]):
    """A model with one context; session() makes more. Made by sterna.load().

    Calls from several threads take turns, in the order in which they came. A stream has its turn from the
    first piece to the last; when another call waits for it, it is generated to its end ahead of its reader,
    so close a stream that you do not finish. A call from a callback of a call on the same model is a
    RuntimeError. In a process made by fork the model works if no other thread was using it, and else every
    call is a RuntimeError.
    """

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core, core.info, Turn())
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()

    # --- life ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Free the weights and the sessions. Afterwards every call but info is a ValueError."""
        super().close()
        for session in list(self._sessions):
            session.close()

    def _open(self) -> _core.Model:
        if self._core is None:
            raise ValueError("the model is closed")
        return self._core

    def __repr__(self) -> str:
        i = self._info
        return f"<sterna.Model {i.name!r} {i.architecture} {i.main_format}, {i.n_params} parameters, {i.isa}>"

    def session(self) -> Session:
        """A new, empty sequence beside the model's own and others."""
        return Session(self._open().session(), self)

    def load_session(self, path: str | os.PathLike[str]) -> Session:
        """The session that Session.save() wrote.

        Raises FileNotFoundError, OSError, ValueError (a file that is damaged, or no session), UnsupportedError
        (a session of another model, KV type or version, or longer than the context), MemoryError.
        """
        return Session(self._open().load_session(file_name(path)), self)

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
        ids = token_ids("tokens", tokens)
        if ids.size and not 0 <= ids.min() <= ids.max() < self._info.n_vocab:
            last = self._info.n_vocab - 1
            raise ValueError(f"[detokenize] token, got {ids.min()} to {ids.max()}, expected 0 to {last}")
        return self._open().detokenize(ids, special)

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return self._open().is_eog(integer("[is_eog] token", token))

    def _prompt_tokens(self, text: bytes) -> list[int]:
        return self._open().prompt_tokens(text)

    # --- numbers ------------------------------------------------------------------------------------------

    def forward(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Logits (n_tokens, n_vocab) of a sequence from an empty context: row i predicts token i + 1."""
        return self._logits(tokens)

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
        ids = token_ids("tokens", tokens)
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

    @overload  # a str is a Sequence[str], too
    def complete(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        sessions: None = None,
        **options: Unpack[Options],
    ) -> _core.Completion: ...

    @overload
    def complete(
        self,
        prompt: Prompts,
        *,
        on_token: Callable[[int, _core.Token], object] | None = None,
        sessions: Sequence[Session | None] | None = None,
        **options: Unpack[Options],
    ) -> list[_core.Completion]: ...

    def complete(
        self,
        prompt: Prompt | Prompts,
        *,
        on_token: Callable[..., object] | None = None,
        sessions: Sequence[Session | None] | None = None,
        **options: Unpack[Options],
    ) -> _core.Completion | list[_core.Completion]:
        """Generate after a text or token ids; gives text, tokens, the reason for the stop and timings.

        on_token(token) sees every token; returning False stops, an exception stops and is raised again.
        Ctrl-C raises KeyboardInterrupt. The model stays usable after either. See GenerateOptions for the
        keyword arguments.

        For a list of prompts (a list of integers is one prompt) the texts are generated together, which takes
        less time where a model is larger than the caches, and the result is a list. With a seed each is the
        text that this prompt alone has with the seed; without, each prompt gets its own.
        on_token(index, token) returning False stops that text. sessions: for each prompt a session of this
        model to continue it in, or None.
        """
        return self._complete(prompt, on_token, sessions, options)

    def _complete(self, prompt: Any, on_token: Any, sessions: Any, options: Mapping[str, Any]) -> Any:
        if not is_list(prompt):
            if sessions is not None:
                raise TypeError("[generate] sessions, got it for one prompt, expected a list of prompts")
            return super().complete(prompt, on_token=on_token, **options)
        n = len(prompt)
        arguments = options_of_each(options, n)
        on_token = optional(function, "[generate] on_token", on_token, None)
        chosen = [None] * n if sessions is None else session_list("[generate] sessions", sessions, n)
        ids = [self._prompt_ids(p, f"prompt {i}") for i, p in enumerate(prompt)]
        with self._turn() as core:
            cores = [None if s is None else s._open() for s in chosen]
            return core.generate_many(list(zip(ids, arguments, cores, strict=True)), on_token)

    @overload  # a str is a Sequence[str], too
    def generate(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        sessions: None = None,
        **options: Unpack[Options],
    ) -> str: ...

    @overload
    def generate(
        self,
        prompt: Prompts,
        *,
        on_token: Callable[[int, _core.Token], object] | None = None,
        sessions: Sequence[Session | None] | None = None,
        **options: Unpack[Options],
    ) -> list[str]: ...

    def generate(
        self,
        prompt: Prompt | Prompts,
        *,
        on_token: Callable[..., object] | None = None,
        sessions: Sequence[Session | None] | None = None,
        **options: Unpack[Options],
    ) -> str | list[str]:
        """The text that follows a text or token ids, or a list of them; complete() without the details."""
        done = self._complete(prompt, on_token, sessions, options)
        return [c.text for c in done] if isinstance(done, list) else done.text

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
        **options: Unpack[Options],
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
        **options: Unpack[Options],
    ) -> Iterator[str]: ...

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool | None = False,
        template: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
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
        ids = token_ids("prompt", prompt.tokens)
        if stream:
            return self._pieces(ids, arguments)
        with self._turn() as core:
            return core.generate(ids, arguments, on_token=None, keep_going=None).text
