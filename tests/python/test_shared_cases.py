"""Scripts rebuilt from public bug reports, in STERNA_SHARED/cases; each ends with exit code 0 where Sterna does right.

What they expect is also tested by files of this folder in words of their own; this runs the scripts as they are handed
on. Not among them: alloc_failures.* (tests/unit/out_of_memory_test.cpp does the same, and more) and
float_environment.py (tests/unit/float_environment_test.cpp), two that fail by what they do themselves: the one lets an
allocation of its own fail, the other multiplies its input in another rounding mode.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(os.environ.get("STERNA_SHARED", "")) / "cases"
SCRIPTS = sorted(CASES.glob("[0-9][0-9]_*.py")) if "STERNA_SHARED" in os.environ else []


@pytest.mark.skipif(not SCRIPTS, reason="STERNA_SHARED names no folder with cases")
@pytest.mark.skipif(not (Path(sys.executable).parent / "sterna").exists(), reason="the command is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_case(script: Path) -> None:
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
