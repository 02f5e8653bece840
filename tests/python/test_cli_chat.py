"""`sterna chat`: conversations, their commands and what ends them."""

import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from cli_process import GREEDY, run

TEMPLATE = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}a:"


@pytest.fixture
def flags(tmp_path) -> list:
    template = tmp_path / "t.jinja"
    template.write_text(TEMPLATE)
    return ["--chat-template-file", template, "-n", 6, *GREEDY]


def test_chat(tiny, flags) -> None:
    options = {"max_tokens": 6, "temperature": 0}
    first = tiny.generate("u:one\na:", **options)
    second = tiny.generate(f"u:one\na:{first}\nu:two\na:", **options)
    done = run("chat", *flags, input=b"one\n\ntwo\n/reset\none\n")
    assert done.stdout.decode() == f"{first}\n{second}\n{first}\n"
    assert b"context 256" in done.stderr and b"/help" in done.stderr


def test_commands(tiny, flags) -> None:
    first = tiny.generate("u:one\na:", max_tokens=6, temperature=0)
    done = run("chat", *flags, input=b"/help\n/frob it\none\n/exit\ntwo\n")
    assert done.stdout.decode() == f"{first}\n"
    assert b"/reset  forget" in done.stderr and b"/frob: no such command" in done.stderr
    path = tiny.generate("u:/etc/passwd is\na:", max_tokens=6, temperature=0)
    assert run("chat", *flags, input=b"/etc/passwd is\n").stdout.decode() == f"{path}\n"


def test_no_message_at_all() -> None:
    for more, data in (([], b""), (["-st"], b""), ([], b"\n  \n")):
        error = run("chat", *more, input=data, code=1).stderr
        assert error.endswith(b"\nsterna: error: no message: got none from standard input, -p or -f\n")
    run("chat", input=b"/exit\n")


def test_first_message_and_system_message(tiny, flags, tmp_path) -> None:
    (tmp_path / "system.txt").write_bytes(b"\xef\xbb\xbfbe brief")
    want = tiny.generate("s:be brief\nu:one\na:", max_tokens=6, temperature=0) + "\n"
    for system in (["-sys", "be brief"], ["-sysf", tmp_path / "system.txt"]):
        done = run("chat", *flags, *system, "-p", "one", "--single-turn", input=b"two\n")
        assert done.stdout.decode() == want
        assert run("chat", *flags, *system, "-st", input=b"one\ntwo\n").stdout.decode() == want


def test_input_that_is_not_utf8(tiny, flags) -> None:
    options = {"max_tokens": 6, "temperature": 0}
    one = tiny.generate("u:one\na:", **options) + "\n"
    for data in (
        b"\xef\xbb\xbfone\n",
        b"one\r\n",
        b"one",
        "one\n".encode("utf-16"),
        "one\n".encode("utf-32"),
    ):
        assert run("chat", *flags, input=data).stdout.decode() == one
    latin = tiny.generate("u:caf\ufffd\na:", **options) + "\n"
    assert run("chat", *flags, input=b"caf\xe9\n/reset\none\n").stdout.decode() == latin + one
    done = run("chat", *flags, input=b"o\0n\0e\0\none\n")
    assert done.stdout.decode() == one and b"zero bytes" in done.stderr


def test_full_context_forgets_the_oldest_turns(tiny, flags) -> None:
    """The system message stays, and the last turn is answered as in a conversation of what is left."""
    lines = [f"{word} " * 12 for word in ("one", "two", "three", "four")]
    done = run("chat", *flags, "-c", 100, "-sys", "brief", input="\n".join(lines).encode())
    answers = done.stdout.decode().splitlines()
    assert len(answers) == 4 and b"forgotten" in done.stderr
    asked = [f"u:{line}\na:{answer}\n" for line, answer in zip(lines, answers, strict=True)]
    ends = [
        tiny.generate(
            "s:brief\n" + "".join(asked[first:3]) + f"u:{lines[3]}\na:", max_tokens=6, temperature=0
        )
        for first in (1, 2, 3)
    ]
    assert answers[3] in ends


def test_a_message_longer_than_the_context(tiny, flags) -> None:
    done = run("chat", *flags, "-c", 64, input=b"one\n" + b"word " * 200 + b"\n/reset\none\n")
    one = tiny.generate("u:one\na:", max_tokens=6, temperature=0) + "\n"
    assert done.stdout.decode() == 2 * one
    assert re.search(
        rb"error: the message is too long: \d+ tokens, expected at most the context, 64\n", done.stderr
    )
    assert (
        b"no message could be answered" in run("chat", *flags, "-c", 64, input=b"word " * 200, code=1).stderr
    )


def test_answer_that_fills_the_context(flags) -> None:
    done = run("chat", *flags, "-c", 32, "-n", -1, "--ignore-eos", input=b"one\n")
    assert b"(the context is full: the answer ends here)" in done.stderr


def test_warning_about_the_template_comes_once() -> None:
    done = run("chat", "-n", 1, *GREEDY, input=b"one\ntwo\n/reset\nthree\n")
    assert done.stderr.count(b"warning: the model has no chat template") == 1


def test_wrong_template_is_an_error(tmp_path) -> None:
    (tmp_path / "t.jinja").write_text("{{ ")
    done = run("chat", "--chat-template-file", tmp_path / "t.jinja", input=b"one\n", code=1)
    assert done.stderr.count(b"\n") < 6
    run("chat", "--chat-template-file", tmp_path / "none.jinja", input=b"one\n", code=1)


def test_on_a_terminal(flags) -> None:
    """Speed after an answer, a byte that is not UTF-8, and a new line after Ctrl-D."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sterna", "chat", *map(str, flags)], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = b""

    def wait_for(pattern: bytes) -> None:
        nonlocal seen
        while not re.search(pattern, seen, re.DOTALL):
            assert select.select([master], [], [], 30)[0], seen
            seen += os.read(master, 4096)

    try:
        wait_for(b"> $")
        os.write(master, b"caf\xe9\n")
        wait_for(rb" t/s\).*> $")
        os.write(master, b"\x04")
        with pytest.raises(OSError):  # the other end is closed
            wait_for(b"never")
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        os.close(master)
    assert re.search(rb"\(\d+ tokens, [0-9.]+ t/s\)", seen) and seen.endswith(b"\n")
    assert b"Traceback" not in seen


def test_interrupt_while_loading() -> None:
    """Stopped while it loads or waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sterna", "chat"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and b"Traceback" not in error
