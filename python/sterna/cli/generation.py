"""What `run` and `chat` share: the options of a generation, the prompt of a conversation, printed answers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .options import Option, number, path, text, whole
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
    Option("-n --predict --n-predict", "max_tokens",
           "tokens to generate; -1: until the model ends or the context is full", whole(-2), "N", -1),
    Option("-s --seed", "seed", "-1: a new one each time", whole(-1, 2**64 - 1), "N", -1),
    Option("--temp --temperature", "temperature", "0: greedy", number(), "T", 0.8),
    Option("--top-k", "top_k", "0: off", whole(-1), "N", 40),
    Option("--top-p", "top_p", "1: off", number(0), "P", 0.95),
    Option("--min-p", "min_p", "0: off", number(high=1), "P", 0.05),
    Option("--repeat-penalty", "repeat_penalty", "1: off", number(above=0), "X", 1.0),
    Option("--repeat-last-n", "repeat_last_n", "-1: the whole context", whole(-1), "N", 64),
    Option("--ignore-eos", "ignore_eos", "go on after the end-of-generation token", default=False),
    Option("--lookup", "lookup", "guess up to N (8) tokens from repetitions in the context; never changes the text",
           whole(0, 64), "N", 0, bare=8),
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
        max_tokens=max(args.max_tokens, -1),
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        min_p=args.min_p,
        repeat_penalty=args.repeat_penalty,
        repeat_last_n=args.repeat_last_n,
        seed=None if args.seed < 0 else args.seed,
        ignore_eos=args.ignore_eos,
        lookup=args.lookup,
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
