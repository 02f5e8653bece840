"""The files of the source tree, as the rules see them: without build outputs and caches."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP_SUFFIXES = {".cpp", ".h", ".inc"}
_NOT_SOURCE = {".git", ".venv", "venv", "dist", "__pycache__", ".pytest_cache", ".ruff_cache"}


def is_output(name: str) -> bool:
    return name in _NOT_SOURCE or name.startswith("build") or name.endswith(".egg-info")


def files(under: str = "", suffixes: set[str] | None = None) -> list[pathlib.Path]:
    """Paths relative to the root, sorted."""
    found = []
    for folder, names, entries in os.walk(ROOT / under):
        names[:] = [n for n in names if not is_output(n)]
        # In a worktree of git, .git is a file.
        found += [pathlib.Path(folder, e).relative_to(ROOT) for e in entries if e not in _NOT_SOURCE]
    return sorted(f for f in found if suffixes is None or f.suffix in suffixes)


def cpp_files() -> list[pathlib.Path]:
    return [
        f for top in ("include", "cpp", "python/bindings", "tests", "bench") for f in files(top, CPP_SUFFIXES)
    ]
