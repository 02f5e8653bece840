"""What type checkers read is what python/bindings/make_stubs.py makes of the module."""

import ast
import inspect
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest


def _plain(source: str) -> str:
    """The syntax tree without the layout of docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            node.value.value = inspect.cleandoc(node.value.value).strip()
    return ast.dump(tree, indent=1)


def test_stubs_are_current(tmp_path) -> None:
    pytest.importorskip("nanobind", reason="nanobind is not installed")
    script = Path(__file__).parents[2] / "python/bindings/make_stubs.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    for name in ("_core.pyi", "option_types.py"):
        pinned = files("sterna").joinpath(name).read_text()
        assert _plain((tmp_path / name).read_text()) == _plain(pinned), name


def test_package_is_typed() -> None:
    assert files("sterna").joinpath("py.typed").is_file()
