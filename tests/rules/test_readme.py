"""The pages for people: short, runnable, with links that lead somewhere and figures that nobody typed."""

import re
import runpy

import pytest
from support_table import SECTIONS, current
from tree import ROOT, files

PAGES = [str(f) for f in files("", {".md"})]
MOST_LINES = 130
# What a first-time reader must find at once: to install, to run, to test, and to embed.
AT_ONCE = [
    "pip install .",
    "sterna run",
    "pytest",
    "sterna.load(",
    "sterna::Model::load(",
    "find_package(sterna)",
]
AT_ONCE_LINES = 60


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_readme_is_short_and_begins_with_what_is_needed() -> None:
    lines = read("README.md").splitlines()
    assert len(lines) <= MOST_LINES, f"README.md has {len(lines)} lines; the other pages have room"
    top = "\n".join(lines[:AT_ONCE_LINES])
    missing = [what for what in AT_ONCE if what not in top]
    assert not missing, f"not in the first {AT_ONCE_LINES} lines of README.md: {missing}"


def test_every_block_is_run() -> None:
    """CI runs the blocks of .ci/readme.py's pages, so other pages have none (an indented text is not run)."""
    if not (ROOT / ".ci").exists():
        pytest.skip("not in the source distribution")
    run = runpy.run_path(str(ROOT / ".ci/readme.py"))["PAGES"]
    assert set(run) <= set(PAGES)
    blocks = {page: re.findall(r"^ *```(\w*)\n.*?^ *```$", read(page), re.M | re.S) for page in PAGES}
    wrong = [
        f"{page}: not run by .ci/readme.py" for page, found in blocks.items() if found and page not in run
    ]
    wrong += [
        f"{page}: a block in {language or 'no language'}"
        for page in run
        for language in blocks[page]
        if language not in ("sh", "python", "cpp")
    ]
    assert not wrong, "\n".join(wrong)


def test_links_lead_somewhere() -> None:
    wrong = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in link and not (ROOT / page).parent.joinpath(link).exists():
                wrong.append(f"{page}: {link}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", SECTIONS)
def test_what_is_supported_is_current(page) -> None:
    assert read(page) == current(page), "run tests/rules/support_table.py --write"


def test_figures_are_those_of_the_results() -> None:
    if not (ROOT / "bench/results").exists():
        pytest.skip("not in the source distribution")
    for page, text in runpy.run_path(str(ROOT / "bench/report.py"))["pages"]().items():
        assert page.read_text() == text, "run bench/report.py --write"
