"""The shape of the tree: what may stand where, how a file begins, what it may not say."""

import pathlib
import re

from tree import CPP_SUFFIXES, ROOT, files, is_output

TOP = {
    "CMakeLists.txt", "CMakePresets.json", "pyproject.toml", "README.md",
    "SECURITY.md", "CHANGELOG.md", "LICENSE",
    "include", "cpp", "python", "tests", "bench", "third_party",
}  # fmt: skip
SCRIPTS = {".py", ".sh", ".yml", ".yaml", ".cmake"}
TEXT = CPP_SUFFIXES | SCRIPTS | {".md", ".txt", ".toml", ".json", ".in", ""}
# Paths of one machine, and notes for later. Spelled in two parts so that this file does not contain them.
UNWANTED = {
    "a path of one machine": re.compile(
        r"(?<![\w.)}/])/(work|home|root|Users|tmp|mnt)/|/" + r"tmp\b(?![/\w])"
    ),
    "unfinished work": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
}
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def all_files() -> list[pathlib.Path]:
    return [f for f in files() if f.parts[:2] != ("tests", "fuzz") or "corpus" not in f.parts]


def text_files() -> list[pathlib.Path]:
    return [f for f in all_files() if f.suffix in TEXT]


def read(path: pathlib.Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_top_level() -> None:
    extra = {p.name for p in ROOT.iterdir() if not p.name.startswith(".") and not is_output(p.name)} - TOP
    assert not extra, f"the root of the tree is fixed; not of it: {sorted(extra)}"


def test_files_say_what_they_are_for() -> None:
    """The first line (after #!) of every source file starts a comment or a docstring."""
    silent = []
    for f in text_files():
        lines = [line for line in read(f).splitlines() if not line.startswith("#!")]
        first = lines[0] if lines else ""
        if f.suffix in CPP_SUFFIXES and not first.startswith("// "):
            silent.append(str(f))
        if f.suffix in SCRIPTS and not re.match(r'# |r?"""\S', first):
            silent.append(str(f))
    assert not silent, f"no comment in the first line: {silent}"


def test_nothing_unwanted() -> None:
    wrong = []
    for f in text_files():
        for number, line in enumerate(read(f).splitlines(), 1):
            wrong += [
                f"{f}:{number}: {what}: {line.strip()}"
                for what, text in UNWANTED.items()
                if text.search(line)
            ]
    assert not wrong, "\n".join(wrong)


def test_library_never_throws() -> None:
    library = [f for f in files("cpp", CPP_SUFFIXES) if f.parts[1] != "tools"]
    wrong = [str(f) for f in library if re.search(r"\bthrow\b", STRING.sub('""', COMMENT.sub("", read(f))))]
    assert not wrong, f"an error is a Status: {wrong}"


def test_every_cpp_test_is_in_a_suite_that_ctest_runs() -> None:
    suites = re.search(r"foreach\(suite ([\w ]+)\)", read(pathlib.Path("tests/CMakeLists.txt")))[1].split()
    wrong, used = [], set()
    for f in files("tests", {".cpp"}):
        if f.name.endswith("_test.cpp") and f.parent.name in ("unit", "conformance", "golden", "sparse"):
            text = read(f)
            named = re.findall(r'TEST_SUITE(?:_BEGIN)?\("([^"]*)"\)', text)
            used.update(named)
            first_case, first_suite = text.find("TEST_CASE"), text.find("TEST_SUITE")
            if not named or set(named) - set(suites) or first_case < first_suite:
                wrong.append(f"{f}: suites {named}, expected all cases in one of {suites}")
    wrong += [f"suite {suite} has no test" for suite in suites if suite not in used]
    assert not wrong, "\n".join(wrong)
