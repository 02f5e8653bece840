"""Who may include whom. No arrow goes up: a folder knows only what is listed for it, and itself."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from tree import ROOT, cpp_files

PUBLIC = "include/sterna"
BASE = "cpp/base"
KERNELS = ["cpp/kernels/registry", "cpp/kernels/contract"]

# An area is a folder or a file name without suffix; the longest that fits a path counts.
ARROWS = {
    "include/sterna": [],
    "cpp/base": [PUBLIC],
    "cpp/machine": [BASE, PUBLIC],
    "cpp/threads": ["cpp/machine", BASE, PUBLIC],
    "cpp/formats": [BASE],
    "cpp/packing": ["cpp/formats", "cpp/kernels/contract", BASE],
    "cpp/kernels/contract": [BASE],
    "cpp/kernels/generic": ["cpp/kernels/contract", BASE],
    "cpp/kernels/names": ["cpp/kernels/contract"],
    "cpp/kernels/registry": [
        "cpp/kernels/contract",
        "cpp/kernels/names",
        "cpp/kernels/isas",
        "cpp/machine",
        PUBLIC,
    ],
    "cpp/kernels/isas": [],
    "cpp/kernels/selftest": ["cpp/packing", "cpp/kernels/names", *KERNELS, BASE, PUBLIC],
    "cpp/kernels": ["cpp/kernels/contract", "cpp/kernels/generic", BASE],  # the folders of instruction sets
    "cpp/kernels/avxvnni": ["cpp/kernels/contract", "cpp/kernels/generic", "cpp/kernels/avx2", BASE],
    "cpp/kernels/avx512_vbmi": ["cpp/kernels/contract", "cpp/kernels/generic", "cpp/kernels/avx512", BASE],
    "cpp/kernels/amx": ["cpp/kernels/contract", "cpp/kernels/generic", "cpp/kernels/avx512_vbmi", BASE],
    "cpp/kernels/neon_dotprod": ["cpp/kernels/contract", "cpp/kernels/generic", "cpp/kernels/neon", BASE],
    "cpp/kernels/neon_i8mm": ["cpp/kernels/contract", "cpp/kernels/generic", "cpp/kernels/neon", BASE],
    "cpp/backends/cpu": [
        "cpp/packing",
        *KERNELS,
        "cpp/threads",
        "cpp/formats",
        "cpp/machine",
        BASE,
        PUBLIC,
    ],
    "cpp/io": ["cpp/formats", "cpp/machine", BASE, PUBLIC],
    "cpp/llm/text": [PUBLIC],
    "cpp/llm/blocks": ["cpp/backends/cpu", "cpp/formats", "cpp/machine", BASE, PUBLIC],
    "cpp/llm/head": ["cpp/llm/blocks", "cpp/backends/cpu", PUBLIC],
    "cpp/llm/models": [
        "cpp/llm/blocks",
        "cpp/llm/head",
        "cpp/backends/cpu",
        "cpp/formats",
        "cpp/io",
        BASE,
        PUBLIC,
    ],
    "cpp/llm/engine": [
        "cpp/llm/models",
        "cpp/llm/head",
        "cpp/llm/text",
        "cpp/threads",
        "cpp/backends/cpu",
        "cpp/machine",
        *KERNELS,
        BASE,
        PUBLIC,
    ],
    "cpp/sparse": [*KERNELS, "cpp/threads", "cpp/machine", BASE, PUBLIC],
    "cpp/api": [
        "cpp/llm/engine",
        "cpp/llm/text",
        "cpp/backends/cpu",
        "cpp/sparse",
        "cpp/packing",
        "cpp/kernels/selftest",
        "cpp/kernels/registry",
        "cpp/kernels/isas",
        "cpp/threads",
        "cpp/machine",
        BASE,
        PUBLIC,
    ],
    "cpp/tools": [PUBLIC],
    "python/bindings": [PUBLIC],
    "tests/reference": [BASE],
    "tests/install": [PUBLIC],
    "tests": [PUBLIC, "cpp", "tests/reference"],
    "bench": [PUBLIC, "cpp"],
}
ISA_FOLDERS = sorted(f.name for f in (ROOT / "cpp/kernels").iterdir() if (f / "kernels.inc").exists())
# Standard headers that a kernel may use: none that allocates, throws, prints or knows of threads.
KERNEL_STD = {"bit", "cstddef", "cstdint", "cstring", "limits", "type_traits", "utility"}
KERNEL_STD |= {"immintrin.h", "arm_neon.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def area(path: pathlib.PurePath) -> str:
    """The area of a path: the longest key of ARROWS that it lies in; ISA folders are areas of their own."""
    if path.parts[:2] == ("cpp", "kernels") and path.parts[2] in ISA_FOLDERS:
        return "cpp/kernels/" + path.parts[2]
    stem = str(path.with_name(path.name.split(".")[0]))
    fits = [a for a in ARROWS if stem == a or stem.startswith(a + "/")]
    assert fits, f"{path}: no arrows are defined for this folder"
    return max(fits, key=len)


def allowed(source: str, target: str) -> bool:
    arrows = ARROWS[source] if source in ARROWS else ARROWS["cpp/kernels"]
    # "cpp" in the lists of tests and bench means every folder of the library; elsewhere an entry is one area.
    return target == source or target in arrows or ("cpp" in arrows and target.startswith("cpp/"))


def resolve(source: pathlib.Path, name: str) -> pathlib.Path | None:
    for base in (source.parent, pathlib.Path("cpp"), pathlib.Path("include"), pathlib.Path("tests")):
        if (ROOT / base / name).is_file():
            return pathlib.Path(os.path.normpath(base / name))
    return None


def includes(source: pathlib.Path) -> list[tuple[str, str]]:
    return INCLUDE.findall((ROOT / source).read_text())


def test_no_arrow_goes_up() -> None:
    wrong = []
    for source in cpp_files():
        for quote, name in includes(source):
            if quote == "<":
                continue
            target = resolve(source, name)
            if target is None:
                wrong.append(
                    f'{source}: #include "{name}" is no file of this project (third-party headers go in <>)'
                )
            elif not allowed(area(source), area(target)):
                wrong.append(f"{source}: {area(source)} may not include {target}")
    assert not wrong, "\n".join(wrong)


def test_every_arrow_is_used() -> None:
    """An arrow that nobody uses is an invitation. "cpp" stands for many; an ISA folder speaks for all of them."""
    used = set()
    for source in cpp_files():
        for _quote, name in includes(source):
            if target := resolve(source, name):
                here = area(source)
                used.add((here if here in ARROWS else "cpp/kernels", area(target)))
                if target.parts[0] == "cpp":
                    used.add((here, "cpp"))
    # What a narrower folder may include besides the others' is said once more for it.
    narrower = {a for a in ARROWS if a.removeprefix("cpp/kernels/") in ISA_FOLDERS}
    unused = [
        f"{source} -> {target}"
        for source, targets in ARROWS.items()
        for target in targets
        if (source, target) not in used and not (source in narrower and target in ARROWS["cpp/kernels"])
    ]
    assert not unused, "allowed and not used: " + ", ".join(unused)


def test_blocks_know_no_threads() -> None:
    """What blocks and models compute stands in the operations on rows: another backend has these, too."""
    names = re.compile(r"\bpool\b|\bkernels::|\bThreadPool\b")
    wrong = [
        f"{source}:{number}: {line.strip()}"
        for source in cpp_files()
        if source.parts[:2] == ("cpp", "llm") and source.parts[2] != "engine"
        for number, line in enumerate((ROOT / source).read_text().splitlines(), 1)
        if names.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_operating_system() -> None:
    """Its headers stand in cpp/machine and in the tools: a port is a few files there."""
    system = re.compile(
        r"(sys|asm|linux)/.*|unistd\.h|pthread\.h|sched\.h|fcntl\.h|dlfcn\.h|signal\.h|windows\.h|cpuid\.h"
    )
    wrong = [
        f"{source}: <{name}>"
        for source in cpp_files()
        if source.parts[0] in ("cpp", "include")
        and source.parts[:2] not in (("cpp", "machine"), ("cpp", "tools"))
        for quote, name in includes(source)
        if quote == "<" and system.fullmatch(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_outside_headers() -> None:
    """The public headers and the kernels use few headers of others."""
    kernel_areas = {
        "cpp/kernels/contract",
        "cpp/kernels/generic",
        *(f"cpp/kernels/{isa}" for isa in ISA_FOLDERS),
    }
    wrong = []
    for source in cpp_files():
        in_kernels = area(source) in kernel_areas
        for quote, name in includes(source):
            if quote == '"':
                continue
            if source.parts[0] == "include" and ("/" in name or "." in name):
                wrong.append(f"{source}: <{name}> is not of the C++ standard library")
            if in_kernels and name not in KERNEL_STD:
                wrong.append(f"{source}: a kernel may not use <{name}>")
            if (
                source.parts[1:2] == ("kernels",)
                and "contract" in source.parts
                and name not in ("cstddef", "cstdint")
            ):
                wrong.append(f"{source}: the contract may not use <{name}>")
    assert not wrong, "\n".join(wrong)


def isa_flags() -> dict[str, list[str]]:
    text = (ROOT / "cpp/cmake/isa_flags.cmake").read_text()
    found: dict[str, list[str]] = {}
    for isa, flags in re.findall(r"^set\(STERNA_FLAGS_(\w+) (.*)\)$", text, re.M):
        flags = re.sub(r"\$\{STERNA_FLAGS_(\w+)\}", lambda m: " ".join(found[m[1]]), flags)
        found[isa] = flags.split()
    return found


def compile_alone(header: pathlib.Path) -> str | None:
    """What the compiler says to the header on its own; None if none here knows its instruction set."""
    compiler = [os.environ.get("CXX", "c++")]
    folder = header.parts[2] if header.parts[:2] == ("cpp", "kernels") and len(header.parts) > 3 else ""
    flags = [
        "-std=c++20",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Wno-unused-function",
        "-Wno-unused-const-variable",
        "-Werror",
    ]
    machine = os.uname().machine
    if folder.startswith("neon") and machine not in ("aarch64", "arm64"):
        compiler = ["aarch64-linux-gnu-g++"]
    if folder.startswith(("avx", "amx")) and machine not in ("x86_64", "AMD64"):
        return None
    if shutil.which(compiler[0]) is None:
        return None
    flags += isa_flags().get(folder, [])
    if (
        folder == "generic"
    ):  # the generic source is written on the vectors and lists of the ISA folder that includes it
        if header.name.endswith(".inl.h"):
            flags += ["-include", "cpp/kernels/scalar/vec.h"]
        flags += ["-DSTERNA_ISA=scalar", '-DSTERNA_KERNELS_INC="kernels/scalar/kernels.inc"']
    flags += ["-Iinclude", "-Icpp", "-Itests", "-include", str(header), "-x", "c++", os.devnull]
    done = subprocess.run([*compiler, *flags], cwd=ROOT, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def test_headers_compile_alone() -> None:
    headers = [f for f in cpp_files() if f.suffix == ".h" and f.parts[0] in ("include", "cpp")]
    assert headers
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        pytest.skip("no C++ compiler")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = dict(zip(headers, pool.map(compile_alone, headers), strict=True))
    left_out = [str(h) for h, text in said.items() if text is None]
    if left_out:
        print("no compiler here for:", *left_out)
    wrong = [f"{h} does not compile on its own:\n{text}" for h, text in said.items() if text]
    assert not wrong, "\n".join(wrong)
