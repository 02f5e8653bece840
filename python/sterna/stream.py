"""A generation that runs in a worker thread and is read as an iterator."""

from __future__ import annotations

import atexit
import queue
import threading
import weakref
from collections.abc import Callable, Iterator

_QUEUE_PIECES = 16  # how far the worker may be ahead of the reader

# produce(on_piece, keep_going) generates until it is done or one of these returns False.
Produce = Callable[[Callable[[str], bool], Callable[[], bool]], object]


class _Worker(threading.Thread):
    def __init__(self, produce: Produce) -> None:
        super().__init__(name="sterna-stream", daemon=True)
        self.pieces: queue.Queue[str | None] = queue.Queue(_QUEUE_PIECES)
        self.error: BaseException | None = None
        self._produce = produce
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            self._produce(self._put, lambda: not self._stopped.is_set())
        except BaseException as e:  # the reader raises it
            self.error = e
        self._put(None)

    def _put(self, piece: str | None) -> bool:
        while not self._stopped.is_set():
            try:
                self.pieces.put(piece, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    def stop(self) -> None:
        self._stopped.set()
        self.join()


_workers: weakref.WeakSet[_Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """A thread must not come back from the library into an interpreter that is gone."""
    for worker in list(_workers):
        worker.stop()


def stream(produce: Produce) -> Iterator[str]:
    """The non-empty pieces of text. Closing or dropping the iterator stops the generation."""
    worker = _Worker(produce)
    _workers.add(worker)
    worker.start()
    try:
        while (piece := worker.pieces.get()) is not None:
            if piece:
                yield piece
    finally:
        worker.stop()
    if worker.error is not None:
        raise worker.error
