"""What the workflows of .github may do: the actions of others by commit hash only, and no more rights than needed."""

import re

import pytest
from tree import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_there_are_some() -> None:
    assert {w.name for w in WORKFLOWS} >= {"ci.yml", "wheels.yml"}


def test_every_push_runs_everything() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.search(r'^on:\n  push:\n    branches: \["\*\*"\]\n  pull_request:$', text, re.M)
    assert re.findall(r"^ +- run: (.*)$", text, re.M) == [".ci/run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned(path) -> None:
    uses = re.findall(r"uses: *(.*)", path.read_text())
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v[\d.]+", action), f"{path.name}: {action}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_rights_are_given_one_by_one(path) -> None:
    text = path.read_text()
    assert re.search(r"^permissions: \{contents: read\}$", text, re.M), (
        f"{path.name}: rights of the whole workflow"
    )
    assert not re.search(r"write-all|pull_request_target|secrets\.", text)
    for rights in re.findall(r"^ +permissions: (.*)$", text, re.M):
        assert rights == "{id-token: write}", f"{path.name}: {rights}"
