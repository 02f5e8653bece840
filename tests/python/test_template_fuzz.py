"""A few seconds of tests/fuzz/template_fuzz.py, always the same; and that it can fail."""

import sys
from pathlib import Path

from sterna.template import operators
from sterna.template.text import literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
import template_fuzz  # noqa: E402


def test_fuzz() -> None:
    assert template_fuzz.fuzz(seed=7, count=120) == 120


def test_it_finds_a_lost_origin(monkeypatch) -> None:
    monkeypatch.setattr(operators, "concat", lambda pieces: literal("".join(pieces)))
    assert "taken for the template's" in template_fuzz.check("{{ s ~ w }}", compare=True)


def test_it_finds_another_text(monkeypatch) -> None:
    monkeypatch.setattr(template_fuzz, "reference", lambda source, variables: "b")
    assert "Jinja gives 'b'" in template_fuzz.check("a", compare=True)
