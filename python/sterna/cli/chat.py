"""`sterna chat`: a conversation, a line for each message."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

from .generation import (
    CONVERSATION,
    ESCAPES,
    SAMPLING,
    chat_prompt,
    generate,
    prompt_text,
    show_warnings_once,
    system_message,
    template_text,
)
from .model_options import MODEL, load_model
from .options import Command, Option, path, text
from .streams import decode, on_terminal, one_line, read_stdin, show_status, status_line, write

if TYPE_CHECKING:
    from .._core import ModelInfo, Token
    from ..chat_template import ChatPrompt
    from ..model import Model

_FIRST = (
    Option("-p --prompt", "prompt", "the first message", text, "TEXT"),
    Option("-f --file", "file", "file with the first message", path, "FILE"),
    Option("-st --single-turn", "single_turn", "end after the first answer", default=False),
    Option("-cnv --conversation", "conversation", "(always so)"),
    *ESCAPES,
)
_HELP = """\
/help   this text
/reset  forget the conversation; also /clear
/exit   end; also /quit, Ctrl-D
Ctrl-C stops an answer; twice at the prompt, it ends the program.
"""


class _Conversation:
    def __init__(
        self, model: Model, args: SimpleNamespace, system: list[dict[str, str]], template: str | None
    ) -> None:
        self._model, self._args, self._system, self._template = model, args, system, template
        self.reset()

    def reset(self) -> None:
        self._messages = list(self._system)

    def _fitting_prompt(self) -> ChatPrompt:
        """Forgets the oldest turns until the prompt leaves a quarter of the context, or -n tokens, for the answer."""
        n_ctx, wanted, first = self._model.info.n_ctx, self._args.max_tokens, len(self._system)
        room = min(wanted, n_ctx // 4) if wanted >= 0 else n_ctx // 4
        messages, forgotten = self._messages, 0
        while True:
            prompt = chat_prompt(self._model, messages, self._template, self._args)
            if len(prompt.tokens) + room <= n_ctx or len(messages) <= first + 1:
                break
            messages = messages[:first] + messages[first + 2 :]  # a question and its answer
            forgotten += 1
        if len(prompt.tokens) > n_ctx:
            raise ValueError(
                f"the message is too long: {len(prompt.tokens)} tokens, expected at most the context, {n_ctx}"
            )
        if forgotten:
            self._messages = messages
            turns = "turn is" if forgotten == 1 else f"{forgotten} turns are"
            status_line(f"(the context of {n_ctx} tokens is full: the oldest {turns} forgotten)")
        return prompt

    def _answer(self) -> str:
        """Prints it; Ctrl-C ends it where it is."""
        pieces: list[str] = []

        def show(token: Token) -> None:
            pieces.append(token.text)
            write(token.text)

        try:
            prompt = self._fitting_prompt()
            c = generate(self._model, prompt.tokens, self._args, show, prompt.stop)
        except KeyboardInterrupt:
            write("\n")
            status_line("(interrupted)")
            return "".join(pieces)
        write("\n")
        if c.stop_reason == "context":
            status_line("(the context is full: the answer ends here)")
        if on_terminal() and c.decode_seconds > 0:
            status_line(f"({len(c.tokens)} tokens, {len(c.tokens) / c.decode_seconds:.1f} t/s)")
        return "".join(pieces)

    def ask(self, message: str) -> bool:
        """Whether it could be answered; a message that could not is taken back."""
        self._messages.append({"role": "user", "content": message})
        try:
            answer = self._answer()
        except (ValueError, TypeError, MemoryError) as e:
            self._messages.pop()
            status_line(f"sterna: error: {one_line(e)}")
            return False
        self._messages.append({"role": "assistant", "content": answer})
        return True


# --- input ------------------------------------------------------------------------------------------------


def _terminal_line() -> str:
    if sys.stdout.isatty():
        return input("> ")
    show_status("> ")  # stdout is for the answers
    return input()


def _terminal_lines() -> Iterator[str]:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing in input())
    interrupted = False
    while True:
        try:
            yield _terminal_line()
            interrupted = False
        except EOFError:
            write("\n") if sys.stdout.isatty() else status_line()
            return
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            show_status("\n(again to end)\n")


def _piped_lines() -> Iterator[str]:
    """Lines as they come; all at once where a byte-order mark says that they are UTF-16 or 32."""
    line = read_stdin(one_line=True)
    if line.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        yield from decode(line + read_stdin(), "standard input").splitlines()
        return
    line = line.removeprefix(b"\xef\xbb\xbf")
    while line:
        yield line.decode(errors="replace").removesuffix("\n").removesuffix("\r")
        line = read_stdin(one_line=True)


# --- the command ------------------------------------------------------------------------------------------


def _banner(i: ModelInfo) -> None:
    status_line(f"{i.name or i.architecture} ({i.architecture}, {i.main_format}), context {i.n_ctx}, {i.isa}")
    status_line("Ctrl-C stops an answer, /help lists the commands, Ctrl-D ends.")


def _command(line: str, conversation: _Conversation) -> bool:
    """Carries out /command; whether to go on."""
    name = line.split()[0]
    if name in ("/exit", "/quit", "/bye"):
        return False
    if name in ("/reset", "/clear"):
        conversation.reset()
        status_line("(the conversation is forgotten)")
    elif name in ("/help", "/?"):
        show_status(_HELP)
    else:
        status_line(f"{name}: no such command; /help lists them")
    return True


def _chat(args: SimpleNamespace) -> None:
    show_warnings_once()
    first, system, template = prompt_text(args), system_message(args), template_text(args)
    with load_model(args) as model:
        conversation = _Conversation(model, args, system, template)
        _banner(model.info)
        piped = sys.stdin is None or not sys.stdin.isatty()
        lines = _piped_lines() if piped else _terminal_lines()
        asked = answered = commands = 0
        if first is not None:
            asked, answered = 1, int(conversation.ask(first))
        for line in () if args.single_turn and asked else lines:
            if re.match(r"\s*/[A-Za-z?]+(\s|$)", line):
                commands += 1
                if not _command(line, conversation):
                    break
            elif "\0" in line:
                status_line("sterna: error: standard input: got a line with zero bytes, expected UTF-8 text")
                asked += 1
            elif line.strip():
                asked += 1
                answered += conversation.ask(line)
                if args.single_turn:
                    break
    if asked and not answered:
        raise ValueError("no message could be answered")
    if piped and not asked and not commands:
        raise ValueError("no message: got none from standard input, -p or -f")


COMMAND = Command(
    "chat",
    "Talk with a model: each line is a message. /help lists the commands of the conversation.",
    {"Conversation": (*_FIRST, *CONVERSATION), "Sampling": SAMPLING, "Model": MODEL},
    (
        "-m model.gguf",
        '-m model.gguf -sys "You are a pirate." --temp 0.6 -c 8192',
        '-m model.gguf -p "What is a quine?" --single-turn',
    ),
    _chat,
    takes_llama_flags=True,
)
