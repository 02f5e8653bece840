#!/usr/bin/env python3
"""Prints the code blocks of README.md in one language, so that CI runs what people read.

readme.py sh      # a shell script: each command echoed, the first failure ends it
readme.py python  # also: cpp
"""

import pathlib
import re
import sys

language = sys.argv[1]
readme = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text()
blocks = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.M | re.S)
if not blocks:
    sys.exit(f"README.md has no block in {language}")
if language == "sh":
    blocks.insert(0, "set -euxo pipefail\n")
print("\n".join(blocks), end="")
