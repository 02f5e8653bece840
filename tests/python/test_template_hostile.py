"""Templates by strangers: no way to Python, and an end within a second and some memory whatever they do."""

import json
import subprocess
import sys
import time

import pytest
from fake_tokenizer import FakeTokenizer
from sterna.chat_template import build_prompt
from sterna.template import budget
from sterna.template.render import render
from sterna.template.source import MAX_SOURCE

S = "{% set s = 'a' * 60000 %}"
MILLION = "{% set s = 'a' * 1000000 %}{% set o = s ~ '' %}{% for i in range(99999) %}"
LONG = "{% set l = range(90000) %}{% for i in l %}"
SHARED = "{% set s = (1, 2) %}{% set o = (1, 2) %}" + "{% set s = (s, s) %}{% set o = (o, o) %}" * 60
PARAMETERS = ", ".join(f"a{i}" for i in range(8000))
NAME = "a" * 30000
GROWING = "{% set ns = namespace(l=[], d={}, s='x', n=3) %}{% for i in range(99999) %}"

KEEPING = [  # texts without an end to them, each from little
    S + "{% for i in range(9999) %}{% filter d(s, true) %}{% endfilter %}{% endfor %}",
    S + "{% for i in range(9999) %}{{ s }}{% endfor %}",
    S + "{% macro f() %}{{ caller() or s }}{% endmacro %}{% for i in range(9999) %}{% call f() %}{% endcall %}{% endfor %}",
    S + "{% for i in [range(9999)] recursive %}{{ loop(i) if i is iterable else s }}{% endfor %}",
    S + "{% set x %}{% for i in range(9999) %}{% filter d(s, true) %}{% endfilter %}{% endfor %}{% endset %}",
    GROWING + "{% macro f(" + NAME + ") %}{% set ns.l = [ns.l, " + NAME + "] %}{% endmacro %}{{ f() }}{% endfor %}",
    GROWING + "{% set ns.l = [ns.l, loop." + NAME + "] %}{% endfor %}",
]  # fmt: skip
BOMBS = [
    *KEEPING,
    # steps
    "{% macro f(" + PARAMETERS + ") %}{% endmacro %}{% for i in range(99999) %}{{ f() }}{% endfor %}",
    "{% macro f() %}{{ caller() }}{% endmacro %}"
    "{% for i in range(99999) %}{% call(" + PARAMETERS + ") f() %}{% endcall %}{% endfor %}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(10 ** 30) %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(x=f) %}{{ x() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
    "{% for x in [1, 2] recursive %}{{ loop([x, x]) }}{% endfor %}",
    "{% macro f() %}{{ varargs | length }}{% endmacro %}" + LONG + "{{ f(*l) }}{% endfor %}",
    "{% macro f() %}{{ kwargs | length }}{% endmacro %}{% set d = dict(range(90000) | map('string') | batch(2)) %}"
    "{% for i in range(99999) %}{{ f(**d) }}{% endfor %}",
    # values that share their parts: few in memory, 2**60 to walk over
    SHARED + "{{ s == o }}",
    SHARED + "{{ s != o }}",
    SHARED + "{{ s < o }}",
    SHARED + "{{ o in [s] }}",
    SHARED + "{{ [s, o] | unique | list }}",
    SHARED + "{{ [s, o] | sort }}",
    SHARED + "{{ [s, o] | max }}",
    SHARED + "{{ [s].index(o) }}",
    SHARED + "{{ [s].count(o) }}",
    SHARED + "{{ [[s, 1], [o, 1]] | groupby(0) }}",
    SHARED + "{% for x in [s, o] %}{{ loop.changed(x) }}{% endfor %}",
    SHARED + "{{ {s: 1} }}",
    SHARED + "{{ s }}",
    SHARED + "{{ s | string }}",
    SHARED + "{{ s | tojson }}",
    SHARED + "{{ '%s' % (s,) }}",
    SHARED + "{{ '{}'.format(s) }}",
    SHARED + "{{ s ~ s }}",
    SHARED + "{{ s | length }}{{ [s] | join }}",
    "{% set s = {'a': 1} %}" + "{% set s = {'a': s, 'b': s} %}" * 60 + "{{ s | tojson(indent=1) }}",
    "{% set s = {'a': 1} %}" + "{% set s = {'a': s, 'b': s} %}" * 60 + "{{ s == s.copy() and s | urlencode }}",
    # depth
    GROWING + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
    GROWING + "{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l }}",
    # growth
    GROWING + "{% set ns.l = ns.l + [i] %}{% endfor %}",
    GROWING + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    GROWING + "{% set ns.s = ns.s ~ ns.s %}{% set ns.l = [ns.s, ns.l] %}{% endfor %}",
    GROWING + "{% set ns.n = ns.n * ns.n %}{% endfor %}",
    GROWING + "{{ 'x' * 1000 }}{% endfor %}",
    "{{ 'a' * 1000000000 }}",
    "{{ 1000000000 * 'a' }}",
    "{{ [1] * 1000000000 }}",
    "{{ (1,) * 10 ** 30 }}",
    "{{ range(99999) | map('string') | map('center', 1000) | join }}",
    S + "{{ s.replace('a', s) }}",
    S + "{{ s | replace('', s) }}",
    S + "{{ range(60000) | join(s) }}",
    S + "{{ s.join(s) }}",
    S + "{{ (['%s'] * 60000) | join | format(*([s] * 60000)) }}",
    S + "{{ ('{}' * 60000).format(*([s] * 60000)) }}",
    S + "{{ [s] * 60000 | reverse | join }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000, true) }}",
    "{{ ('\n' * 60000) | indent('a' * 60000, true, true) }}",
    "{{ ('\t' * 60000).expandtabs(60000) }}",
    "{{ [1] | batch(1000000000, 0) }}",
    "{{ [1] | slice(1000000000) }}",
    "{{ 'a' | truncate(1) }}" + S + "{% for i in range(99999) %}{{ s | truncate(9, end=s) }}{% endfor %}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%.1000000000f' % 1.0 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ ('%9999d' * 9999) % (range(9999) | list) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ '{x:1000000000}'.format_map({'x': 1}) }}",
    "{{ ('{:9999}' * 9999).format(*range(9999)) }}",
    "{{ [[[1]]] | tojson(indent=1000000000) }}",
    "{{ range(9999) | tojson(separators=('a' * 9999, ':')) }}",
    "{{ strftime_now('%1000000000d') }}",
    "{{ strftime_now('%c' * 60000) }}",
    # numbers
    "{{ 9 ** 9 ** 9 }}",
    "{{ (2 ** 200) ** 200 }}",
    "{{ 1.5 ** 1000000 }}",
    "{{ 1 | round(-1000000000) }}",
    "{{ (1).to_bytes(20000000000, 'big') }}",
    "{{ 'a'.encode() * 1000000000 }}",
    "{{ range(0, (2 ** 61 - 1) * 90000, 2 ** 61 - 1) | unique | list }}",
    "{{ dict(range(0, (2 ** 61 - 1) * 90000, 2 ** 61 - 1) | batch(2)) }}",
    # one operation on much text, many times
    MILLION + "{{ s == o }}{% endfor %}",
    MILLION + "{{ s < o }}{% endfor %}",
    MILLION + "{{ 'b' in s }}{% endfor %}",
    MILLION + "{{ s.rfind('b' ~ s[:400000]) }}{% endfor %}",
    MILLION + "{{ s.split('b' ~ s[:50]) }}{% endfor %}",
    MILLION + "{{ s.strip('bcdefgh' * 9000 ~ 'a') }}{% endfor %}",
    MILLION + "{{ {}[s] }}{% endfor %}",
    MILLION + "{{ {} | attr(s) }}{{ [{}] | map(attribute=s) }}{% endfor %}",
    MILLION + "{{ s is lower }}{{ s.isalnum() }}{% endfor %}",
    MILLION + "{% set x = s[::-1] %}{% endfor %}",
    MILLION + "{% set x = s.splitlines() %}{% endfor %}",
    MILLION + "{% set x = s | title %}{% endfor %}",
    MILLION + "{% set x = s | wordcount %}{% endfor %}",
    "{% set s = 'a b ' * 200000 %}{% for i in range(99999) %}{% set x = s.split() %}{% endfor %}",
    "{% set s = 'a-' * 50000 %}{{ s | wordwrap(1) }}",
    "{{ ('%' * 1000000) % () }}",
    "{{ ('%(' * 400000) % {} }}",
    "{{ ('{' * 1000000).format() }}",
    "{% set l = ['a' * 100000 ~ 'b', 'a' * 100000 ~ 'c'] * 9000 %}{{ l | sort | length }}",
    # one operation on a long list, many times
    LONG + "{% set x = l[::-1] %}{% endfor %}",
    LONG + "{% set x = l + l %}{% endfor %}",
    LONG + "{{ -1 in l }}{% endfor %}",
    LONG + "{{ l == l | list }}{% endfor %}",
    LONG + "{{ l | sort | length }}{% endfor %}",
    LONG + "{{ l | sum }}{{ l | min }}{% endfor %}",
    LONG + "{{ l | select | list | length }}{{ l | map('abs') | list | length }}{% endfor %}",
    "{% set l = [range(600)] * 600 %}{{ l | map('map', 'string') | map('join') | join }}",
    # source
    "x" * (MAX_SOURCE + 1),
    "{{ " + "(" * 30000,
    "{{ " + "[" * 30000,
    "{{ " + "not " * 15000 + "1 }}",
    "{{ " + "-" * 60000 + "1 }}",
    "{{ 1" + " + 1" * 15000 + " }}",
    "{{ a" + ".b" * 20000 + " }}",
    "{{ a" + " | e" * 15000 + " }}",
    "{{ 1" + " if 1 else 1" * 5000 + " }}",
    "{% if 1 %}" * 6000,
    "{% for i in [1] %}" * 1800 + "{% endfor %}" * 1800,
    "{#" * 30000,
    "{% raw %}" * 7000,
    "{{ '" + "\\a" * 30000,
    "{{ " + "9" * 60000 + " }}",
    "{%" + " " * 60000 + "x",
    "{%-" * 20000,
    "{% set " + "a," * 20000 + "b = 1 %}",
]  # fmt: skip


def name(source: str) -> str:
    return source[-60:] if source.startswith(("{% set", "{% macro")) else source[:60]


@pytest.mark.parametrize("source", BOMBS, ids=name)
def test_every_bomb_is_an_error(source, monkeypatch) -> None:
    monkeypatch.setattr(budget, "STEPS", budget.STEPS // 5)
    monkeypatch.setattr(budget, "CHARACTERS", budget.CHARACTERS // 3)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"^\[chat template\] ") as error:
        render(source, {})
    assert len(str(error.value)) < 5000
    assert time.process_time() - start < 1.5


# Templates that are long only with a long conversation, or whose steps are.
SLOW = [
    "{% for m in messages %}{% for n in messages %}{% endfor %}{% endfor %}",
    "{% set l = ['<&>'] * 130000 %}{{ l | map('e') | list | length }}",
    "{% for i in range(90000) %}{{ 1.79e308 | round(1) is none }}{% endfor %}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{% for i in range(90000) %}"
    + "{% call f() %}" * 20
    + "x"
    + "{% endcall %}" * 20
    + "{% endfor %}",
]


@pytest.mark.parametrize("source", SLOW, ids=name)
def test_a_long_conversation_buys_no_long_render(source, monkeypatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.5)
    start = time.process_time()
    try:
        render(source, {"messages": [""] * 190_000})
    except ValueError as e:
        assert "steps" in str(e) or "seconds" in str(e)
    assert time.process_time() - start < 1.0


def test_the_clock_ends_what_steps_do_not(monkeypatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.1)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"it takes longer than 0.1 seconds, line 1$"):
        render(SLOW[0], {"messages": [""] * 190_000})
    assert time.process_time() - start < 0.4


def test_all_renders_of_a_prompt_share_the_time(monkeypatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.3)
    source = "{% for i in range(10 if tools and documents else 90000) %}{% set x = range(9) %}{% endfor %}x"
    data = {"tools": [{"name": "f"}], "documents": [{"t": "d"}], "padding": [0] * 100_000}
    start = time.process_time()
    assert build_prompt(FakeTokenizer(), [{"role": "user", "content": "hi"}], source, data).text == "x"
    assert time.process_time() - start < 0.7


MEASURE = """
import json, resource, sys
from sterna.template.render import render
bombs = json.load(sys.stdin)
render("{{ [1] | tojson }}", {})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in bombs:
    try:
        render(bomb, {})
    except ValueError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_is_bounded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=json.dumps([*KEEPING, *BOMBS[::15]]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 100  # MiB, at any time


DEEP = """
import json, sys
from sterna.template.render import render
sys.setrecursionlimit(10**6)
for bomb in json.load(sys.stdin):
    try:
        render(bomb, {})
    except ValueError as e:
        assert "nested too deeply" in str(e), (bomb[:60], e)
    else:
        assert False, bomb[:60]
"""


def test_depth_is_bounded_where_the_program_has_no_limit_of_recursion() -> None:
    nested = (
        GROWING.replace("99999", "300") + "{% set ns.l = [ns.l] %}{% set ns.d = {'a': ns.d} %}{% endfor %}"
    )
    bombs = [
        b
        for b in BOMBS
        if b.startswith(("{{ (((", "{{ [[[[", "{{ not", "{{ ---", "{{ 1 +", "{{ a.b", "{{ a |", "{{ 1 if"))
    ]
    assert len(bombs) == 8
    bombs += [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
    ]
    bombs += [
        nested + "{{ " + use + " }}"
        for use in ("ns.l", "ns.l | tojson", "ns.l == ns.l + []", "ns.l < ns.l + []")
    ]
    bombs += [nested + "{{ " + use + " }}" for use in ("ns.d", "ns.d | tojson", "ns.d == dict(ns.d)")]
    bombs += ["{% if 1 %}" * 3000 + "{% endif %}" * 3000]
    done = subprocess.run(
        [sys.executable, "-c", DEEP], input=json.dumps(bombs), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_long_conversations_are_within_the_limits() -> None:
    chatml = "{% for m in messages %}<|im_start|>{{ m.role + '\n' + m.content | trim + '<|im_end|>\n' }}{% endfor %}"
    for messages in (
        [{"role": "user", "content": "word " * 200}] * 1000,
        [{"role": "user", "content": "hi"}] * 10_000,
        [{"role": "user", "content": "🙂" * 4_000_000}],
    ):
        text = render(chatml, {"messages": messages})
        assert len(text) > sum(len(m["content"].strip()) for m in messages)


# --- no way to Python ---------------------------------------------------------------------------------------

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x.__class__ }}{{ x.__init__.__globals__ }}{{ x.append(1) }}",
    "{{ x['__class__'] }}{{ x | attr('__class__') }}{{ [x] | map(attribute='__class__') | list }}",
    "{{ raise_exception.__globals__ }}{{ raise_exception.__globals__['json'] }}",
    "{{ raise_exception.call }}{{ raise_exception.call.func }}{{ range.call }}{{ range.name.call }}",
    "{{ self._TemplateReference__context }}{{ self.__init__.__globals__.keys() }}",
    "{{ x.append(1) }}",
    "{{ x.extend([1]) }}",
    "{{ x.sort() }}",
    "{{ x.__setitem__(0, 1) }}",
    "{{ d.update({'a': 1}) }}",
    "{{ d.setdefault('q', 1) }}",
    "{{ d.pop('k') }}",
    "{{ d.clear() }}",
    "{% set d.k = 2 %}",
    "{{ '{0.__class__.__name__}'.format(1).x.y }}",
    "{{ '{0[k]}'.format(d) }}{{ '{0.k}'.format(d) }}",
    "{{ '{0.__class__}'.format_map({'0': 1}) }}",
    "{{ '{x.__class__}'.format(x=1) }}",
    "{{ '%(__class__)s' % d }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ namespace().__class__ }}{{ namespace().values }}{{ namespace(d).__dict__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ cycler(1).items }}{{ cycler(1).__init__ }}{{ cycler(1).next.func }}",
    "{{ joiner().__globals__ }}{{ joiner().call.__closure__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ (1).__class__.__base__.x.y }}{{ (1).real }}{{ (1.5).hex() }}",
    "{% set f = x.__getattribute__ %}{{ f('append')(1) }}",
    "{% for i in [1] %}{{ loop._items }}{{ loop.__class__ }}{{ loop.attribute('x', 1) }}{{ loop.recurse }}{% endfor %}",
    "{% macro f() %}{% endmacro %}{{ f._func }}{{ f.__globals__ }}{{ f.call }}{{ f.__call__ }}",
    "{{ ''.join.__self__ }}{{ ''.join.func }}{{ ''.join.call.args }}",
    "{{ d.items.__self__ }}{{ d.keys().mapping }}",
    "{{ missing.__class__ }}",
    "{{ missing._what }}",
    "{{ ([1] | groupby(0) | first).__class__ }}",
    "{{ 'x' | tojson(budget=1) }}{{ 'a'.split(budget=none) }}",
    "{{ [1] | map('tojson', run=1) | list }}{{ [1] | map('__class__') | list }}{{ 1 is __class__ }}",
    "{{ range(run=1) }}{{ dict(run=1) }}{{ namespace(run=1).run.budget }}",
    "{{ a.origin }}{{ 'x'.origin }}{{ 'x'.encode() }}{{ 'x'.translate({}) }}{{ ''.maketrans({}) }}",
    "{{ open('x') }}{{ __import__('os') }}{{ eval('1') }}{{ globals() }}{{ context }}{{ environment }}",
    "{% include 'etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% extends 'x' %}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_no_way_out(source) -> None:
    x, d = [], {"k": 1}
    try:
        text = str(render(source, {"x": x, "d": d, "a": "text"}))
    except ValueError as e:
        text = ""
        assert "object at 0x" not in str(e)
    for internal in ("class", "module", "uid=", "built-in", "budget", "object at", "partial", "sterna"):
        assert internal not in text
    assert x == [] and d == {"k": 1}


def test_errors_name_the_cause_and_the_line() -> None:
    for source, match in {
        "\n\n{{ x.y }}": r"'x' is undefined, line 3$",
        "{{ raise_exception('roles must alternate') }}": r"^\[chat template\] roles must alternate, line 1$",
        "{% if %}": r"^\[chat template\] .*, line 1$",
        "a\n\n{% for x in 5 %}{% endfor %}": r"int cannot be looped over, line 3$",
        "{{ 'a' + 1 }}": r"unsupported operand types for \+: str and int, line 1$",
        "{{ 1 / 0 }}": r"zero",
        "{{ 1 | nope }}": r"there is no filter 'nope', line 1$",
        "{{ 1 is nope }}": r"there is no test 'nope', line 1$",
        "{{ l.append(1) }}": r"append\(\) would change a list, which a template may not, line 1$",
        "{% macro f() %}\n\n{{ 1 + none }}{% endmacro %}\n{{ f() }}": r"line 3$",
        "{{ '\\ud800' }}": r"half of a surrogate pair",
        "{% include 'x' %}": r"the statement include is not for chat templates, line 1$",
        "\n{{ " + "(" * 3000: r"it is nested too deeply",
    }.items():
        with pytest.raises(ValueError, match=match):
            render(source, {"l": [], "d": {"k": {}}})


NAMES = ["run", "budget", "args", "kwargs", "self", "value", "function", "text"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_a_template_are_its_own(name) -> None:
    assert render("{{ namespace(%s=1).%s }}{{ dict(%s=2)['%s'] }}" % ((name,) * 4), {}) == "12"
    assert render("{{ '{%s}'.format(%s=3) }}{{ '%%(%s)d' | format(%s=4) }}" % ((name,) * 4), {}) == "34"
    macro = "{%% macro f(%s) %%}{{ %s }}{%% endmacro %%}{{ f(%s=5) }}" % ((name,) * 3)
    assert render(macro, {}) == "5"


@pytest.mark.parametrize(
    "use",
    [
        *("range(q=1)", "range(1, 2, 3, 4)", "range('a')", "strftime_now()", "joiner(x=1)", "cycler(x=1)"),
        *("'a' | upper(1)", "'a' | tojson(q=1)", "'a' | replace", "'a' | trim(q=1)", "[1] | map('abs', 2)"),
        *("'a'.split(q=1)", "'a'.upper(1)", "{}.get()", "1 is odd(1)", "1 is eq", "1 is none(value=2)"),
    ],
)
def test_errors_do_not_name_functions_of_python(use) -> None:
    with pytest.raises(ValueError) as error:
        render("{{ " + use + " }}", {})
    assert str(error.value).startswith("[chat template] ")
    for internal in ("_range", "Text", "object", "lambda", "locals", "apply", "Cycler", "budget", "run"):
        assert internal not in str(error.value)


def test_ctrl_c_ends_a_template() -> None:
    code = "from sterna.template.render import render\nprint('ready', flush=True)\n" + (
        "while True:\n    try:\n        render('{% for i in range(300000) %}{% endfor %}', {})\n    except ValueError: pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(2)
    assert b"KeyboardInterrupt" in process.communicate(timeout=10)[1]
