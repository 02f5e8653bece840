"""A generation that runs in a worker thread and is read as an iterator, by whichever thread."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator

from .turn import Turn

_AHEAD = 16  # pieces that the worker may be ahead of the reader while nobody else wants the model

# produce(on_piece, keep_going) generates until it is done or one of these returns False.
Produce = Callable[[Callable[[str], bool], Callable[[], bool]], object]


class _Worker(threading.Thread):
    """Has the model's turn from its start to the end of the generation.

    It waits for its reader, who may never come back, only as long as no other call waits for the model.
    """

    def __init__(self, turn: Turn, produce: Produce) -> None:
        super().__init__(name="sterna-stream", daemon=True)
        self.error: BaseException | None = None
        self.done = False
        self._turn = turn
        self._produce = produce
        self._pid = os.getpid()
        self._stopped = False
        self._pieces: deque[str | None] = deque()  # None: the end
        self._changed = threading.Condition()

    def run(self) -> None:
        try:
            with self._turn.take(self._go_on) as granted:
                if granted:
                    self._produce(self._put, self._go_on)
        except BaseException as e:  # the reader raises it
            self.error = e
        self.done = True
        self._put(None)

    def _go_on(self) -> bool:
        return not self._stopped

    def _put(self, piece: str | None) -> bool:
        with self._changed:
            while piece and len(self._pieces) >= _AHEAD and not (self._stopped or self._turn.wanted):
                self._changed.wait(0.1)
            if piece != "":
                self._pieces.append(piece)
                self._changed.notify_all()
        return not self._stopped

    def get(self) -> str | None:
        if self._pid != os.getpid():
            raise RuntimeError("the stream belongs to the process that was forked; start another one")
        with self._changed:
            while not self._pieces:
                self._turn.check()
                self._changed.wait()
            self._changed.notify_all()
            return self._pieces.popleft()

    def stop(self) -> None:
        self._stopped = True
        # A worker of another process, or one that a garbage collection stops from within itself, is not
        # waited for; nor is one that does not run any more because the interpreter ends.
        if self._pid != os.getpid() or self is threading.current_thread() or sys.is_finalizing():
            return
        with self._changed:
            self._changed.notify_all()
        if self.is_alive():
            self.join()


_workers: weakref.WeakSet[_Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Ends the generations that still run. Only daemon threads can still be reading them; SystemExit ends
    these without a word, and no text seems complete that is not.
    """
    for worker in list(_workers):
        if not worker.done:
            worker.error = SystemExit("the interpreter is ending")
            worker.stop()


def stream(turn: Turn, produce: Produce) -> Iterator[str]:
    """The non-empty pieces of text. Closing or dropping the iterator stops the generation."""
    turn.check()
    worker = _Worker(turn, produce)
    _workers.add(worker)
    try:
        worker.start()
    except RuntimeError as e:  # Python's word for it
        raise MemoryError("[stream] the system refused to start a thread") from e
    try:
        while (piece := worker.get()) is not None:
            yield piece
    finally:
        worker.stop()
    if worker.error is not None:
        raise worker.error
