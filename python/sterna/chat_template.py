"""From a conversation to tokens: the choice of the template, and protection from special tokens in messages.

Special tokens in a template delimit turns; the same texts in a message are just text, or a user could forge
the turns of others. So before rendering, each occurrence in the caller's data is replaced by one
private-use character, and the rendered text is encoded in pieces: the template's own with special tokens,
the replaced texts without. A conversation without such texts is encoded in one piece, as other programs do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .chat_messages import normalise
from .jinja_sandbox import render

_log = logging.getLogger("sterna")

# The format that BitNet b1.58 2B4T was trained with.
BITNET = (
    "{{ bos_token }}{% for m in messages %}{{ m.role | capitalize }}: {{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_NAMED = "tokenizer.chat_template."  # keys of further templates in a file
_NAMED_FOR = {"tools": "tool_use", "documents": "rag"}  # names that Hugging Face gave them

_PRIVATE_USE = range(0xF0000, 0xFFFFE)


class Info(Protocol):
    """What is needed of ModelInfo."""

    @property
    def architecture(self) -> str: ...
    @property
    def chat_template(self) -> str: ...
    @property
    def bos_text(self) -> str: ...
    @property
    def eos_text(self) -> str: ...
    @property
    def add_bos(self) -> bool: ...
    @property
    def bos(self) -> int: ...


class Tokenizer(Protocol):
    """What is needed of Model."""

    @property
    def info(self) -> Info: ...
    def metadata(self) -> dict[str, str]: ...
    def tokenize(self, text: str, add_special: bool = ..., parse_special: bool = ...) -> list[int]: ...
    def detokenize(self, tokens: Sequence[int], special: bool = ...) -> str: ...


@dataclass(frozen=True)
class ChatPrompt:
    text: str
    tokens: list[int]
    stop: list[str]  # texts that end the answer, where the vocabulary has no token for it


def choose_template(tokenizer: Tokenizer, wanted: str | None, data: Mapping[str, Any]) -> str:
    """The caller's source or name of a template in the file; else the file's for tools or documents, if there
    are such; else its main one; BitNet's documented format instead of the dummy of its first converter; or else
    ChatML.
    """
    named = tokenizer.metadata()
    if wanted:
        return named.get(_NAMED + wanted, wanted)
    for variable, name in _NAMED_FOR.items():
        if data.get(variable) and (source := named.get(_NAMED + name)):
            return source
    info = tokenizer.info
    source = info.chat_template or named.get(_NAMED + "default", "")
    if info.architecture.startswith("bitnet") and (not source or "BITNETAssistant" in source):
        return BITNET
    if not source:
        _log.warning("the model has no chat template: using ChatML, which it may not know")
        return CHATML
    return source


def _map_strings(
    value: Any, change: Callable[[str], str], where: str = "", change_key: Callable[[str], str] = str
) -> Any:
    """A copy of plain data with every string changed, but those that templates compare (roles, types)."""
    if isinstance(value, str):
        return change(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        result = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: got a key of type {type(key).__name__}, expected str")
            fixed = key in ("role", "type") and isinstance(item, str)
            result[change_key(key)] = (
                item if fixed else _map_strings(item, change, f"{where}.{key}", change_key)
            )
        return result
    if isinstance(value, (list, tuple)):
        return [_map_strings(item, change, f"{where}[{i}]", change_key) for i, item in enumerate(value)]
    raise TypeError(
        f"{where}: got {type(value).__name__}, expected plain data (text, numbers, lists, mappings)"
    )


def _strings(value: Any, key: str = "") -> Iterable[tuple[str, str]]:
    """Every string with the key under which it stands; keys themselves under ""."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield "", name
            yield from _strings(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, key)


def _joined(data: Any) -> list[str]:
    """What a template may put side by side: the values of one key, e.g. all texts."""
    by_key: dict[str, list[str]] = {}
    for key, text in _strings(data):
        by_key.setdefault(key, []).append(text.strip())
    return ["".join(texts) for texts in by_key.values()]


class _Marks:
    """Private-use characters in place of special tokens' texts."""

    def __init__(self, tokenizer: Tokenizer, taken: str) -> None:
        self._tokenizer = tokenizer
        self._taken = set(taken)
        self._marks: dict[str, str] = {}  # text -> mark

    def _mark(self, text: str) -> str:
        if text not in self._marks:
            mark = next((c for c in map(chr, _PRIVATE_USE) if c not in self._taken), None)
            if mark is None:
                raise ValueError("[chat] messages, got every private-use character, expected one to be left")
            self._taken.add(mark)
            self._marks[text] = mark
        return self._marks[text]

    def found_in(self, text: str) -> set[str]:
        """Texts of special tokens in `text`."""
        special = self._tokenizer.tokenize(text, False, True)
        if special == self._tokenizer.tokenize(text, False, False):
            return set()
        hidden = [i for i in set(special) if not self._tokenizer.detokenize([i])]
        return {t for i in hidden if (t := self._tokenizer.detokenize([i], True)) and t in text} or {text}

    def replace(self, text: str) -> str:
        while found := self.found_in(text):
            for special in sorted(found, key=len, reverse=True):
                text = text.replace(special, self._mark(special))
        return text

    def close(self, text: str) -> str:
        """Keeps the end of a string from forming a special token with the start of the next."""
        body = text.rstrip()
        return body + self._mark("") + text[len(body) :]

    def split(self, text: str) -> list[tuple[str, bool]]:
        """Pieces of a rendered text; True for those that stood in the template."""
        if not self._marks:
            return [(text, True)]
        texts = {mark: original for original, mark in self._marks.items()}
        pieces = re.split(f"([{''.join(texts)}])", text)
        return [(texts.get(piece, piece), i % 2 == 0) for i, piece in enumerate(pieces)]


def _check_shown(source: str, data: Mapping[str, Any]) -> None:
    """Raises ValueError if the template drops the tools or documents: the model would not know of them."""
    for name in _NAMED_FOR:
        if not data.get(name):
            continue
        try:
            shown = render(source, data) != render(source, {**data, name: None})
        except ValueError:
            continue  # with or without them it fails, which is for the caller to see
        if not shown:
            raise ValueError(
                f"[chat] {name}, got some, expected none: the chat template puts no {name} into this prompt"
            )


def build_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    template: str | None,
    variables: Mapping[str, Any],
) -> ChatPrompt:
    """Renders and encodes a conversation. Raises TypeError for data that is not plain, ValueError from the
    template, for what it cannot show (tools, images), and for messages without role or content.
    """
    info = tokenizer.info
    data = normalise(messages, variables)
    source = choose_template(tokenizer, template, data)
    texts = {"bos_token": info.bos_text, "eos_token": info.eos_text}
    _check_shown(source, {**texts, **data})

    everything = "\n".join(text for _, text in _strings(data))
    marks = _Marks(tokenizer, source + everything)
    if marks.found_in(everything):
        data = _map_strings(data, marks.replace, change_key=marks.replace)
    if any(map(marks.found_in, _joined(data))):
        data = _map_strings(data, marks.close)

    rendered = render(source, {**texts, **data})
    has_bos = bool(info.bos_text) and rendered.startswith(info.bos_text)
    tokens = [info.bos] if info.add_bos and not has_bos else []
    pieces = marks.split(rendered)
    for text, is_template in pieces:
        tokens += tokenizer.tokenize(text, False, is_template)
    return ChatPrompt("".join(text for text, _ in pieces), tokens, ["<|im_end|>"] if source is CHATML else [])
