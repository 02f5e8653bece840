"""From a conversation to tokens: which template, what it gets to see, and bos."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .chat_messages import normalise
from .chat_tokens import encode
from .template.budget import deadline
from .template.text import literal

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

# Templates make control tokens of roles ("<|" + role + "|>"): these may be parts of such, any other role is text.
_ROLES = {
    "assistant", "developer", "environment", "function", "ipython", "model", "observation", "system", "tool", "user",
}  # fmt: skip


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


def _check_shown(source: str, data: Mapping[str, Any], text: str, until: float) -> None:
    """Raises ValueError if the template drops the tools or documents: the model would not know of them. A
    conversation that leaves no time to find out is let through.
    """
    from .template.render import render

    for name in _NAMED_FOR:
        if not data.get(name):
            continue
        try:
            shown = render(source, {**data, name: None}, until) != text
        except ValueError:
            continue  # without them it fails, so they matter
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
    template (also if it takes more than budget.SECONDS), for what it cannot show (tools, images), and for
    messages without role or content.
    """
    from .template.render import render  # with jinja2, which only chat needs

    info = tokenizer.info
    data = normalise(messages, variables)
    source = choose_template(tokenizer, template, data)
    data = {"bos_token": literal(info.bos_text), "eos_token": literal(info.eos_text), **data}
    for message in data["messages"]:
        if message["role"] in _ROLES:
            message["role"] = literal(message["role"])
    until = deadline()
    text = render(source, data, until)
    _check_shown(source, data, text, until)
    tokens = encode(tokenizer, text)
    if info.add_bos and info.bos >= 0:  # once, whether or not the template writes it
        while tokens[:1] == [info.bos]:
            del tokens[0]
        tokens.insert(0, info.bos)
    return ChatPrompt(str(text), tokens, ["<|im_end|>"] if source is CHATML else [])
