#!/usr/bin/env python3
"""Fuzzes the interpreter of chat templates with random and mutated ones.

template_fuzz.py --seconds 60 [--seed N]

Of each: it gives text or ValueError, and soon; the same text as Jinja itself, where Jinja gives one; and no
character of the conversation is taken for the template's. A failure prints the template and its seed.
"""

import argparse
import random
import re
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "python"))

from jinja_reference import reference  # noqa: E402
from sterna.template.render import render  # noqa: E402

SLOW = 3.0  # seconds of this process
# Characters that no template contains and no change of case touches: the conversation's.
OURS = "語文字句話言"
DATA = {
    "s": f"{OURS[:3]} {OURS[3:]}\n{OURS}",
    "w": f"  {OURS} ",
    "n": 3,
    "f": 2.5,
    "t": True,
    "no": None,
    "l": [3, 1, 2],
    "ls": [OURS[:2], OURS[2:4], "", OURS[:2]],
    "d": {OURS[0]: OURS[1], "k": 1, "items": [1]},
    "messages": [{"role": "user", "content": OURS, "n": 2}, {"role": "tool", "content": OURS[:2], "n": 1}],
    "tools": [
        {"function": {"name": OURS, "parameters": {"type": "object", "properties": {"a": {"type": OURS}}}}}
    ],
    "add_generation_prompt": True,
}
UNPROMISED = re.compile(
    r"more than \d+ bits|as a key|a key of type|more steps|more text|too deeply|which a template may not|precision|cannot be sliced|loop cannot be"
)

FILTERS = """abs;batch(2) | list;batch(2, 'x') | list;capitalize;center(9);count;default('x');d('x', true);dictsort
dictsort(by='value');e;first;float;format(1);groupby('role');indent;indent(2, true, true);int;items | list;join;join('-')
join(',', 'role');last;length;list;lower;map('upper') | list;map('length') | list;map(attribute='n') | list
map(attribute='content', default='x') | list;max;min;reject('odd') | list;rejectattr('role', 'eq', 'user') | list
replace('a', 'b');replace('', '-');reverse | list;round;round(1, 'ceil');safe;select | list;select('string') | list
selectattr('role') | list;selectattr('n', 'gt', 1) | list;slice(2) | list;slice(2, 'x') | list;sort;sort(true)
sort(attribute='n');string;sum;sum('n');title;tojson;tojson(indent=2);trim;trim('a');truncate(4);truncate(5, true, '')
unique | list;upper;urlencode;wordcount;wordwrap(3);attr('k')""".replace("\n", ";").split(";")
TESTS_OF_VALUES = """defined|undefined|none|string|number|integer|float|boolean|mapping|sequence|iterable|odd|even|true|false
upper|lower|callable|eq(1)|in([1, 2])|divisibleby(2)|sameas(none)|gt(1)|ne('a')""".replace("\n", "|").split(
    "|"
)
METHODS = """upper()|lower()|title()|strip()|lstrip('a')|rstrip()|split()|split('a')|split(none, 1)|rsplit('a', 1)|splitlines()
splitlines(true)|partition(' ')|rpartition('a')|replace('a', 'bb')|replace('a', '', 1)|startswith('a')|endswith(('a', 'b'))
find('a')|rfind('a')|count('a')|join(['a', 'b'])|join(ls)|format(1, 2)|center(7, '*')|ljust(5)|rjust(5)|zfill(5)|isdigit()
removeprefix('a')|capitalize()|swapcase()|casefold()|get('k')|get('x', 1)|index(1)|copy()""".replace(
    "\n", "|"
).split("|")
TEXTS = ["''", "'a'", "'Ab c-d'", "'%s-%s'", "'{} {x}'", "'a\\nb\\n'", "'<b>&'", "'ß İ'", "' x '"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "and", "or", "==", "!=", "<", ">", "<=", ">=", "in", "not in"]
HUGE = ["10 ** 9", "'a' * 1000000", "range(100000)", "2 ** 200", "[[]] * 100000", "-(10 ** 30)"]


class Generator:
    """Writes random templates; `huge`: with values that no bounded program can multiply at will."""

    def __init__(self, rng: random.Random, huge: bool) -> None:
        self.rng = rng
        self.huge = huge
        self.names = [*DATA, "missing"]

    def one_of(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def expression(self, depth: int) -> str:
        r = self.rng
        if depth <= 0 or r.random() < 0.15:
            if self.huge and r.random() < 0.3:
                return f"({r.choice(HUGE)})"
            return r.choice(
                [r.choice(self.names), r.choice(TEXTS), str(r.randint(0, 5)), "[]", "none", "loop"]
            )
        e = lambda: self.expression(depth - 1)  # noqa: E731
        kind = r.randrange(13)
        if kind < 3:
            return f"{e()} | {r.choice(FILTERS)}" if r.random() < 0.5 else f"({e()} | {r.choice(FILTERS)})"
        if kind < 5:
            return f"({e()}).{r.choice(METHODS)}"
        if kind < 7:
            return f"({e()} {r.choice(BINARY)} {e()})"
        return [
            f"({e()} is {r.choice(['', 'not '])}{r.choice(TESTS_OF_VALUES)})",
            f"({e()} if {e()} else {e()})",
            f"({e()})[{r.choice(['0', '-1', '1:', '::-1', ':2', repr('k'), r.choice(self.names)])}]",
            f"[{e()}, {e()}]",
            "{'k': " + e() + ", 'b': " + e() + "}",
            f"({e()}).{r.choice(['k', 'role', 'content', 'last', 'x', 'name', 'n'])}",
        ][kind - 7]

    def body(self, depth: int) -> str:
        return "".join(self.statement(depth) for _ in range(self.rng.randint(1, 3)))

    def statement(self, depth: int) -> str:
        r = self.rng
        output = "{{ " + self.expression(r.randint(1, 3)) + " }}"
        if depth <= 0 or r.random() < 0.4:
            return r.choice([output, output, "ab \n", "{#- c #}"])
        name = f"v{r.randrange(4)}"
        inner = self.body(depth - 1)
        block = r.randrange(8)
        if block == 0:
            return (
                "{%- if "
                + self.expression(2)
                + " %}"
                + inner
                + "{% else %}"
                + self.body(depth - 1)
                + "{%- endif %}"
            )
        if block == 1:
            condition = f" if {self.expression(1)}" if r.random() < 0.2 else ""
            end = self.one_of("", "", "{% if loop.last %}{% break %}{% endif %}", "{% continue %}")
            return (
                "{% for "
                + name
                + " in "
                + self.expression(1)
                + condition
                + " %}"
                + inner
                + end
                + "{% endfor %}"
            )
        if block == 2:
            self.names.append(name)
            return "{% set " + name + " = " + self.expression(3) + " %}"
        if block == 3:
            self.names.append(name)
            return "{% set " + name + " %}" + inner + "{% endset %}"
        if block == 4:
            call = f"{name}m({self.expression(1)}, b={self.expression(1)})"
            return (
                "{% macro "
                + name
                + "m(a, b=1, c=b) %}{{ a }}{{ c }}"
                + inner
                + "{% endmacro %}{{ "
                + call
                + " }}"
            )
        if block == 5:
            return (
                "{% filter "
                + r.choice(["upper", "trim", "indent(2)", "replace('a', 'b')"])
                + " %}"
                + inner
                + "{% endfilter %}"
            )
        if block == 6:
            return "{% with " + name + " = " + self.expression(2) + " %}" + inner + "{% endwith %}"
        loop = "{% set ns.v = " + self.one_of("ns.v ~ x", "[ns.v, x]", "x", "ns.v + ns.v", "ns.v * 3") + " %}"
        start = self.expression(1)
        items = r.choice(HUGE) if self.huge else self.expression(1)
        return (
            "{% set ns = namespace(v="
            + start
            + ") %}{% for x in "
            + items
            + " %}"
            + loop
            + "{% endfor %}{{ ns.v }}"
        )


def mutated(rng: random.Random, sources: list[str]) -> str:
    """A published template with some of its pieces cut out, doubled, exchanged or taken from another."""
    source = rng.choice(sources)
    for _ in range(rng.randint(1, 4)):
        pieces = re.split(r"(\{[{%#].*?[}%#]\}|[\w']+)", source, flags=re.S)
        other = re.split(r"(\{[{%#].*?[}%#]\}|[\w']+)", rng.choice(sources), flags=re.S)
        at, n = rng.randrange(len(pieces)), rng.randint(0, 3)
        pieces[at : at + n] = rng.choice(
            [[], [rng.choice(other)], pieces[at : at + n] * 2, list(rng.choice(TEXTS))]
        )
        source = "".join(pieces)
    return source


def check(source: str, compare: bool) -> str:
    """ "", or what is wrong."""
    start = time.process_time()
    try:
        got, error = render(source, DATA), ""
    except ValueError as e:
        got, error = None, str(e)
    seconds = time.process_time() - start
    if seconds > SLOW:
        return f"took {seconds:.1f} s"
    if got is not None and any(o and c in OURS for c, o in zip(got, got.origin, strict=True)):
        return f"a character of the conversation is taken for the template's: {got!r}"
    if compare and not UNPROMISED.search(error):
        want = reference(source, DATA)
        if want is not None and got != want:
            return f"got {error or str(got)!r}, Jinja gives {want!r}"
    return ""


def fuzz(seed: int, count: int, seconds: float = 1e9) -> int:
    """How many templates were tried. Raises AssertionError for a wrong one."""
    published = [
        path.read_text(encoding="utf-8") for path in sorted((TESTS / "data" / "templates").glob("*.jinja"))
    ]
    end = time.monotonic() + seconds
    for i in range(count):
        rng = random.Random(f"{seed}.{i}")
        kind = rng.random()
        huge = kind < 0.1
        source = mutated(rng, published) if kind > 0.8 else Generator(rng, huge).body(3)
        wrong = check(source, compare=not huge)
        assert not wrong, f"seed {seed}.{i}: {wrong}\n{source}"
        if time.monotonic() > end:
            return i + 1
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    chosen = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {chosen}: {fuzz(chosen, 1 << 60, arguments.seconds)} templates")
