"""`sterna selftest`: is this machine, a kernel or a file at fault?"""

from __future__ import annotations

from types import SimpleNamespace

import sterna

from .options import Command, Option, path
from .streams import print_line

_OPTIONS = (Option("-m --model", "model", "also check this GGUF file", path, "FILE"),)


def _selftest(args: SimpleNamespace) -> None:
    sterna.selftest(args.model, report=print_line)
    print("all is well")


COMMAND = Command(
    "selftest",
    "Check this machine, every kernel and, with -m, a model file.",
    {"Options": _OPTIONS},
    ("", "-m model.gguf", "-m model.gguf > report.txt"),
    _selftest,
)
