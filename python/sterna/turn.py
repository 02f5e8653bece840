"""Calls on a model take turns, in the order in which they came."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_POLL = 0.1  # seconds between two questions whether to go on waiting


class _Place:
    """Of a call in the queue."""

    __slots__ = ("called", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.called = threading.Lock()
        self.called.acquire()


class Turn:
    """A queue of calls; the first of them has the turn.

    There is no lock that a garbage collection, a signal or a fork could find taken: what changes the queue
    is atomic.
    """

    def __init__(self) -> None:
        self._queue: deque[_Place] = deque()
        self._lost = False  # the turn was with a thread that this process, made by fork, does not have
        _turns.add(self)

    @property
    def wanted(self) -> bool:
        """Whether a call waits."""
        return len(self._queue) > 1

    def check(self) -> None:
        """RuntimeError where waiting would be for ever."""
        if self._lost:
            raise RuntimeError(
                "the model cannot be used after a fork while another thread was using it; load it again"
            )
        queue = list(self._queue)
        if any(place.thread == threading.get_ident() for place in queue):
            raise RuntimeError("the model is busy with a call of this thread: return from its callback first")
        if queue and sys.is_finalizing():  # the other threads do not run any more
            raise RuntimeError("the model is busy and the interpreter is ending")

    @contextmanager
    def take(self, go_on: Callable[[], bool] = lambda: True) -> Iterator[bool]:
        """Waits for the turn, which then lasts for the block; False if go_on() ended the waiting."""
        self.check()
        place = _Place()
        try:
            self._queue.append(place)
            while not (granted := self._queue[0] is place) and go_on():
                place.called.acquire(timeout=_POLL)
            yield granted
        finally:
            with suppress(ValueError):
                self._queue.remove(place)
            with suppress(IndexError, RuntimeError):  # nobody is there, or was called already
                self._queue[0].called.release()

    def _after_fork(self) -> None:
        first = next(iter(self._queue), None)
        self._lost = first is not None and first.thread != threading.get_ident()


_turns: weakref.WeakSet[Turn] = weakref.WeakSet()


def _after_fork() -> None:
    for turn in list(_turns):
        turn._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
