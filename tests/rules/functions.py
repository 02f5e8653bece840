"""The functions of a C++ file and their lengths, by counting braces in what clang-format has formatted.

It relies on a habit of the formatter: the brace of a body stands after a space, that of an initializer does not (`f() {`,
`x{0}`) or follows a `=`. What is inside a body belongs to it: lambdas, local classes. A length runs from the first line of
the signature to the closing brace.
"""

import re
from typing import NamedTuple

# What may hold braces that do not count; what begins first hides the others. Digit separators (1'000) are no characters.
_HIDDEN = re.compile(
    r'R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"'
    r"|//[^\n]*|/\*.*?\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"
    r"|^[ \t]*#(?:\\\n|[^\n])*",
    re.S | re.M,
)
_ATTRIBUTE = re.compile(
    r"\balignas\([^()]*\)|__attribute__\(\(.*?\)\)|\[\[.*?\]\]|\b(?:public|private|protected):"
)
_SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum|extern)\b[^()]*$")
_SUITE = re.compile(r"TEST_SUITE\([^()]*\)$")  # doctest's namespaces
_NAME = re.compile(r"((?:\w+(?:<[^()\s]*>)?::)*(?:operator *\S+?|~?\w+)) *\(")


class Function(NamedTuple):
    name: str
    first: int  # line
    lines: int


def _blanks(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def functions(source: str) -> list[Function]:
    text = _HIDDEN.sub(_blanks, source)
    text = _ATTRIBUTE.sub(_blanks, text)
    found = []
    open_scopes: list[bool] = []  # per open brace: of a namespace or type? Else of a body or an initializer
    begun = None  # name and first line of the body that we are in
    head_at = 0  # where the text that belongs to the next brace begins
    for at in (m.start() for m in re.finditer(r"[{};]", text)):
        if text[at] == "{":
            head = re.split(r"\n[ \t]*\n", text[head_at:at].rstrip())[-1].lstrip()
            outside = all(open_scopes)
            scope = outside and bool(_SCOPE.search(head) or _SUITE.search(head))
            if outside and not scope and text[at - 1].isspace() and "(" in head and not head.endswith("="):
                name = _NAME.search(head)
                begun = (name[1] if name else head, text.count("\n", 0, text.rindex(head, 0, at)) + 1)
            open_scopes.append(scope)
            if scope or begun:
                head_at = at + 1
            continue
        if text[at] == "}":
            assert open_scopes, f"line {text.count(chr(10), 0, at) + 1}: a brace too many"
            ended = open_scopes.pop() or begun
            if begun and all(open_scopes):
                found.append(Function(*begun, text.count("\n", 0, at) + 2 - begun[1]))
                begun = None
            if not ended:  # an initializer's: the signature may go on
                continue
        if all(open_scopes):
            head_at = at + 1
    assert not open_scopes, "a brace is not closed"
    return found
