"""What --help prints: options in groups, with their defaults, and examples."""

from __future__ import annotations

import shutil
import textwrap

from .options import Command, Option

_COLUMN = 34  # where the explanations begin

EXIT_CODES = "Exit codes: 0 done, 1 error, 2 wrong usage, 130 stopped by Ctrl-C."
LLAMA = (
    "Flags of llama.cpp that would change nothing here (-ngl, -fa, --mlock, -ub ...) are accepted; others are "
    "refused with a sentence that says what to use."
)


def _wrapped(text: str, indent: str = "") -> str:
    width = min(shutil.get_terminal_size().columns, 110)
    return textwrap.fill(text, max(width, 60), initial_indent=indent, subsequent_indent=indent)


def _row(option: Option) -> str:
    value = f"[{option.value}]" if option.bare is not None else option.value
    left = f"  {', '.join(option.names.split())} {value}".rstrip()
    default = option.default
    text = option.help
    if default is not None and default != "" and not isinstance(default, bool) and "default" not in text:
        text += f"; default: {','.join(map(str, default)) if isinstance(default, list) else default}"
    if option.bare is not None:
        text += f"; without {option.value}: {option.bare}"
    lines = _wrapped(text, " " * _COLUMN)
    if len(left) < _COLUMN - 1:
        return left + lines[len(left) :]
    return f"{left}\n{lines}"


def command_help(command: Command) -> str:
    operand = f" [{command.operand.value}]" if command.operand else ""
    parts = [f"usage: sterna {command.name}{operand} [OPTIONS]\n\n{_wrapped(command.summary)}"]
    for title, options in command.groups.items():
        parts.append("\n".join([f"{title}:", *map(_row, options)]))
    parts.append(
        "\n".join(["Examples:", *(f"  sterna {command.name} {e}".rstrip() for e in command.examples)])
    )
    parts.append(_wrapped(f"{LLAMA} {EXIT_CODES}" if command.takes_llama_flags else EXIT_CODES))
    return "\n\n".join(parts)


def program_help(summaries: dict[str, str]) -> str:
    rows = [f"  {name:12} {summary}" for name, summary in summaries.items()]
    return "\n".join(
        [
            "usage: sterna COMMAND [OPTIONS]",
            "",
            "Run models with one- to four-bit weights. Without -m the small model of this package is used.",
            "",
            "Commands:",
            *rows,
            "",
            "`sterna COMMAND --help` lists the options of a command; `sterna --version` says the version.",
            EXIT_CODES,
        ]
    )
