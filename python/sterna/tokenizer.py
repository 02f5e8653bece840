"""Tokenizer: the vocabulary of a GGUF file, without its weights."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import boolean, file_name, integer, optional, string
from .prompts import token_ids


class Tokenizer:
    """Text to token ids and back. Made by Tokenizer.load(); a model has the same one in itself."""

    def __init__(self, core: _core.Tokenizer) -> None:
        self._core = core

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, pre: str | None = None) -> Tokenizer:
        """Read the tokenizer of a GGUF file; one that holds a vocabulary and no weights will do.

        pre overrides the pre-tokenizer that the file names. Raises FileNotFoundError, OSError, ValueError (a
        damaged file), UnsupportedError, MemoryError.
        """
        return cls(_core.Tokenizer.load(file_name(path), optional(string, "[load] pre", pre, "")))

    def encode(
        self, text: str, add_special: bool | None = False, parse_special: bool | None = False
    ) -> list[int]:
        """Token ids of a text.

        add_special: with bos and eos, if the file asks for them and the text does not have them already.
        parse_special: "<|eot_id|>" is that token; else a text never becomes a control token.
        """
        return self._core.encode(
            string("[encode] text", text).encode(),
            optional(boolean, "[encode] add_special", add_special, False),
            optional(boolean, "[encode] parse_special", parse_special, False),
        )

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer], special: bool | None = False) -> str:
        """The text of token ids. special: print control tokens too.

        It is the text that was encoded, except that some tokenizers (Qwen's) compose characters first (Unicode
        NFC). Raises ValueError for an id outside the vocabulary; bytes that are no UTF-8 become U+FFFD.
        """
        array = token_ids("[decode] ids", ids)
        if array.size and not 0 <= array.min() <= array.max() < len(self):
            raise ValueError(
                f"[decode] token, got {array.min()} to {array.max()}, expected 0 to {len(self) - 1}"
            )
        return self._core.decode(array, optional(boolean, "[decode] special", special, False))

    def __len__(self) -> int:
        return len(self._core)

    @property
    def n_vocab(self) -> int:
        """Number of tokens; also len()."""
        return len(self)

    @property
    def model(self) -> str:
        """ "gpt2" (byte-level BPE) or "llama" (SentencePiece)."""
        return self._core.model

    @property
    def pre(self) -> str:
        """Name of the pre-tokenizer; empty for "llama", which has none."""
        return self._core.pre

    @property
    def bos(self) -> int:
        """Id of the token that begins a text; -1 if the file names none."""
        return self._core.bos

    @property
    def eos(self) -> int:
        """Id of the token that ends a text; -1 if the file names none."""
        return self._core.eos

    @property
    def eot(self) -> int:
        """Id of the token that ends a turn of a conversation; -1 if there is none."""
        return self._core.eot

    @property
    def add_bos(self) -> bool:
        """Whether add_special puts bos before a text."""
        return self._core.add_bos

    @property
    def add_eos(self) -> bool:
        """Whether add_special puts eos after a text. Prompts of a model never get it."""
        return self._core.add_eos

    @property
    def warnings(self) -> list[str]:
        """What had to be guessed or ignored."""
        return self._core.warnings

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return self._core.is_eog(integer("[is_eog] token", token))

    def token_text(self, token: int) -> str:
        """The vocabulary's own text of a token; empty for an id outside it."""
        return self._core.text(integer("[token_text] token", token))

    def __repr__(self) -> str:
        pre = f" {self.pre!r}" if self.pre else ""
        return f"<sterna.Tokenizer {self.model!r}{pre}, {len(self)} tokens>"
