"""The pinned stub is the one that nanobind makes of the module."""

import ast
import inspect
import subprocess
import sys
from importlib.resources import files

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


def test_stub_is_current(tmp_path) -> None:
    pytest.importorskip("nanobind", reason="nanobind is not installed")
    made = tmp_path / "_core.pyi"
    subprocess.run(
        [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "sterna._core", "-o", made], check=True
    )
    pinned = files("sterna").joinpath("_core.pyi").read_text()
    assert _plain(made.read_text()) == _plain(pinned)


def test_package_is_typed() -> None:
    assert files("sterna").joinpath("py.typed").is_file()
