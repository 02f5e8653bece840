"""The command lines say the same: sterna-run has every flag of the library's options, and its commands' own.

Builds: as test_symbols.py finds them.
"""

import pathlib
import re
import subprocess

import pytest
from test_symbols import builds  # noqa: F401  (a fixture)
from tree import ROOT


def listed_flags(call: str) -> set[str]:
    """Of the lines of options.inc."""
    lines = re.findall(rf"^STERNA_{call}_OPTION\((.*)\)$", (ROOT / "include/sterna/options.inc").read_text(), re.M)
    assert lines
    return {name for line in lines for name in re.findall(r'"(-[^"]*)"', line)[0].split()}


@pytest.fixture
def program(builds: list[pathlib.Path]) -> pathlib.Path:  # noqa: F811
    found = [path for build in builds for path in build.glob("cpp/sterna-run")]
    if not found:
        pytest.skip("sterna-run is not built")
    return found[0]


def flags(program: pathlib.Path) -> dict[str, set[str]]:
    """By command, as --help has them."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    result = {}
    for section in text.split("\n\n")[1:]:
        names = re.findall(r"^  (-[^A-Z]*?) (?:[A-Z]| )", section, re.M)
        result[section.split(":")[0]] = {name for row in names for name in row.split()}
    return result


def test_every_option_is_a_flag(program: pathlib.Path) -> None:
    have = flags(program)
    load, generate = listed_flags("LOAD"), listed_flags("GENERATE")
    assert have["generate"] == load | generate | {"-m", "--model", "-p", "--prompt", "--no-display-prompt"}
    assert load - have["bench"] == {"-c", "--ctx-size", "--screen"}
    assert have["selftest"] == {"-m", "--model", "-t", "--threads"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bench -c 5", "unknown flag -c of bench"),
        ("generate --top-k many", "--top-k: got 'many', expected N"),
        ("generate --seed -2", "--seed: got '-2', expected N"),
        ("generate -n", "-n needs a value: N"),
        ("generate '' x", "unknown flag"),
        ("fly", "unknown command fly"),
        ("generate --ignore-eos", "generate needs -m FILE"),
    ],
)
def test_wrong_words(program: pathlib.Path, words: str, message: str) -> None:
    done = subprocess.run([program, *words.replace("''", "").split(" ")], capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr


def test_flags_reach_the_library(program: pathlib.Path) -> None:
    model = str(ROOT / "python/sterna/data/sterna-tiny.gguf")

    def run(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run([program, "generate", "-m", model, "-p", "The", *words], capture_output=True, text=True)

    greedy = run("-n", "6", "--temp", "0")
    assert greedy.returncode == 0 and greedy.stdout == run("--predict", "6", "--top-k", "1", "-s", "-1").stdout
    assert run("-n", "6", "-s", "5").stdout == run("-n", "6", "-s", "5").stdout
    drawn = {run("-n", "24").stdout for _ in range(4)}
    assert len(drawn) > 1, "without a seed each run has one of its own"
    for flag, value in (("--min-p", "3"), ("--lookup", "65"), ("--head-bits", "5"), ("-b", "0"), ("--screen", "x")):
        assert "expected" in run(flag, value).stderr, flag
