"""From words to values, by whole words only: an option that takes a value takes the next word, whatever it is."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, NoReturn

from .errors import HelpWanted, UsageError
from .llama_flags import NUMBER, SWITCH, LlamaFlag, find
from .options import Command, Option

HELP_FLAGS = ("-h", "--help", "--usage", "-?")
_LONG_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"  # what web pages make of "-" and "--"
_MAX_SHOWN = 60


def shown(word: str) -> str:
    return repr(word if len(word) <= _MAX_SHOWN else word[:_MAX_SHOWN] + "...")


def similar(word: str, names: list[str]) -> str:
    """The end of an error: what was probably meant."""
    import difflib

    close = difflib.get_close_matches(word, names, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""


class _Parser:
    def __init__(self, command: Command, words: list[str]) -> None:
        self.command = command
        self.options = command.options()
        self.words = list(reversed(words))  # the next is the last
        self.values: dict[str, Any] = {command.operand.dest: None} if command.operand else {}
        self.notes: list[str] = []
        for option in self.options.values():
            self.values.setdefault(option.dest, [] if option.repeat else option.default)

    def known(self, name: str) -> Option | LlamaFlag | None:
        """Long names may be written with underscores, as llama.cpp allows."""
        if name.startswith("--"):
            name = name.replace("_", "-")
        own = self.options.get(name)
        return own or (find(name) if self.command.takes_llama_flags else None)

    def parse(self) -> SimpleNamespace:
        operands: list[str] = []
        while self.words:
            word = self.words.pop()
            if word == "--":
                operands += reversed(self.words)
                break
            if word.startswith("-") and word != "-":
                self.option(word)
            else:
                operands.append(word)
        self.operands(operands)
        for option in self.options.values():
            if option.repeat and not self.values[option.dest]:
                self.values[option.dest] = list(option.default or [])
        return SimpleNamespace(**self.values, notes=self.notes)

    def option(self, word: str) -> None:
        name, attached = word, None
        found = self.known(word)
        if not found and "=" in word:
            name, attached = word.split("=", 1)
            found = self.known(name)
        if not found and word in HELP_FLAGS:
            raise HelpWanted
        if isinstance(found, Option):
            self.own(found, name, attached)
        elif found:
            self.foreign(found, name, attached)
        else:
            self.unknown(word)

    def unknown(self, word: str) -> NoReturn:
        glued = re.fullmatch(r"(-[a-z]+)([0-9.]+)", word)
        if glued and self.known(glued[1]):
            raise UsageError(f"{word}: no such option; did you mean {glued[1]} {glued[2]}?")
        name = word.split("=", 1)[0].replace("_", "-")
        hint = self.command.hints.get(name)
        meant = f"; {hint}" if hint else similar(word, list(self.options))
        raise UsageError(f"{shown(word)[1:-1]}: no such option{meant}")

    def own(self, option: Option, name: str, attached: str | None) -> None:
        if option.read is None:
            if attached is not None:
                raise UsageError(f"{name}: got the value {shown(attached)}, expected none")
            self.values[option.dest] = option.sets
            return
        if attached is None and option.bare is not None and not self.next_is_no_option():
            self.values[option.dest] = option.bare
            return
        word = self.value(name, attached, option.value)
        try:
            value = option.read(word)
        except ValueError as e:
            raise UsageError(f"{name}: got {shown(word)}, expected {e}") from None
        if not option.repeat:
            self.values[option.dest] = value
        elif isinstance(value, list):
            self.values[option.dest] += value
        else:
            self.values[option.dest].append(value)

    def next_is_no_option(self) -> bool:
        """Then it is a value that may be left out: a number may be negative, and a wrong value gets an error."""
        return bool(self.words) and not re.match(rf"[-{_LONG_DASHES}](?![0-9]+$)", self.words[-1])

    def value(self, name: str, attached: str | None, what: str) -> str:
        if attached is not None:
            return attached
        if not self.words:
            raise UsageError(f"{name}: got no value, expected {what}")
        return self.words.pop()

    def foreign(self, flag: LlamaFlag, name: str, attached: str | None) -> None:
        command, value = self.command.name, attached
        pattern = flag.value_in(command)
        if flag.value_may_be_left_out(command):
            pattern = SWITCH
            if value is None and self.next_is_no_option():
                value = self.words.pop()
        elif pattern:
            value = self.value(name, attached, "one, as in llama.cpp")
        elif value is not None:
            raise UsageError(f"{name}: got the value {shown(value)}, expected none")
        if reason := flag.refusal(command, value):
            raise UsageError(f"{name}{'' if value is None else ' ' + shown(value)[1:-1]}: {reason}")
        if value is not None and not all(re.fullmatch(pattern, part, re.DOTALL) for part in value.split(",")):
            expected = (
                "a number"
                if pattern == NUMBER
                else "one of " + pattern.replace("[0-9]+", "a number").replace("|", ", ")
            )
            raise UsageError(f"{name}: got {shown(value)}, expected {expected}")
        if flag.note:
            self.notes.append(f"{name}: {flag.note}")
        if value is not None and "," in value and command == "bench":
            self.notes.append(f"{name} {value} changes nothing here: measured once")

    def operands(self, words: list[str]) -> None:
        option = self.command.operand
        if words and option and self.values[option.dest] is None:
            self.values[option.dest] = words.pop(0)
        if not words:
            return
        word, hint = words[0], ""
        if word[:1] and word[0] in _LONG_DASHES:
            hint = "; it begins with a long dash: type - or --"
        elif "-m" in self.options and word.endswith(".gguf"):
            hint = f"; did you mean -m {word}?"
        elif "-p" in self.options and self.command.name in ("run", "chat"):
            hint = f"; did you mean -p {shown(word)}?"
        raise UsageError(f"{shown(word)}: got a word without an option{hint}")


def parse(command: Command, words: list[str]) -> SimpleNamespace:
    """The values by destination, and notes for the user. Raises UsageError, HelpWanted."""
    return _Parser(command, words).parse()
