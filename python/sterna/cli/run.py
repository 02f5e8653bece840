"""`sterna run`: the text that follows a prompt, or the answer to a message."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from .errors import UsageError
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
from .streams import status_line, write

if TYPE_CHECKING:
    from .._core import Completion

_PROMPT = (
    Option("-p --prompt", "prompt", "the text to continue", text, "TEXT"),
    Option("-f --file -bf --binary-file", "file", "file with the prompt; - is standard input", path, "FILE"),
    Option("--no-display-prompt", "display_prompt", "print the answer only", default=True, sets=False),
    Option("--display-prompt", "display_prompt", "print the prompt, too (the default)"),
    *ESCAPES,
)
_CHAT = (
    Option("-cnv --conversation --chat", "chat", "the prompt is a message: use the chat format; so does -sys",
           default=False),
    *CONVERSATION,
)  # fmt: skip


def _print_timings(c: Completion) -> None:
    def rate(n: int, seconds: float) -> str:
        return f"{n} tokens, {seconds:.2f} s, {n / seconds:.1f} t/s" if seconds > 0 else f"{n} tokens"

    status_line(f"prompt: {rate(c.n_prompt - c.n_reused, c.prompt_seconds)}")
    guesses = f", {c.n_accepted} of {c.n_drafted} guesses right" if c.n_drafted else ""
    status_line(f"decode: {rate(len(c.tokens), c.decode_seconds)} ({c.stop_reason}){guesses}")
    if n := c.screen.tokens:
        status_line(
            f"output matrix: {n} of {n + c.screen.full} tokens screened; {c.screen.after_4 / n:.1f} rows left by "
            f"4 bits, {c.screen.after_8 / n:.1f} by 8; {c.screen.bytes / n / 1e6:.1f} MB read a token"
        )


def _run(args: SimpleNamespace) -> None:
    prompt = prompt_text(args)
    if prompt is None:
        raise UsageError(
            "no prompt: expected -p TEXT, or -f FILE (- is standard input); for a conversation use sterna chat"
        )
    system, template = system_message(args), template_text(args)
    show_warnings_once()
    with load_model(args) as model:
        if args.chat or system:
            chat = chat_prompt(model, [*system, {"role": "user", "content": prompt}], template, args)
            completion = generate(model, chat.tokens, args, lambda token: write(token.text), chat.stop)
        else:
            if args.display_prompt:
                write(prompt)
            completion = generate(model, prompt, args, lambda token: write(token.text))
    write("\n")
    _print_timings(completion)


COMMAND = Command(
    "run",
    "Generate the text that follows a prompt.",
    {"Prompt": _PROMPT, "Chat format": _CHAT, "Sampling": SAMPLING, "Model": MODEL},
    (
        '-m model.gguf -p "Once upon a time" -n 64',
        "-m model.gguf -f prompt.txt --temp 0 --no-display-prompt",
        '-m model.gguf -cnv -sys "Answer briefly." -p "What is a quine?"',
    ),
    _run,
    takes_llama_flags=True,
)
