#!/usr/bin/env python3
"""Prints the code blocks of the README files in one language, so that CI runs what people read.

readme.py sh      # a shell script, for the root of the tree: each command echoed, the first failure ends it
readme.py python  # also: cpp
"""

import pathlib
import re
import sys

# In this order; tests/rules/test_readme.py knows that no other page has blocks.
PAGES = ["README.md", "python/README.md", "cpp/README.md"]


def blocks(language: str) -> list[str]:
    root = pathlib.Path(__file__).resolve().parents[1]
    text = "\n".join((root / page).read_text() for page in PAGES)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


if __name__ == "__main__":
    language = sys.argv[1]
    found = blocks(language)
    if not found:
        sys.exit(f"{', '.join(PAGES)}: no block in {language}")
    if language == "sh":
        found.insert(0, "set -euxo pipefail\n")
    print("\n".join(found), end="")
