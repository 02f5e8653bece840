"""Tokens of a rendered conversation. Only the template's own words become control tokens.

Control tokens delimit turns; the same words in a message are just text, or a user could forge the turns of
others. A conversation without such words in it is encoded in one piece, as other programs do; otherwise it is
cut at the template's control tokens, and what is between them is encoded as plain text, across the borders of
template and messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from .template.text import Text, runs


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    def tokenize(self, text: str, add_special: bool = ..., parse_special: bool = ...) -> list[int]: ...
    def detokenize(self, tokens: Sequence[int], special: bool = ...) -> str: ...


def encode(tokenizer: Encoder, text: Text) -> list[int]:
    """Token ids without bos and eos."""
    tokens = tokenizer.tokenize(text, False, True)
    controls = _controls(tokenizer, text, tokens)
    if not controls:
        return tokens
    found = _find(text, set(controls))
    same = [text[begin:end] for begin, end in found] == controls  # as the tokenizer found them
    if same and all(0 not in text.origin[begin:end] for begin, end in found):
        return tokens
    return _encode_cut(tokenizer, text)


def _controls(tokenizer: Encoder, text: str, tokens: list[int]) -> list[str]:
    """The words of those tokens that are not in them when control tokens are not looked for."""
    if tokens == tokenizer.tokenize(text, False, False):
        return []
    words = {i: tokenizer.detokenize([i], True) for i in set(tokens) if not tokenizer.detokenize([i])}
    return [word for i in tokens if (word := words.get(i)) and word in text]


def _find(text: str, words: set[str]) -> list[tuple[int, int]]:
    """Begin and end of words in a text, as the tokenizer looks for them: longer ones first, wherever they are."""
    found: list[tuple[int, int]] = []
    pieces = [(0, len(text))]  # in which nothing was found yet
    by_size: dict[int, list[str]] = {}
    for word in words:
        by_size.setdefault(len(word.encode()), []).append(word)
    for size in sorted(by_size, reverse=True):
        pattern = re.compile("|".join(map(re.escape, sorted(by_size[size]))))
        rest = []
        for begin, end in pieces:
            for match in pattern.finditer(text, begin, end):
                found.append(match.span())
                rest.append((begin, match.start()))
                begin = match.end()
            rest.append((begin, end))
        pieces = rest
    return sorted(found)


def _encode_cut(tokenizer: Encoder, text: Text) -> list[int]:
    tokens: list[int] = []
    at = 0
    for begin, end, is_template in runs(text):
        if not is_template:
            continue
        piece = str(text[begin:end])
        words = set(_controls(tokenizer, piece, tokenizer.tokenize(piece, False, True)))
        for word_begin, word_end in _find(piece, words):
            plain = str(text[at : begin + word_begin])
            tokens += tokenizer.tokenize(plain, False, False) if plain else []
            tokens += tokenizer.tokenize(piece[word_begin:word_end], False, True)
            at = begin + word_end
    plain = str(text[at:])
    return tokens + (tokenizer.tokenize(plain, False, False) if plain else [])
