"""Random tiny models of every architecture against llama.cpp: STERNA_REAL=1 pytest tests/real, with gguf and
llama-cpp-python installed."""

import importlib.util
import os
import re
from pathlib import Path

import architectures
import pytest

pytestmark = [
    pytest.mark.skipif(os.environ.get("STERNA_REAL") != "1", reason="STERNA_REAL is not 1"),
    pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None, reason="no llama-cpp-python"),
]
# Names that only other forks of llama.cpp have.
FOREIGN = {"bitnet-25", "bitnet-b1.58"}


def test_every_architecture_is_compared() -> None:
    models = Path(__file__).resolve().parents[2] / "cpp" / "llm" / "models" / "models.inc"
    known = set(re.findall(r'STERNA_MODEL\("([^"]+)"', models.read_text(encoding="utf-8")))
    assert {name.split(",")[0] for name in architectures.ARCHITECTURES} == known - FOREIGN


@pytest.mark.parametrize("kind", architectures.TOLERANCE)
@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_same_logits_and_text(tmp_path: Path, name: str, kind: str) -> None:
    for seed, shape in enumerate(architectures.SHAPES):
        got = architectures.compare(name, shape, kind, seed, tmp_path)
        assert got.median < architectures.TOLERANCE[kind], f"seed {seed}: {got}"
        # Another token only where both are as good within what the logits differ by.
        assert got.gap <= 2 * got.largest, f"seed {seed}: {got}"
