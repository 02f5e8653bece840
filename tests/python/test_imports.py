"""Importing the package is cheap: what is not used is not imported."""

import subprocess
import sys

import pytest
import sterna

HEAVY = {"numpy", "jinja2", "argparse", "logging", "json", "typing", "inspect"}


def modules_after(code: str) -> set[str]:
    code += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import sterna",
        "import sterna; sterna.__version__",
        "from sterna.cli import main; main(['--version'])",
    ],
)
def test_what_is_light(code) -> None:
    already = modules_after("")
    assert not (modules_after(code) - already) & HEAVY


@pytest.mark.parametrize("words", [["run", "--help"], ["run", "--frob"], ["kernels"]])
def test_commands_that_compute_nothing_need_no_numpy(words) -> None:
    assert not modules_after(f"from sterna.cli import main; main({words})") & {"numpy", "jinja2"}


def test_names() -> None:
    assert set(sterna.__all__) <= set(dir(sterna))
    assert all(getattr(sterna, name) is not None for name in sterna.__all__)
    assert sterna.golden.selftest is sterna.selftest and sterna.model.Model is sterna.Model
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        _ = sterna.no_such
    names: dict = {}
    exec("from sterna import *", names)
    assert set(sterna.__all__) <= set(names)


def test_type_checkers_see_every_name() -> None:
    """The imports that only they read are those of the lazy table."""
    import ast

    with open(sterna.__file__) as file:
        tree = ast.parse(file.read())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {a.name for n in ast.walk(block) if isinstance(n, ast.ImportFrom) for a in n.names} - {"Any"}
    seen |= {n.target.id for n in ast.walk(block) if isinstance(n, ast.AnnAssign)}
    assert seen == set(sterna.__all__)
