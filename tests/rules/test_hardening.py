"""What the built programs must have against faults that are still to be found: read-only relocations, no executable
stack, stack protection and checked calls of libc in the library.

Builds: as test_symbols.py finds them.
"""

import pathlib
import re
import shutil
import subprocess

import pytest
from test_symbols import builds, symbols  # noqa: F401  (builds is a fixture)

needs_readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf (binutils)")


def cached(build: pathlib.Path, name: str) -> str:
    found = re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return found[1] if found else ""


def hardened(builds: list[pathlib.Path]) -> list[pathlib.Path]:  # noqa: F811
    kept = [b for b in builds if cached(b, "STERNA_HARDEN") == "ON"]
    assert kept, "STERNA_HARDEN is the default; no build has it"
    return kept


@needs_readelf
def test_programs_and_modules_are_linked_read_only(builds: list[pathlib.Path]) -> None:  # noqa: F811
    wrong = []
    for build in hardened(builds):
        for path in [*build.glob("cpp/sterna-run"), *build.glob("python/bindings/_core*.so")]:
            text = subprocess.run(
                ["readelf", "-ldW", str(path)], capture_output=True, text=True, check=True
            ).stdout
            stack = re.search(r"GNU_STACK.*?(R.?.?)\s+0x", text)
            if "GNU_RELRO" not in text:
                wrong.append(f"{path}: relocations stay writable (no GNU_RELRO)")
            if "Dynamic section" in text and "BIND_NOW" not in text and not re.search(r"FLAGS_1.*NOW", text):
                wrong.append(f"{path}: functions are bound lazily (no BIND_NOW)")
            if not stack or "E" in stack[1]:
                wrong.append(f"{path}: the stack is executable")
    assert not wrong, "\n".join(wrong)


def test_the_library_is_protected(builds: list[pathlib.Path]) -> None:  # noqa: F811
    for build in hardened(builds):
        (library,) = build.glob("**/libsterna.a")
        protected = {
            o for o, _, name in symbols(build, library, "--undefined-only") if name == "__stack_chk_fail"
        }
        for name in ("gguf_parse.cpp.o", "tokenizer.cpp.o", "model.cpp.o"):
            assert any(o.endswith(name) for o in protected), f"{build}: {name} has no stack protector"
        checked = {
            name for _, _, name in symbols(build, library, "--undefined-only") if name.endswith("_chk")
        }
        if re.fullmatch("Release|RelWithDebInfo", cached(build, "CMAKE_BUILD_TYPE")) and not cached(
            build, "STERNA_SANITIZE"
        ):
            assert checked, f"{build}: no call of libc is checked (_FORTIFY_SOURCE)"
