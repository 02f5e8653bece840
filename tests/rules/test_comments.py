"""Comments as they were meant: a formatter moves what does not fit, and nobody looks at them afterwards."""

import re

from tree import ROOT, cpp_files

RULE = re.compile(r"\s*//+\s*[-=*]{3,}")
ALONE = re.compile(r"\s*//+\s*[-=*]{3,}\s*")
COMMENT = re.compile(r"\s*//")


def broken(lines: list[str]) -> list[tuple[int, str]]:
    """Number and fault of each line that shows what a formatter has done to a comment."""
    found = []
    for number, line in enumerate(lines, 1):
        before = lines[number - 2] if number > 1 else ""
        after = lines[number] if number < len(lines) else ""
        if ALONE.fullmatch(line):
            found.append((number, "a rule without its heading"))
        elif RULE.match(line) and (COMMENT.match(before) or COMMENT.match(after)):
            found.append((number, "a heading and other comments in one"))
        if re.search(r"=\s*$", line) and "///<" in after:
            found.append(
                (number, "a value moved off its name by the comment behind it: put that above, or shorten it")
            )
    return found


def test_signs_are_seen() -> None:
    """Each sign, as formatters make it, and what looks alike."""
    assert len(broken(["// ------"])) == 1
    assert len(broken(["// --- the parts ---", "// of which"])) == 1
    assert len(broken(["  int zero =", "      1;  ///< Of codes."])) == 1
    assert not broken(["// --- the parts ---", "", "int zero =", "    f();", "// a", "x = 1;  ///< y"])


def test_no_comment_is_broken() -> None:
    wrong = [
        f"{f}:{number}: {fault}"
        for f in cpp_files()
        for number, fault in broken((ROOT / f).read_text(encoding="utf-8").splitlines())
    ]
    assert not wrong, "\n".join(wrong)
