"""What the library may not contain, read from its object files.

Builds: the folders in STERNA_BUILD_DIR (separated by ":"); else build/release or what pip left in build/cp*;
else one that is made here.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from tree import ROOT

# A library does not end the process or print. It does not throw either, but that is looked for in the source
# (test_tree.py), because templates of the standard library leave __cxa_throw in our objects.
ENDS_OR_PRINTS = re.compile(
    r"abort|_?exit|_Exit|quick_exit|__assert_fail|perror|puts|putchar|fputs|fputc|putc|fwrite|"
    r"(__)?v?f?printf(_chk)?|(__)?v?dprintf(_chk)?|stdout|stderr|s?rand|random|rand_r"
)
STREAMS = re.compile(r"_ZSt[34](cout|cerr|clog)|_ZNSt8ios_base4Init.*|_ZSt16__ostream_insert.*")
# Functions of libm that may differ from machine to machine; fma, sqrt and the roundings are exact everywhere.
INEXACT = re.compile(
    r"(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|sincos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|"
    r"atanh|erf|erfc|lgamma|tgamma|cbrt|hypot)[fl]?"
)
FORBIDDEN = {
    "ends the process, prints or is random": ENDS_OR_PRINTS,
    "is an iostream": STREAMS,
    "is not bit-exact on every machine": INEXACT,
}


def forbidden(symbol: str) -> str | None:
    plain = symbol.split("@")[0]
    return next((why for why, names in FORBIDDEN.items() if names.fullmatch(plain)), None)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    if given := os.environ.get("STERNA_BUILD_DIR"):
        return [ROOT / folder for folder in given.split(":")]
    for build in [ROOT / "build/release", *sorted((ROOT / "build").glob("cp*"))]:
        if list(build.glob("**/libsterna.a")):
            return [build]
    if shutil.which("cmake") is None:
        pytest.skip("no build: set STERNA_BUILD_DIR, or install cmake")
    build = tmp_path_factory.mktemp("build")
    for step in (
        ["-S", str(ROOT), "-B", str(build), "-DSTERNA_TOOLS=OFF"],
        ["--build", str(build), "-j2", "--target", "sterna"],
    ):
        done = subprocess.run(["cmake", *step], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return [build]


def symbols(build: pathlib.Path, path: pathlib.Path, flag: str) -> list[tuple[str, str, str]]:
    """(object, type letter, name) of a library or an object file, by the nm of the build's own toolchain."""
    nm = re.search(r"^CMAKE_NM:\w+=(.+)$", (build / "CMakeCache.txt").read_text(), re.M)
    assert nm, f"{build}: no CMAKE_NM in its CMakeCache.txt"
    out = subprocess.run([nm[1], "-A", flag, str(path)], capture_output=True, text=True, check=True).stdout
    found = [re.fullmatch(r"(.*?):(?:[0-9a-f]+)?\s+(\w) (\S+)", line) for line in out.splitlines()]
    return [(pathlib.Path(m[1]).name, m[2], m[3]) for m in found if m]


def test_library_neither_ends_the_process_nor_prints(builds: list[pathlib.Path]) -> None:
    wrong = []
    for build in builds:
        (library,) = build.glob("**/libsterna.a")
        undefined = symbols(build, library, "--undefined-only")
        assert len(undefined) > 20, f"nm found almost nothing in {library}"
        wrong += [f"{where}: {name} {why}" for where, _, name in undefined if (why := forbidden(name))]
    assert not wrong, "\n".join(wrong)


def isa_objects(build: pathlib.Path) -> dict[pathlib.Path, str]:
    return {
        o: m[1]
        for o in build.glob("**/sterna_*.dir/**/*.o")
        if (m := re.search(r"/sterna_(\w+)\.dir/.*kernels/", str(o)))
    }


def test_only_descriptors_leave_the_isa_folders(builds: list[pathlib.Path]) -> None:
    """A weak symbol compiled with -mavx512f could replace the same one of another object and crash an older
    machine; what is global must carry its instruction set in its name."""
    wrong = []
    for build in builds:
        objects = isa_objects(build)
        assert any(isa != "scalar" for isa in objects.values()), f"{build}: no objects of instruction sets"
        for path, isa in objects.items():
            for _, kind, name in symbols(build, path, "--defined-only"):
                if kind in "WwVvu":
                    wrong.append(f"{isa}/{path.name}: weak symbol {name}")
                elif kind.isupper() and not re.search(rf"_{isa}E?$", name):
                    wrong.append(f"{isa}/{path.name}: global symbol {name} does not end in _{isa}")
    assert not wrong, "\n".join(wrong)
