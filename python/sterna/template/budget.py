"""What a template may use up: steps and characters, asked for before the work is done."""

from __future__ import annotations

import time
from typing import NoReturn

STEPS = 400_000  # evaluated nodes, and elements made or compared: one to four microseconds each
STEPS_PER_VALUE = 50  # of the conversation; the longest published templates need half of it
MAX_STEPS = 2_000_000  # however long the conversation
SECONDS = 2.0  # of this thread's own time, for steps that take longer: the last resort, as machines differ
_STEPS_PER_LOOK = 500  # at the clock
CHARACTERS = 12_000_000  # made, of at most five bytes each
CHARACTERS_PER_CHARACTER = 12  # of the conversation
SCANNED_PER_CHARACTER = 8  # as many are searched or compared in the time that making one takes
MAX_DEPTH = 100  # of lists in lists and macros in macros, when they are walked through


class TemplateFault(Exception):
    """What a template did wrong."""


def deadline() -> float:
    """For all that is rendered for one prompt, on the clock of this thread."""
    return time.thread_time() + SECONDS


class Budget:
    """Counts down; whatever is asked for beyond the end is a TemplateFault. Nothing is ever given back: what
    a template makes in all its life is bounded, so what it holds is, too.
    """

    def __init__(self, values: int = 0, characters: int = 0, until: float | None = None) -> None:
        self.steps = 0  # left until the clock is looked at
        self._rest = min(STEPS + STEPS_PER_VALUE * values, MAX_STEPS)
        self._until = deadline() if until is None else until
        self.characters = CHARACTERS + CHARACTERS_PER_CHARACTER * characters
        self._depth = 0

    def __enter__(self) -> None:
        """Around what walks into a list or macro. Python's own limit is no bound: a program may raise it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._depth -= 1
            raise TemplateFault("it is nested too deeply")

    def __exit__(self, *error: object) -> None:
        self._depth -= 1

    def step(self, n: int = 1) -> None:
        """Before `n` elements are made, compared or passed over."""
        self.steps -= n
        if self.steps < 0:
            self.look()

    def look(self) -> None:
        """At the clock, when `steps` is below 0; then there are more, or an error."""
        left = self.steps_left()
        if left < 0:
            self.fail()
        if time.thread_time() > self._until:
            raise TemplateFault(f"it takes longer than {SECONDS:g} seconds")
        self.steps = min(left, _STEPS_PER_LOOK)
        self._rest = left - self.steps

    def steps_left(self) -> int:
        return self.steps + self._rest

    def make(self, n: int) -> None:
        """Before text of `n` characters is made."""
        self.characters -= n
        if self.characters < 0:
            raise TemplateFault("it makes more text than a template may")

    def scan(self, n: int, needle: int = 1) -> None:
        """Before `n` characters are searched for a text of `needle`, or compared."""
        self.make(n * max(needle, 1) // SCANNED_PER_CHARACTER)

    def fail(self) -> NoReturn:
        raise TemplateFault("it takes more steps than a template may")
