"""Writes what type checkers read of the module: python/sterna/_core.pyi and option_types.py.

Run with the package built: python python/bindings/make_stubs.py [FOLDER]; then `ruff format python`.
"""

import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from sterna import _core
from sterna.options import explanation, python_type

_HEAD = '''"""Keyword arguments of load() and generate() for type checkers: made by python/bindings/make_stubs.py of
include/sterna/options.inc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict
'''
_LOAD = "Keyword arguments of load(); None is the default."
_GENERATE = """Keyword arguments of generate(), complete(), stream() and chat(); None is the default. The defaults are
those of llama-cli. max_new_tokens and n_predict are max_tokens, temp is temperature."""
_STOP = ("stop", "str | Sequence[str] | None", "generation ends before any of these texts")

Row = tuple[str, str, str]  # name, type, explanation


def _rows(call: str) -> list[Row]:
    return [(o.name, python_type(o), explanation(o)) for o in _core.options() if o.call == call]


def _typed_dict(name: str, summary: str, rows: Iterable[Row]) -> Iterator[str]:
    yield f'\n\nclass {name}(TypedDict, total=False):\n    """{textwrap.indent(summary, "    ").strip()}\n'
    for option, _, text in rows:
        yield textwrap.fill(f"{option}: {text}.", 106, initial_indent="    ", subsequent_indent="        ")
    yield '    """\n'
    for option, kind, _ in rows:
        yield f"    {option}: {kind}"


def option_types() -> str:
    load = _typed_dict("LoadOptions", _LOAD, _rows("load"))
    generate = _typed_dict("GenerateOptions", _GENERATE, [*_rows("generate"), _STOP])
    return "\n".join([_HEAD.rstrip("\n"), *load, *generate, ""])


def make(folder: Path) -> None:
    stub = ["-q", "-m", "sterna._core", "-o", str(folder / "_core.pyi")]
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", *stub], check=True)
    (folder / "option_types.py").write_text(option_types())


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "sterna")
