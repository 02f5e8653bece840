"""What Model and Session have in common: both continue a sequence of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import function, optional, string, wrong_type
from .option_types import GenerateOptions
from .options import generate_options
from .prompts import Prompt, token_ids
from .stream import stream as stream_pieces
from .turn import Turn

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Core = TypeVar("Core", _core.Model, _core.Session)


class Options(GenerateOptions, total=False):
    """And other names that programs use for them."""

    max_new_tokens: int | None
    n_predict: int | None
    temp: float | None


class TokenSequence(Generic[Core]):
    def __init__(self, core: Core, info: _core.ModelInfo, turns: Turn) -> None:
        self._core: Core | None = core
        self._info = info
        self._turns = turns

    # --- life ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        self._core = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Core:
        """ValueError if it is closed."""
        raise NotImplementedError

    @contextmanager
    def _turn(self) -> Iterator[Core]:
        with self._turns.take():
            yield self._open()

    # --- what it does -------------------------------------------------------------------------------------

    def _prompt_tokens(self, text: bytes) -> list[int]:
        raise NotImplementedError

    def _prompt_ids(self, prompt: Prompt, name: str = "prompt") -> npt.NDArray[np.int32]:
        if isinstance(prompt, str):  # not tokenize(): what is to be continued never ends with an eos
            return token_ids(name, self._prompt_tokens(string(name, prompt).encode()))
        if prompt is None or isinstance(prompt, (bytes, bytearray)):
            raise wrong_type(name, prompt, "a str or a sequence of integers (token ids)")
        return token_ids(name, prompt)

    def _logits(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        ids = token_ids("tokens", tokens)
        if ids.size > self._info.n_ctx:  # before the result is allocated
            raise ValueError(
                f"[forward] tokens, got {ids.size}, expected at most the context, {self._info.n_ctx}"
            )
        with self._turn() as core:
            logits = np.empty((ids.size, self._info.n_vocab), np.float32)
            core.forward(ids, logits)
        return logits

    def complete(
        self,
        prompt: Prompt,
        *,
        on_token: Callable[[_core.Token], object] | None = None,
        **options: Unpack[Options],
    ) -> _core.Completion:
        """Generate after a text or token ids; gives text, tokens, the reason for the stop and timings.

        on_token(token) sees every token; returning False stops, an exception stops and is raised again.
        Ctrl-C raises KeyboardInterrupt. It stays usable after either. See GenerateOptions for the keyword
        arguments.
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
        **options: Unpack[Options],
    ) -> str:
        """The text that follows a text or token ids; complete() without the details."""
        return self.complete(prompt, on_token=on_token, **options).text

    def stream(self, prompt: Prompt, **options: Unpack[Options]) -> Iterator[str]:
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
