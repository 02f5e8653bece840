"""Threads: what models and products may share."""

from __future__ import annotations

from . import _core
from .arguments import integer, optional, wrong_type


class Threads:
    """Threads for load(..., threads=...) and PackedWeights.matmul(..., threads=...), which these share.

    n: 1 to 1024, with the one that calls; by default one for each CPU that this process may use. Models that
    share threads may be used from several threads at once; they then take turns, pass by pass. The threads
    end with the last model that has them. Raises TypeError, ValueError, MemoryError (the system refuses to
    start a thread).
    """

    def __init__(self, n: int | None = None) -> None:
        self._core = _core.Threads.create(optional(integer, "[Threads] n", n, None))

    @property
    def size(self) -> int:
        """How many, with the one that calls."""
        return self._core.size

    def __repr__(self) -> str:
        return f"<sterna.Threads {self.size}>"


def shared(name: str, value: object) -> _core.Threads:
    """What _core.Model.load() takes."""
    if not isinstance(value, Threads):
        raise wrong_type(name, value, "a sterna.Threads")
    return value._core
