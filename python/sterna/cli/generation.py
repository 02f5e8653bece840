"""What `run` and `chat` share: the options of a generation, the prompt of a conversation, printed answers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .library_options import arguments, library_options
from .options import Option, path, text
from .streams import read_text, status_line

if TYPE_CHECKING:
    from .._core import Completion, Token
    from ..chat_template import ChatPrompt
    from ..model import Model

_CHATML = "chatml"  # the one template of llama.cpp that has a name here
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _template_text(word: str) -> str:
    if word != _CHATML and "{%" not in word and "{{" not in word:
        raise ValueError(f"{_CHATML} or a Jinja template; one in a file is given with --chat-template-file")
    return text(word)


def _variables(word: str) -> dict[str, Any]:
    try:
        value = json.loads(text(word))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError("a JSON object")
    return value


SAMPLING = (
    *library_options("generate"),
    Option("-r --reverse-prompt", "stop", "stop before this text; may be given more than once", text, "TEXT",
           repeat=True),
)  # fmt: skip
SAMPLING_NAMES = [name for option in SAMPLING for name in option.names.split()]  # for hints elsewhere
CONVERSATION = (
    Option("-sys --system-prompt", "system", "system message", text, "TEXT"),
    Option("-sysf --system-prompt-file", "system_file", "file with the system message", path, "FILE"),
    Option(
        "--chat-template",
        "template",
        "Jinja template, or chatml, instead of the model's",
        _template_text,
        "TEXT",
    ),
    Option("--chat-template-file", "template_file", "the same from a file", path, "FILE"),
    Option(
        "--chat-template-kwargs",
        "variables",
        "variables of the template, as a JSON object",
        _variables,
        "JSON",
    ),
)
ESCAPES = (
    Option(
        "--no-escape", "escape", r"leave \n and the like in -p, -r and -sys alone", default=True, sets=False
    ),
    Option("-e --escape", "escape", r"make \n and the like characters (the default)"),
)


def unescaped(args: SimpleNamespace, given: str) -> str:
    r"""\n and the like in a text from the command line, as llama.cpp does."""

    def character(match: re.Match[str]) -> str:
        return chr(int(match[1][1:], 16)) if match[1].startswith("x") else _ESCAPES[match[1]]

    return re.sub(r"""\\(x[0-9a-fA-F]{2}|[ntr\\'"])""", character, given) if args.escape else given


def exclusive(given: Mapping[str, object]) -> None:
    """Raises UsageError if more than one of these is given."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)}: got both, expected one of them")


def prompt_text(args: SimpleNamespace) -> str | None:
    """-p or -f; None without either."""
    exclusive({"-p": args.prompt, "-f": args.file})
    if args.file is not None:
        return read_text(args.file)
    return None if args.prompt is None else unescaped(args, args.prompt)


def system_message(args: SimpleNamespace) -> list[dict[str, str]]:
    exclusive({"-sys": args.system, "-sysf": args.system_file})
    if args.system_file is not None:
        return [{"role": "system", "content": read_text(args.system_file)}]
    return [] if args.system is None else [{"role": "system", "content": unescaped(args, args.system)}]


def template_text(args: SimpleNamespace) -> str | None:
    exclusive({"--chat-template": args.template, "--chat-template-file": args.template_file})
    return args.template if args.template_file is None else read_text(args.template_file)


def chat_prompt(
    model: Model, messages: Sequence[dict[str, str]], template: str | None, args: SimpleNamespace
) -> ChatPrompt:
    """Text, tokens and stop texts of a conversation that the model is to answer."""
    from ..chat_template import CHATML, build_prompt

    template = CHATML if template == _CHATML else template
    variables = {"tools": None, **(args.variables or {}), "add_generation_prompt": True}
    return build_prompt(model, messages, template, variables)


def generate(
    model: Model,
    prompt: str | list[int],
    args: SimpleNamespace,
    on_token: Callable[[Token], object],
    stop: Sequence[str] = (),
) -> Completion:
    return model.complete(
        prompt,
        on_token=on_token,
        **{**arguments("generate", args), "max_tokens": max(args.max_tokens, -1)},
        stop=[*(unescaped(args, s) for s in args.stop), *stop],
    )


class _WarningsOnce(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._seen:
            self._seen.add(message)
            status_line(f"warning: {message}")


def show_warnings_once() -> None:
    """Of the package's logger, which a conversation would repeat with each answer."""
    logging.getLogger("sterna").addHandler(_WarningsOnce())
