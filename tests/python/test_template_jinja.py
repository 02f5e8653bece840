"""The interpreter against Jinja itself: the same text for the same template, an error where Jinja has one."""

import copy
from pathlib import Path

import pytest
from jinja_reference import reference
from sterna.template.render import render

TEMPLATES = sorted((Path(__file__).resolve().parents[1] / "data" / "templates").glob("*.jinja"))
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


# Text between braces is an expression, one per line.
EXPRESSIONS = r"""
a ~ n ~ f ~ t ~ no ~ l ~ d ~ missing
a + 'x'
a + n
l + [4]
l + ls
(1, 2) + (3,)
(1,)
'ab' * 3
3 * 'ab'
'ab' * -1
[1] * 2
n / 2
n // 2
n % 4
-n % 4
n ** 2
2 ** -1
n - 1.5
+n
-f
n / 0
n < 8 and a
e or a
not e
e and missing.x
no or z or 'last'
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
'a' < 1
l < [3, 2]
l == [3, 1, 2]
l == (3, 1, 2)
1 == True
1 == '1'
d == {'A': 2, 'b': 1, 'items': 5}
no == missing
missing == other
no is none
missing is none
'o' in a
'x' not in a
2 in l
'b' in d
9 in d
1 in a
'x' in missing
'x' in n
l in [l]
a if t
a if no
a if no else e
missing
missing.x
missing[0]
missing()
missing + 1
missing ~ 'x'
missing | length
missing | list
missing | default('d')
no | default('d')
no | default('d', true)
e | d('d', boolean=True)
d.b
d['b']
d['items']
d.items() | list
d.keys() | list
d.values() | list
d.get('b')
d.get('x')
d.get('x', 3)
d.nope
d['nope']
l[0]
l[-1]
l[9]
l['0']
l[1:]
l[::-1]
l[:-1]
l[5:]
l[::0]
l['a':]
a[0]
a[-3:]
a[::2]
a[99]
a[1:3][0]
nested[0][1][1]
nested[1].k
nested.0.1
ms[0].c.x
ms[0]['c']['x']
n.x
no.x
no[0]
a.x
a.upper()
a.lower()
u.upper()
u.lower()
u.title()
u.capitalize()
u.casefold()
u.swapcase()
w.strip()
w.lstrip()
w.rstrip()
w.strip('x ')
a.strip('Hd')
a.strip(no)
a.split()
a.split(',')
a.split(', ', 1)
a.split('l')
w.split()
w.split(' ')
w.split(none, 1)
w.rsplit(none, 1)
a.rsplit('l', 1)
a.rsplit('o')
a.split('')
a.split(maxsplit=1)
a.split(sep='o', maxsplit=1)
ml.splitlines()
ml.splitlines(true)
ml.splitlines(keepends=True)
e.splitlines()
a.partition(',')
a.partition('#')
a.rpartition('o')
a.rpartition('#')
a.replace('l', 'LL')
a.replace('l', '', 1)
a.replace('', '-')
a.replace('', '-', 2)
a.startswith('He')
a.startswith(('x', 'H'))
a.endswith('d')
a.endswith(('x', 'y'))
a.startswith('l', 2)
a.find('o')
a.find('o', 5)
a.rfind('o')
a.find('#')
a.index('o')
a.index('#')
a.count('l')
a.count('l', 0, 4)
a.center(20)
a.center(21, '*')
'a'.center(4, '*')
'ab'.center(5, '*')
a.ljust(14) ~ '|'
a.rjust(14)
'7'.zfill(3)
'-7'.zfill(4)
a.zfill(2)
'a\tb'.expandtabs(4)
'abc'.removeprefix('a')
'abc'.removesuffix('c')
'abc'.removesuffix('')
'-'.join(ls)
'-'.join('abc')
'-'.join(l)
'-'.join(d)
a.isalpha()
'12'.isdigit()
'1.2'.isdigit()
' '.isspace()
'a1'.isalnum()
'Aa'.istitle()
'A'.isupper()
'a'.islower()
'{} {}'.format(1, 'x')
'{0} {1} {0}'.format(a, n)
'{x}'.format(x=1)
'{:>5}|{:<5}|{:^5}'.format('a', 'b', 3)
'{:05.2f}'.format(3.14159)
'{:,}'.format(1234567)
'{!r}'.format('x')
'{{}} {}'.format(1)
'{}'.format()
'{x}'.format()
'%s %d %5.1f %%' % (a, n, f)
'%(x)s' % {'x': 1}
'%s' % a
'%s' % l
'%r' % a
'%-5s|%5s' % ('a', 'b')
'%05d %x %X %o %e %g %c' % (n, 255, 255, 8, 1.5, 0.1, 'x')
'%s' % (1, 2)
'%s %s' % (1,)
'%d' % 'x'
'%z' % 1
'%.2s' % a
'%+d % d' % (1, 2)
'x' % ()
a.append(1)
l.append(1)
l.pop()
d.update({'x': 1})
l.index(1)
l.index(9)
l.count(1)
l | length
a | length
d | length
n | length
d | count
a | upper
a | lower
n | upper
'hello wORLD-foo (bar) <baz> [x]' | title
u | title
'hELLO' | capitalize
w | trim
a | trim('Hd')
a | replace('l', 'L')
a | replace('l', 'L', 1)
n | replace('7', '8')
a | reverse
l | reverse | list
a | first
a | last
l | first
z | first
z | last
d | first
l | last
a | list
d | list
l | join
l | join(', ')
ls | join(l)
ms | join(', ', attribute='role')
ms | join('|', 'c.x')
a | join('.')
missing | join
ls | sort
ls | sort(case_sensitive=true)
ls | sort(reverse=true)
l | sort
[3, 'a'] | sort
ms | sort(attribute='n') | map(attribute='n') | list
ms | sort(attribute='role,n') | map(attribute='n') | list
ms | sort(attribute='c.x') | list | length
d | dictsort
d | dictsort(true)
d | dictsort(false, 'value')
d | dictsort(reverse=true)
d | dictsort(by='x')
d | items | list
missing | items | list
l | items | list
['a', 'A', 'b', 1, 1.0, true, none, none] | unique | list
['a', 'A'] | unique(true) | list
ms | unique(attribute='role') | list | length
l | min
l | max
ls | min
ls | max
z | max
ms | max(attribute='n')
l | sum
ms | sum(attribute='n')
ms | sum('n', 10)
z | sum
ls | sum
ms | map(attribute='role') | list
ms | map(attribute='c.x') | list
ms | map(attribute='c.x', default='-') | list
ls | map('upper') | list
ls | map('replace', 'a', 'x') | list
ls | map('nope') | list
l | map | list
nested | map('first') | list
[[1, 2], [3, 4]] | map(attribute=1) | list
[[1, 2], [3, 4]] | map(attribute='0') | list
l | select('odd') | list
l | select('gt', 1) | list
l | reject('odd') | list
[0, 1, '', 'x', none] | select | list
[0, 1, '', 'x', none] | reject | list
ms | selectattr('role', 'equalto', 'user') | list | length
ms | selectattr('c.x') | list | length
ms | rejectattr('role', 'in', ['user']) | map(attribute='n') | list
ms | selectattr('c.x', 'defined') | list | length
ms | selectattr | list
ms | selectattr('role', 'nope') | list
ms | groupby('role') | map(attribute='grouper') | list
ms | groupby('role') | map('last') | map('length') | list
(ms | groupby('role') | first).list | length
(ms | groupby('role') | first)[0]
(ms | groupby('c.x', default='z') | last).grouper
ls | groupby('nope') | list | length
['B', 'a', 'b'] | groupby(0) | map('first') | list
l | batch(2) | list
l | batch(2, 0) | list
l | batch(2, '-') | map('join') | list
l | slice(2) | list
l | slice(2, 'x') | list
[1, 2, 3, 4, 5, 6, 7] | slice(3) | list
ml | indent
ml | indent(2, true)
ml | indent(width='> ', first=true, blank=true)
ml | indent(2, blank=true)
e | indent(2, true)
'x\n' | indent(2)
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'foo bar baz qux' | truncate(9, end='~', leeway=0)
'foo bar baz qux' | truncate(2)
'aaa bbb ccc ddd' | wordwrap(7)
'aaa bbb-ccc dddddddddddd' | wordwrap(5)
'aaa bbb-ccc dddddddddddd' | wordwrap(5, false)
'aaa bbb\nccc' | wordwrap(5, wrapstring='|')
'a b-c d_e 1' | wordcount
e | wordcount
'x' | center(5) ~ '|'
'x' | center ~ '|'
'<a href="x">&\'' | e
'<a>' | escape | upper
'<a>' | safe
n | string + 'x'
'12' | int
'12.7' | int
'x' | int
'x' | int(5)
'0x1f' | int(0, 16)
'ff' | int(base=16)
12.9 | int
no | int
t | int
'1e3' | int
'1.5' | float
'x' | float
'x' | float(2.5)
n | float
-5 | abs
(-5) | abs
f | abs
'x' | abs
2.567 | round(2)
2.5 | round
42 | round
2.1 | round(0, 'ceil')
2.19 | round(1, 'floor')
42.55 | round(1, 'nope')
ms | tojson
ms | tojson(indent=2)
d | tojson(sort_keys=true)
u | tojson(ensure_ascii=true)
u | tojson
l | tojson(separators=(',', ':'))
[1.5, none, true, '"\\/'] | tojson
{1: 2, none: 3, true: 4} | tojson
[] | tojson(indent=1) ~ {} | tojson(indent=1)
missing | tojson
[1, [2, {'a': []}]] | tojson(indent='--')
(1, 2) | tojson
'a b/ü&' | urlencode
{'a b': 1, 'c': 'ü'} | urlencode
[('x', 1), ('y', 2)] | urlencode
'%s-%s' | format('a', 1)
'%(x)s' | format(x=1)
n | attr('x') is defined
d | attr('b') is defined
ms[0] | attr('role')
n is number
t is number
t is integer
n is integer
f is float
t is boolean
a is string
no is string
d is mapping
l is mapping
a is sequence
d is sequence
n is sequence
l is iterable
n is iterable
a is iterable
missing is iterable
missing is defined
missing is undefined
d.x is defined
n is odd
n is even
n is divisibleby 7
n is divisibleby(2)
'x' is odd
t is true
n is true
t is false
no is none
no is not none
n is eq 7
n is equalto(7)
n is ne 7
n is lt 8
n is ge 7
n is gt 6
n is le 6
n is in [7]
n is sameas n
no is sameas none
'abc' is lower
'ABC' is upper
n is lower
'trim' is filter
'odd' is test
range is callable
n is callable
n is nope
range(3) | list
range(1, 4) | list
range(5, 0, -2) | list
range(0) | list
range('x') | list
range(1, 2, 0) | list
dict(a=1, b=2)
dict([('a', 1)], b=2)
dict(d).b
namespace(a=1).a
namespace(d).A
namespace(a=1).b is defined
cycler('a', 'b').next()
cycler().next()
joiner('-')() ~ 'x'
strftime_now('%Y') | length
raise_exception('no')
[1, 2.0, 'x', none, true, {'a': (1,)}, ()]
{'a': [1]}
'it\'s "x"\n\\'
['it\'s', "\"", 'é🙂\x00\n']
1e20 ~ ' ' ~ 1.0 ~ ' ' ~ 1e-7
1_000
0.1 + 0.2
'a' 'b'
true ~ True ~ none ~ None
{'a': 1}.a
{'a': 1, 'a': 2}
th.split('</think>')[-1].lstrip('\n')
th.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n')
(th | trim)[7:9]
loop is defined
varargs is defined
x.y.z is defined
a.__class__
a['__class__'] is defined
()|first is defined
n.bit_length()
f.is_integer()
*l
l | select('divisibleby', 0) | list
a|attr('upper')()
a.format_map({'a': 1})
'{a}'.format_map({'a': 1})
"""

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


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().split("\n"))
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
    source = path.read_text()
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
