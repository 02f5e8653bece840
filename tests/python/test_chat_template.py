"""Chat templates: what they render, and which of them is chosen."""

import logging

import pytest
from fake_tokenizer import FakeTokenizer
from sterna.chat_template import build_prompt
from sterna.template.render import render

CHATML = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
USER = [{"role": "user", "content": "hi"}]


# --- rendering --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "variables", "want"),
    [
        (
            CHATML,
            {"messages": USER, "add_generation_prompt": True},
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "{% if x %}\n  a\n  {% endif %}\nb\n",
            {"x": 1},
            "  a\nb",
        ),  # trim_blocks, lstrip_blocks, no final newline
        (
            "{{ x | tojson }}",
            {"x": {"a": "<é'&>", "b": [1, None, True]}},
            '{"a": "<é\'&>", "b": [1, null, true]}',
        ),
        ("{{ x | tojson(indent=2) }}", {"x": [1]}, "[\n  1\n]"),
        (
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 4 %}{% break %}{% endif %}"
            "{{ i }}{% endfor %}",
            {},
            "023",
        ),
        ("a{% generation %}{{ x }}{% endgeneration %}c", {"x": "b"}, "abc"),
        (
            "{% set ns = namespace(n=0) %}{% for m in x %}{% set ns.n = ns.n + m %}{% endfor %}{{ ns.n }}",
            {"x": [1, 2]},
            "3",
        ),
        ("{{ y is defined }} {{ y }}|{{ x.z is defined }}", {"x": {}}, "False |False"),
        ("{{ x.a }}{{ x['a'] }}{{ x[::-1] if x is string else '' }}", {"x": {"a": 1}}, "11"),
        ("{{ x.split('</think>')[-1].lstrip('\n').strip() }}", {"x": "t</think>\n\nok "}, "ok"),
        ("{{ ('a' ~ 1 ~ none) + 'b' * 3 }}", {}, "a1Nonebbb"),
        ("{{ '%s=%d' | format('a', 3) }} {{ '%02d' % 7 }} {{ '{}-{}'.format(1, 2) }}", {}, "a=3 07 1-2"),
        ("{% macro f(a, b='!') %}{{ a + b }}{% endmacro %}{{ f('x') }}{{ f('y', b='?') }}", {}, "x!y?"),
        (
            "{{ x | map('upper') | join(', ') }} {{ x | select('equalto', 'a') | list | length }}",
            {"x": ["a", "b"]},
            "A, B 1",
        ),
        (
            "{{ m | selectattr('r', 'equalto', 'u') | map(attribute='c') | first }}",
            {"m": [{"r": "u", "c": "k"}]},
            "k",
        ),
        (
            "{% for k, v in x.items() %}{{ k }}{{ v }}{% endfor %}{{ x | items | list | length }}",
            {"x": {"a": 1}},
            "a11",
        ),
        (
            "{{ x | int }} {{ x | tojson }} {{ '%d' % x }} {{ '{}'.format(x) }}",
            {"x": 1700000000},
            " ".join(["1700000000"] * 4),
        ),
        ("{{ strftime_now('%Y') | int > 2000 }}", {}, "True"),
        (
            "{% for m in x %}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{% endfor %}",
            {"x": "a"},
            "0TrueTrue",
        ),
    ],
)
def test_render(source, variables, want) -> None:
    assert render(source, variables) == want


def test_raise_exception() -> None:
    with pytest.raises(ValueError, match="roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}", {})


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ 'a' + 1 }}",
        "{{ x.y.z }}",
        "{{ none | no_such_filter }}",
        "{{ 1 / 0 }}",
        "(" * 50 + "{{ " + "(" * 20000,
        "{{ " + "-" * 60000 + "1 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include 'etc/passwd' %}",
        "{% extends 'x' %}",
    ],
)
def test_errors_are_value_errors(source) -> None:
    with pytest.raises(ValueError, match=r"\[chat template\]"):
        render(source, {})


# --- which template ---------------------------------------------------------------------------------------


def test_bitnet_format_instead_of_the_dummy() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " hi "}]
    for dummy in ("{{ 'Human: ' }}{{ 'BITNETAssistant: ' }}", ""):
        t = FakeTokenizer(architecture="bitnet-b1.58", chat_template=dummy)
        p = build_prompt(t, messages, None, {"add_generation_prompt": True})
        assert p.text == "<s>System: Be brief.<|eot_id|>User: hi<|eot_id|>Assistant: " and p.stop == []
    t = FakeTokenizer(architecture="bitnet-b1.58", chat_template="own")
    assert build_prompt(t, messages, None, {}).text == "own"


def test_chatml_as_the_last_resort(caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="sterna"):
        p = build_prompt(FakeTokenizer(), USER, None, {"add_generation_prompt": True})
    assert "ChatML" in caplog.text and p.stop == ["<|im_end|>"]
    assert p.text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert build_prompt(FakeTokenizer(), USER, "mine", {}).text == "mine"


def test_chat(tiny) -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ suffix }}"
    text = tiny.apply_chat_template(USER, template=template, suffix="!")
    assert text == "<|begin_of_text|>hi!"
    options = {"max_tokens": 12, "temperature": 0}
    want = tiny.generate("hi!", **options)
    variables = {"suffix": "!"}
    assert tiny.chat(USER, template=template, template_variables=variables, **options) == want
    pieces = tiny.chat(USER, template=template, template_variables=variables, stream=True, **options)
    assert "".join(pieces) == want
