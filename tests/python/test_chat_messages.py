"""Messages in all the shapes that clients send them: one shape reaches the template, or an error names the part."""

import enum
from dataclasses import dataclass

import pytest
from fake_tokenizer import FakeTokenizer
from sterna.chat_messages import normalise
from sterna.chat_template import build_prompt

SHOW = (
    "{% for m in messages %}[{{ m.role }}:{{ m.content }}"
    "{% for c in m.tool_calls or [] %}({{ c.function.name }}{% for k, v in c.function.arguments | items %}"
    " {{ k }}={{ v }}{% endfor %}){% endfor %}]{% endfor %}"
)


def prompt(messages, template=SHOW, **variables) -> str:
    return build_prompt(FakeTokenizer(), messages, template, variables).text


def user(content):
    return [{"role": "user", "content": content}]


def calling(arguments, **more):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [{"role": "assistant", "tool_calls": [call], **more}]


class Role(str, enum.Enum):
    USER = "user"


@dataclass
class Message:
    role: str = "user"
    content: str = "hi"


# --- content ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "tell"}, {"type": "text", "text": " me"}], "tell me"),
        ([{"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b"}], "ab"),
        ([{"text": "a"}, "b"], "ab"),
        (({"type": "text", "text": "a"},), "a"),
        ({"type": "text", "text": "a"}, "a"),
        ({"text": "a"}, "a"),
        ([], ""),
        ("", ""),
        (None, ""),
        (Role.USER, "user"),
    ],
)
def test_content_becomes_text(content, want) -> None:
    assert prompt(user(content)) == f"[user:{want}]"


@pytest.mark.parametrize(
    "kind", ["image_url", "image", "input_audio", "video", "file", "refusal", "thinking", 7]
)
def test_other_parts_are_refused_by_name(kind) -> None:
    with pytest.raises(ValueError, match=rf"messages\[0\]\.content\[1\], got a part of type '?{kind}"):
        prompt(user([{"type": "text", "text": "look"}, {"type": kind, str(kind): {"url": "x"}}]))


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (5, TypeError, r"messages\[0\]\.content: got int"),
        (True, TypeError, r"messages\[0\]\.content: got bool"),
        (b"bytes", TypeError, r"messages\[0\]\.content: got bytes"),
        (Message(), TypeError, r"messages\[0\]\.content: got Message"),
        ([Message()], TypeError, r"messages\[0\]\.content\[0\]: got Message"),
        ([1], TypeError, r"messages\[0\]\.content\[0\]: got int"),
        ([{"type": "text"}], ValueError, r"messages\[0\]\.content\[0\], got a part without text"),
        (
            [{"type": "text", "text": None}],
            ValueError,
            r"messages\[0\]\.content\[0\], got a part without text",
        ),
        ({"type": "image_url"}, ValueError, r"messages\[0\]\.content, got a part of type 'image_url'"),
        ({"a": 1}, ValueError, r"messages\[0\]\.content, got a part of type None"),
        ({}, ValueError, r"messages\[0\]\.content, got a part of type None"),
        ({"type": "text"}, ValueError, r"messages\[0\]\.content, got a part without text"),
        ([{}], ValueError, r"messages\[0\]\.content\[0\], got a part of type None"),
        ("a\ud800b", ValueError, r"messages\[0\]\.content, got half of a surrogate pair at 1"),
    ],
)
def test_content_that_is_no_text(content, error, match) -> None:
    with pytest.raises(error, match=match):
        prompt(user(content))


def test_what_a_tool_returned_may_be_data() -> None:
    for data in ({"a": 1}, [{"a": 1}], [1, 2]):
        message = {"role": "tool", "content": data}
        assert normalise([message], {})["messages"][0]["content"] == data
    assert prompt([{"role": "tool", "content": {"type": "text", "text": "21"}}]) == "[tool:21]"


# --- nulls, missing keys ----------------------------------------------------------------------------------


def test_none_does_not_reach_the_prompt() -> None:
    nulls = dict.fromkeys(("name", "tool_calls", "function_call", "reasoning_content", "refusal", "audio"))
    message = {**nulls, "role": "assistant", "content": None}
    assert normalise([message], {})["messages"] == [{"role": "assistant", "content": ""}]
    text = "{{ m.id }}{{ m.type }}{{ m.function.name }}"
    call = {"id": None, "type": None, "function": {"name": "f", "arguments": None}}
    got = prompt(
        [{"role": "assistant", "tool_calls": [call]}], "{% set m = messages[0].tool_calls[0] %}" + text
    )
    assert got == "f"


def test_no_calls_are_as_no_key() -> None:
    text = "{{ 'tool_calls' in messages[0] }}"
    assert prompt([{"role": "assistant", "content": "x", "tool_calls": []}], text) == "False"


@pytest.mark.parametrize("message", [{"role": "user"}, {"role": "assistant", "contents": "typed wrongly"}])
def test_a_message_says_something(message) -> None:
    with pytest.raises(ValueError, match=r"messages\[0\], got neither content nor tool_calls"):
        prompt([message])


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], ValueError),
        ("hi", TypeError),
        (b"hi", TypeError),
        (None, TypeError),
        (5, TypeError),
        ({"role": "user"}, TypeError),
        ([Message()], TypeError),
        ([None], TypeError),
        ([{"content": "x"}], ValueError),
        ([{"role": None, "content": "x"}], ValueError),
        ([{"role": 1, "content": "x"}], ValueError),
        ([{"role": "user", 5: "x"}], TypeError),
    ],
)
def test_no_messages(messages, error) -> None:
    with pytest.raises(error, match="messages"):
        prompt(messages)


# --- tool calls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{"city": "Paris"}, '{"city": "Paris"}', ' {"city":"Paris"}\n'])
def test_arguments_are_a_mapping(arguments) -> None:
    messages = calling(arguments, content=None)
    assert prompt(messages) == "[assistant:(f city=Paris)]"
    as_json = "{{ messages[0].tool_calls[0].function.arguments | tojson }}"
    assert prompt(messages, as_json) == '{"city": "Paris"}'
    assert messages == calling(arguments, content=None)  # the caller's own data is not changed


@pytest.mark.parametrize("arguments", ["", " ", "{}", None, {}])
def test_no_arguments(arguments) -> None:
    assert prompt(calling(arguments)) == "[assistant:(f)]"


@pytest.mark.parametrize(
    "arguments",
    [
        *("{city: Paris", '"text"', "[1]", "5", "null", "[" * 100_000, "9" * 6000),
        *(r'{"a": "\ud800"}', r'{"\udfff": 1}', '{"a": ' + "9" * 200 + "}"),
        *('{"a": ' + "[" * 80 + "]" * 80 + "}", '{"a": [' + "0, " * 200_000 + "0]}"),
    ],
    ids=lambda text: text[:20],
)
def test_arguments_that_are_no_mapping_of_plain_data_stay_text(arguments) -> None:
    call = normalise(calling(arguments), {})["messages"][0]["tool_calls"][0]
    assert call["function"]["arguments"] == arguments


def test_null_among_arguments_is_a_value() -> None:
    text = "{{ messages[0].tool_calls[0].function.arguments | tojson }}"
    assert prompt(calling('{"a": null}'), text) == '{"a": null}'


def test_calls_without_the_wrapper_and_the_older_key() -> None:
    bare = [{"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": '{"a": 1}'}]}]
    assert prompt(bare, "{{ messages[0].tool_calls[0].arguments.a }}") == "1"
    older = [{"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}}]
    assert prompt(older) == "[assistant:(f a=1)]"


@pytest.mark.parametrize(
    ("calls", "error", "match"),
    [
        ("f()", TypeError, r"messages\[0\]\.tool_calls: got str"),
        (["f()"], TypeError, r"messages\[0\]\.tool_calls\[0\]: got str"),
        ([{}], ValueError, r"messages\[0\]\.tool_calls\[0\], got no name"),
        ([{"function": None}], ValueError, r"messages\[0\]\.tool_calls\[0\], got no name"),
        ([{"function": "f"}], ValueError, r"messages\[0\]\.tool_calls\[0\]\.function, got no name"),
        ([{"function": {"name": 1}}], ValueError, r"messages\[0\]\.tool_calls\[0\]\.function, got no name"),
    ],
)
def test_broken_calls(calls, error, match) -> None:
    with pytest.raises(error, match=match):
        prompt([{"role": "assistant", "content": "", "tool_calls": calls}])


# --- other variables --------------------------------------------------------------------------------------


def test_tools_are_as_given() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"], "default": None}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    got = prompt(user("x"), "{{ tools | tojson }}", tools=tools)
    assert '"default": null' in got
    for empty in (None, [], ()):
        assert prompt(user("x"), "{{ tools is none }}{{ documents is none }}", tools=empty) == "TrueTrue"


@pytest.mark.parametrize("tools", [[print], [Message()], "f", {"f": 1}, 5])
def test_tools_that_are_none(tools) -> None:
    with pytest.raises(TypeError, match="tools"):
        prompt(user("x"), "{{ tools }}", tools=tools)


def test_too_much_data() -> None:
    deep, wide = [], []
    for _ in range(100_000):
        deep = [deep]
    for _ in range(60):
        wide = [wide, wide]
    endless = []
    endless.append(endless)
    for data in (deep, wide, endless, 1 << 300):
        with pytest.raises(ValueError, match=r"\[chat\] x"):
            prompt(user("hi"), x=data)


# --- which template ---------------------------------------------------------------------------------------

NAMED = {
    "tokenizer.chat_template.tool_use": "T{{ tools | length }}",
    "tokenizer.chat_template.rag": "R{{ documents[0].t }}",
}


def test_named_templates() -> None:
    t = FakeTokenizer(chat_template="MAIN", keys=NAMED)
    tools, documents = [{"function": {"name": "f"}}], [{"t": "d"}]
    assert build_prompt(t, user("x"), None, {}).text == "MAIN"
    assert build_prompt(t, user("x"), None, {"tools": []}).text == "MAIN"
    assert build_prompt(t, user("x"), None, {"tools": tools}).text == "T1"
    assert build_prompt(t, user("x"), None, {"documents": documents}).text == "Rd"
    assert build_prompt(t, user("x"), "rag", {"documents": documents}).text == "Rd"
    only_default = FakeTokenizer(keys={"tokenizer.chat_template.default": "D"})
    assert build_prompt(only_default, user("x"), None, {}).text == "D"


@pytest.mark.parametrize("name", ["tools", "documents"])
@pytest.mark.parametrize(
    "template",
    [
        "no word of it",
        None,
        "{% if tools or documents %}{% endif %}",
        "{{ messages[0].tools }}{% set tools = none %}{{ tools }}",
    ],
)
def test_tools_that_the_template_drops(name, template) -> None:
    with pytest.raises(ValueError, match=rf"\[chat\] {name}, got some, expected none"):
        prompt(user("x"), template, **{name: [{"name": "f"}]})
