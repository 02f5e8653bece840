"""What Sterna uses of others: third_party/README.md names all of it, and each oldest version is the same wherever it stands."""

import ast
import json
import pathlib
import re
import sys

from tree import ROOT, cpp_files, files

# Headers of compilers, operating systems and C libraries; everything else with a folder in its name is somebody's library.
SYSTEM_FOLDERS = {"sys", "asm", "linux"}


def read(path: str) -> str:
    return (ROOT / path).read_text()


def listed() -> dict[str, str]:
    """Name (small letters) and oldest version of each row of the tables."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", read("third_party/README.md"), re.M)
    return {name.lower(): oldest for name, oldest in rows if name != "what"}


def test_the_oldest_versions_agree() -> None:
    oldest = listed()
    said: list[tuple[str, str, str]] = []  # where, what, version
    for name, version in re.findall(
        r"^set\(STERNA_(\w+)_VERSION ([\d.]+)\)$", read("third_party/versions.cmake"), re.M
    ):
        said.append(("third_party/versions.cmake", name.lower(), version))
    project = read("pyproject.toml")
    for name, version in re.findall(r'"([\w-]+)>=([\d.]+)"', project):
        said.append(("pyproject.toml", name, version))
    said.append(("pyproject.toml", "python", re.search(r'requires-python = ">=([\d.]+)"', project)[1]))
    said.append(("pyproject.toml", "cmake", re.search(r'cmake.version = ">=([\d.]+)"', project)[1]))
    said.append(
        ("pyproject.toml", "scikit-build-core", re.search(r'minimum-version = "([\d.]+)"', project)[1])
    )
    ruff = re.search(r'target-version = "py3(\d+)"', project)[1]
    said.append(("pyproject.toml", "python", f"3.{ruff}"))
    for path in ("CMakeLists.txt", "tests/install/CMakeLists.txt"):
        version = re.search(r"cmake_minimum_required\(VERSION ([\d.]+)\)", read(path))[1]
        said.append((path, "cmake", version))
    preset = json.loads(read("CMakePresets.json"))["cmakeMinimumRequired"]
    said.append(("CMakePresets.json", "cmake", f"{preset['major']}.{preset['minor']}"))
    assert len({what for _, what, _ in said}) >= 8, said
    wrong = [
        f"{where}: {what} {version}, third_party/README.md: {oldest.get(what, 'not named')}"
        for where, what, version in said
        if oldest.get(what) != version
    ]
    assert not wrong, "\n".join(wrong)


def imported(path: pathlib.Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_everything_of_others_is_named() -> None:
    named = set(listed())
    sources = [f for f in files("", {".py"}) if "shared" not in f.parts[:1]]
    ours = {f.stem for f in sources} | {f.parts[-2] for f in sources if f.name == "__init__.py"}
    wrong = [
        f"{f}: import {name}"
        for f in sources
        for name in sorted(imported(f) - sys.stdlib_module_names - ours - named)
    ]
    for f in cpp_files():
        for name in re.findall(r"^\s*#\s*include\s*<([^>]+)/", (ROOT / f).read_text(), re.M):
            top = name.split("/")[0]
            if top not in SYSTEM_FOLDERS | named | {"sterna"}:
                wrong.append(f"{f}: #include <{name}/...>")
    assert not wrong, "not named in third_party/README.md:\n" + "\n".join(wrong)
