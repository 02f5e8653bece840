"""The command `sterna`. Text goes to stdout, everything else to stderr. Flags are those of llama-cli,
llama-bench and llama-perplexity where these have them.

Exit codes: 0 done, 1 error, 2 wrong usage, 130 stopped by Ctrl-C. An error is one line.
"""

from __future__ import annotations

import sys
from importlib import import_module

from .errors import HelpWanted, UsageError
from .streams import abandon_unwritable, one_line, prepare, show_status, status_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Command

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

# Each is a module of this package, read when it is asked for.
COMMANDS = {
    "run": "generate text after a prompt",
    "chat": "talk with a model",
    "bench": "measure speed and memory, as llama-bench does",
    "inspect": "metadata, tensors and kernels of a GGUF file",
    "perplexity": "how well a model predicts a text",
    "kernels": "instruction sets and kernels of this machine",
    "selftest": "does this machine compute what it should?",
}


def find_command(name: str) -> Command:
    from .parse import shown, similar

    if name in COMMANDS:
        command: Command = import_module(f".{name}", __name__).COMMAND
        return command
    if name.startswith("-"):
        raise UsageError(
            f"{shown(name)[1:-1]}: got an option, expected a command before it, like: sterna run {name}"
        )
    raise UsageError(f"{shown(name)}: no such command{similar(name, list(COMMANDS))}")


def _help(words: list[str]) -> None:
    from .help import command_help, program_help

    if len(words) > 1:
        raise UsageError(f"help: got {len(words)} words, expected at most a command")
    print(command_help(find_command(words[0])) if words else program_help(COMMANDS))


def _dispatch(words: list[str]) -> int:
    if not words:
        from .help import program_help

        show_status(program_help(COMMANDS) + "\n")
        return EXIT_USAGE
    first, rest = words[0], words[1:]
    if first in ("--version", "version"):
        from .. import __version__

        print(f"sterna {__version__}")
    elif first in ("help", "-h", "--help"):
        _help(rest)
    else:
        _carry_out(first, rest)
    return 0


def _carry_out(name: str, words: list[str]) -> None:
    from .parse import parse

    command = find_command(name)
    try:
        args = parse(command, words)
    except HelpWanted:
        return _help([name])
    for note in args.notes:
        status_line(f"note: {note}")
    command.run(args)


def _run(words: list[str]) -> int:
    from ..errors import UnsupportedError

    try:
        if sys.stdout is None:
            raise ValueError("standard output is closed")
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        status_line()
        return EXIT_INTERRUPTED
    except UsageError as e:
        command = f"{words[0]} " if words[0] in COMMANDS else ""
        status_line(f"sterna: error: {one_line(e)} (usage: sterna {command}--help)")
        return EXIT_USAGE
    except (ValueError, TypeError, OSError, EOFError, ImportError, MemoryError, UnsupportedError) as e:
        status_line(f"sterna: error: {one_line(e)}")
        return EXIT_ERROR


def main(argv: list[str] | None = None) -> int:
    """Carries out a command line, sys.argv's by default; returns the exit code."""
    prepare()
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    finally:
        abandon_unwritable()
