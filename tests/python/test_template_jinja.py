"""The interpreter against Jinja itself: the same text for the same template, an error where Jinja has one."""

import copy
from pathlib import Path

import pytest
from jinja_reference import reference
from sterna.template.render import render

FOLDER = Path(__file__).resolve().parents[1] / "data" / "templates"
TEMPLATES = sorted(FOLDER.glob("*.jinja"))
DATA = {
    "a": "Hello, World", "e": "", "u": "größe ß İ 🙂 ΑΣ", "ml": "one\n  two\n\nthree\r\nfour", "w": "  x y  ",
    "n": 7, "f": -2.5, "t": True, "no": None, "z": [], "l": [3, 1, 2], "ls": ["b", "A", "c", "a"],
    "d": {"b": 1, "A": 2, "items": 5}, "nested": [[1, [2, "x"]], {"k": None}],
    "ms": [{"role": "user", "n": 2, "c": {"x": "B"}}, {"role": "tool", "n": 1, "c": {"x": "a"}},
           {"role": "user", "n": 3, "c": {}}],
    "th": "<think>\nhm\n</think>\n\nanswer",
}  # fmt: skip


def same(source, variables) -> None:
    want = reference(source, copy.deepcopy(variables))
    try:
        got = str(render(source, variables))
    except ValueError as e:
        got, error = None, e
    else:
        error = None
    assert got == want, error


EXPRESSIONS = (FOLDER / "expressions.txt").read_text(encoding="utf-8").strip().split("\n")

STATEMENTS = [
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.cycle('a', 'b') }} {% endfor %}",
    "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}{{ loop.last }}{{ loop.length }}{% else %}none{% endfor %}",
    "{% for i in l if i > 9 %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in missing %}x{% else %}none{% endfor %}",
    "{% for i in n %}x{% endfor %}",
    "{% for c in a %}{{ c }}.{% endfor %}{{ c is defined }}",
    "{% for k in d %}{{ k }}{% endfor %}{% for k, v in d.items() %}{{ k }}={{ v }} {% endfor %}",
    "{% for x, y in l %}{{ x }}{% endfor %}",
    "{% for x, (y, z) in [[1, [2, 3]]] %}{{ x }}{{ y }}{{ z }}{% endfor %}",
    "{% for i in l %}{% if loop.first %}{% continue %}{% endif %}{{ i }}{% if i == 1 %}{% break %}{% endif %}{% endfor %}",
    "{% for i in l %}{% for j in ls %}{{ loop.index }}{% if j == 'A' %}{% break %}{% endif %}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in l %}{% set x = i %}{% endfor %}{{ x is defined }}",
    "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% if no %}{% set y = 2 %}{% endif %}{{ y is defined }}",
    "{% set ns = namespace(c=0, s='') %}{% for i in l %}{% set ns.c = ns.c + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.c }}{{ ns.s }}",
    "{% set ns.x = 1 %}",
    "{% set d.x = 1 %}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set x, y = l %}",
    "{% set x %}a{{ n }}{% endset %}{{ x }}{{ x | length }}",
    "{% set x | upper | replace('A', 'b') %}a{{ n }}{% endset %}{{ x }}",
    "{% set x %}{% set q = 1 %}{% endset %}{{ q is defined }}",
    "{% filter upper %}a{{ a }}{% endfilter %}",
    "{% filter replace('l', 'L') | indent(2, true) %}{{ a }}\nl{% endfilter %}",
    "{% with x = 1, y = a %}{{ x }}{{ y }}{% endwith %}{{ x is defined }}",
    "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x is defined }}",
    "{% macro f(x, y='d', z=none) %}{{ x }}{{ y }}{{ z }}{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(y=1, x=2) }}{{ f() }}",
    "{% macro f(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ f(1) }}",
    "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}",
    "{% macro f() %}x{% endmacro %}{{ f(1) }}",
    "{% macro f(a) %}x{% endmacro %}{{ f(b=1) }}",
    "{% macro f(a) %}x{% endmacro %}{{ f(1, a=1) }}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro f() %}{{ g is defined }}{{ a }}{% endmacro %}{% set g = 1 %}{{ f() }}",
    "{% for i in l %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}",
    "{% macro f() %}{{ i }}{% endmacro %}{% for i in l %}{{ f() }}{% endfor %}",
    "{% macro f() %}{% set x = 5 %}{% endmacro %}{{ f() }}{{ x is defined }}",
    "{% macro f(t) %}[{{ caller(t) }}]{% endmacro %}{% call(x) f('q') %}<{{ x }}{{ a }}>{% endcall %}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}body{% endcall %}{{ f() }}",
    "{% macro f() %}x{% endmacro %}{% call f() %}body{% endcall %}",
    "{% macro f(x) %}{{ x | upper }}{% endmacro %}{{ f(a) | lower }}{{ f.name }}{{ f('x') ~ 'y' }}",
    "{% set f = a.upper %}{{ f() }}",
    "{% for x in [[1, [[2, []]]], [3, []]] recursive %}{{ x[0] }}({{ loop(x[1]) }}){{ loop.depth }}{% endfor %}",
    "{% for i in l %}{{ loop(l) }}{% endfor %}",
    "{% if a and not e %}1{% elif t %}2{% else %}3{% endif %}",
    "{% if no %}1{% elif e %}2{% elif t %}3{% endif %}",
    "  {% if t %}\n  x\n  {%- endif %}  \ny  {{- n -}}  z\n{# c #}\nq{% raw %}{{ x }}{% endraw %}\n",
    "a{%+ if t %} b{% endif %}\n",
    "{% generation %}{{ a }}{% endgeneration %}",
    "{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}",
    "{% set c = cycler('a', 'b') %}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}",
    "{% block x %}{{ a }}{% endblock %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
    "{% do l.append(1) %}",
    "{{ f(*[1, 2]) }}{% macro f(a, b) %}{% endmacro %}",
    "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'b': 1, 'a': 2}) }}",
    "{% for g in ms | groupby('role') %}{{ g.grouper }}:{{ g.list | length }}{{ g[0] }} {% endfor %}",
    "{% for role, items in ms | groupby('role') %}{{ role }}{{ items | length }}{% endfor %}",
    "{% set x = namespace(m=none) %}{% for m in ms if not x.m %}{% set x.m = m %}{{ m.n }}{% endfor %}",
    "{% set x = namespace(m=none) %}{% for m in ms if not x.m %}{{ loop.index }}{% set x.m = m %}{{ m.n }}{% endfor %}",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression) -> None:
    same("{{ " + expression + " }}", DATA)


@pytest.mark.parametrize("source", STATEMENTS)
def test_statements(source) -> None:
    same(source, DATA)


# --- whole templates --------------------------------------------------------------------------------------

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather\nof a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Which", "enum": ["Paris", "Rome"]},
                "days": {"type": ["integer", "null"], "default": None},
                "more": {
                    "type": "array",
                    "items": {"type": "object", "additionalProperties": {"type": "number"}},
                },
            },
            "required": ["city"],
        },
        "return": {"type": "string"},
    },
}
CALL = {
    "type": "function",
    "id": "abcdefghi",
    "function": {"name": "weather", "arguments": {"city": "Paris", "x": [1, {"y": None}], "t": True}},
}
SYSTEM = {"role": "system", "content": " be brief "}
USER = {"role": "user", "content": "Hi é <b>&'\" 🙂\n"}
ANSWER = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nanswer"}
REASONED = {"role": "assistant", "content": "ok", "reasoning_content": "why"}
CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "sunny", "name": "weather", "tool_call_id": "abcdefghi"}
CONVERSATIONS = [
    [USER],
    [SYSTEM, USER],
    [SYSTEM, USER, ANSWER, USER],
    [USER, REASONED, USER, REASONED],
    [SYSTEM, USER, CALLS, RESULT],
    [USER, CALLS, RESULT, ANSWER, USER],
    [USER, {**CALLS, "tool_calls": [CALL, CALL]}, RESULT, RESULT],
    [USER, USER],
    [ANSWER],
    [{"role": "developer", "content": "d"}, USER],
]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates(path) -> None:
    source = path.read_text(encoding="utf-8")
    rendered = 0
    for messages in CONVERSATIONS:
        for tools in (None, [TOOL, TOOL]):
            for more in (
                {"add_generation_prompt": True},
                {"enable_thinking": False, "date_string": "today", "builtin_tools": ["weather", "python"]},
            ):
                variables = {
                    "messages": messages,
                    "tools": tools,
                    "bos_token": "<s>",
                    "eos_token": "</s>",
                    **more,
                }
                same(source, variables)
                rendered += reference(source, copy.deepcopy(variables)) is not None
    assert rendered >= 10  # most of them are no errors on both sides
