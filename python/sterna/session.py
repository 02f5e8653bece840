"""Session: what Model.session() returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import count, file_name, wrong_type
from .sequence import TokenSequence

if TYPE_CHECKING:
    from .model import Model


class Session(TokenSequence[_core.Session]):
    """A sequence of tokens with what a model keeps for them. Made by Model.session(), Model.load_session()
    and fork(); any number may share a model.

    Prompts are the whole text from its beginning, of which what the session (or another one) has seen
    already is not computed again. Sessions that begin with the same 256, 512, ... tokens share the memory of
    these. Its calls take turns with those of the model, also in callbacks and forked processes (see Model).
    """

    def __init__(self, core: _core.Session, model: Model) -> None:
        super().__init__(core, model.info, model._turns)
        self._model = model
        model._sessions.add(self)

    def close(self) -> None:
        """Free its memory. Afterwards every call is a ValueError, as when the model is closed."""
        super().close()

    def _open(self) -> _core.Session:
        self._model._open()
        if self._core is None:
            raise ValueError("the session is closed")
        return self._core

    def _prompt_tokens(self, text: bytes) -> list[int]:
        self._open()
        return self._model._prompt_tokens(text)

    def __repr__(self) -> str:
        state = "busy"
        try:
            with self._turns.take(lambda: False) as granted:
                if granted:
                    state = f"{len(self._open())} tokens"
        except ValueError:
            state = "closed"
        except RuntimeError:  # in a callback
            pass
        return f"<sterna.Session of {self._info.name!r}, {state}>"

    @property
    def tokens(self) -> list[int]:
        """The token ids that the model has seen, from position 0. After generate() these are the prompt and
        what was generated, but for the last token or two, which the model has not seen.
        """
        with self._turn() as core:
            return core.tokens

    def __len__(self) -> int:
        """How many tokens there are."""
        with self._turn() as core:
            return len(core)

    def forward(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Append tokens. Gives their logits (n_tokens, n_vocab): row i predicts what follows tokens[i].

        Raises ValueError, without a change, for no tokens, ids outside the vocabulary, and more tokens than
        the context has room for.
        """
        return self._logits(tokens)

    def truncate(self, n: int) -> None:
        """Forget all but the first n tokens. Raises ValueError if there are fewer.

        Where the model's attention has a window, what is out of it is not kept: tokens that would see it
        again are run again, which takes their time and changes nothing.
        """
        n = count("[truncate] n", n)
        with self._turn() as core:
            core.truncate(n)

    def fork(self) -> Session:
        """Another session with the same tokens, which shares their memory until one of the two changes it."""
        with self._turn() as core:
            return Session(core.fork(), self._model)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that Model.load_session() reads, also on another machine. Raises OSError."""
        name = file_name(path)
        with self._turn() as core:
            core.save(name)


def session_list(name: str, value: Any, n: int) -> list[Session | None]:
    """A session or None for each of n prompts."""
    if isinstance(value, Session) or not isinstance(value, Sequence):
        raise wrong_type(name, value, "a list with a Session or None for each prompt")
    for i, item in enumerate(value):
        if not isinstance(item, Session | None):
            raise wrong_type(f"{name}[{i}]", item, "a Session or None")
    if len(value) != n:
        raise ValueError(f"{name}, got {len(value)} for {n} prompts, expected one for each")
    return list(value)
