"""The command line with closed, full and broken streams, and with files and names that are not UTF-8."""

import codecs
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from cli_process import GREEDY, out, run
from conftest import MODELS
from gguf_writer import STRING, Gguf, string
from sterna.cli.streams import decode, visible

STERNA = [sys.executable, "-m", "sterna"]
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
QUICK = ["-m", MODELS / "mini-qwen3-q1_0.gguf", "-n", 2]


def shell(tail: str, *args, **kwargs) -> subprocess.CompletedProcess:
    """A command with redirections such as >&-."""
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$@" {tail}', *STERNA, *map(str, args)],
        capture_output=True,
        timeout=60,
        **kwargs,
    )
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    "args",
    [
        ["run", "-p", "hi", *QUICK],
        ["chat", *QUICK],
        ["kernels"],
        ["inspect"],
        ["perplexity", "--window", 4, "-f", "-", "-m", MODELS / "mini-qwen3-q1_0.gguf"],
        ["bench", "-p", 8, "-n", 0, "-r", 1, "-m", MODELS / "mini-qwen3-q1_0.gguf"],
        ["--version"],
        ["help"],
    ],
)
def test_output_that_cannot_be_written(args) -> None:
    """Closed or full: one line says so, and the exit code."""
    closed = shell(">&-", *args, input=b"hello hello\n")
    assert closed.returncode == 1 and closed.stderr.endswith(b"standard output is closed\n")
    if os.path.exists("/dev/full"):
        full = shell(">/dev/full", *args, input=b"hello hello\n")
        assert full.returncode == 1
        assert full.stderr.endswith(b"sterna: error: standard output: No space left on device\n")


def test_closed_input() -> None:
    assert shell("<&-", "run", "-p", "hi", *QUICK).returncode == 0
    for args in (["run", "-f", "-"], ["chat"], ["perplexity", "-f", "-"], ["run", "-p", "x", "-sysf", "-"]):
        done = shell("<&-", *args)
        assert done.returncode == 1 and b"error: standard input is closed" in done.stderr
        folder = shell("<.", *args)
        assert (
            folder.returncode == 1
            and b"directory" in folder.stderr
            and b"standard output" not in folder.stderr
        )


def test_messages_that_nobody_can_read() -> None:
    want = out("run", "-p", "hi", *QUICK, *GREEDY).encode()
    for tail in ["2>&-", "<&- 2>&-"] + (["2>/dev/full"] if os.path.exists("/dev/full") else []):
        done = shell(tail, "run", "-p", "hi", *QUICK, *GREEDY)
        assert done.returncode == 0 and done.stdout == want
    assert shell("2>&-", "run", "--frob").returncode == 2
    assert shell(">&- 2>&- <&-", "run", "-p", "hi").returncode == 1


@needs_full
def test_error_while_the_error_cannot_be_written() -> None:
    assert shell(">/dev/full 2>/dev/full", "kernels").returncode == 1


def test_broken_pipe() -> None:
    process = subprocess.Popen(
        [*STERNA, "run", "-p", "NAME", "--ignore-eos"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 1
    assert error == b"sterna: error: standard output: Broken pipe\n"


# --- names ------------------------------------------------------------------------------------------------


def test_names_that_are_not_utf8(tmp_path) -> None:
    folder = os.fsencode(tmp_path)
    model, prompt, tokens = folder + b"/m\xe9.gguf", folder + b"/p\xe9.txt", folder + b"/t\xe9.npy"
    shutil.copyfile(MODELS / "mini-qwen3-q1_0.gguf", model)
    with open(prompt, "wb") as file:
        file.write(b"hello hello")
    run("run", b"-m", model, b"-f", prompt, "-n", 1)
    run("chat", b"-m", model, b"--chat-template-file", prompt, "-n", 1, input=b"hi\n")
    run("bench", b"-m", model, "-p", 4, "-n", 0, "-r", 1)
    run("perplexity", b"-m", model, b"-f", prompt, "--window", 4)
    assert b"tensors" in run("inspect", model).stdout
    run("inspect", "--json", model)
    error = run("perplexity", b"-m", model, b"--tokens", tokens, code=1).stderr
    assert rb"t\udce9.npy" in error and error.count(b"\n") == 1
    done = run("run", b"-p", b"caf\xe9", "-n", 0)
    assert done.stdout == "caf\ufffd\n".encode()


# --- control characters in files --------------------------------------------------------------------------

NAME = "evil\x1b[2J\x9b31m|\r\nname\u202e\x7f"
SHOWN = r"evil\x1b[2J\x9b31m|\r\nname\u202e\x7f"
COMMANDING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture
def evil(tmp_path):
    """A model whose texts command a terminal."""
    file = Gguf.read(MODELS / "mini-qwen3-q1_0.gguf").set("general.name", STRING, string(NAME))
    file.set(f"key{NAME}", STRING, string(NAME))
    path = tmp_path / "evil.gguf"
    path.write_bytes(
        file.set("tokenizer.chat_template", STRING, string("{{ raise_exception('no\x1b[2J\nway') }}")).build()
    )
    return path


def test_visible() -> None:
    assert visible(NAME) == SHOWN and visible(SHOWN) == SHOWN
    for text in ("größe 文件", "\u3000", "\U0001f469\u200d\U0001f4bb"):
        assert visible(text) == text


def test_texts_of_a_file_do_not_command_the_terminal(evil) -> None:
    quick = ["-m", evil, "-n", 2]
    for args, code, wanted in (
        (["run", "-p", "hi", "-v", *quick], 0, SHOWN),
        (["run", "-cnv", "-p", "hi", *quick], 1, r"no\x1b[2J way"),
        (["chat", *quick], 1, SHOWN),
        (["chat", *quick], 1, r"no\x1b[2J way"),
        (["perplexity", "-v", "-f", "-", "--window", 4, "-m", evil], 0, SHOWN),
    ):
        error = run(*args, code=code, input=b"hello hello\n").stderr.decode()
        assert wanted in error and not COMMANDING.search(error)


def test_tables_of_a_file_with_control_characters(evil) -> None:
    text = out("inspect", evil)
    assert f"key{SHOWN} = " in text and not COMMANDING.search(text)
    text = out("inspect", "--json", evil)
    assert json.loads(text)["metadata"][f"key{NAME}"] == NAME and not COMMANDING.search(text)
    bench = ["bench", "-m", evil, "-p", 4, "-n", 0, "-r", 1, "--no-warmup"]
    lines = out(*bench).splitlines()
    assert len(lines) == 3 and lines[2].startswith("| " + SHOWN.replace("|", r"\|"))
    for form in ("csv", "jsonl"):
        text = out(*bench, "-o", form)
        assert text.count("\n") == (2 if form == "csv" else 1) and not COMMANDING.search(text)


def test_generated_text_is_as_it_is(tmp_path) -> None:
    assert out("run", "-p", "a\x1bb", "-n", 0) == "a\x1bb\n"


# --- texts ------------------------------------------------------------------------------------------------

TEXT = "The file gr\u00f6\u00dfe\r\n"


def marked(text: str, encoding: str) -> bytes:
    marks = {"utf-16-be": codecs.BOM_UTF16_BE, "utf-32-be": codecs.BOM_UTF32_BE}
    return marks.get(encoding, b"") + text.encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_byte_order_mark_is_not_text(encoding) -> None:
    for text in (TEXT, "", "\ufefftwice"):
        assert decode(marked(text, encoding), "f") == text.removeprefix(
            "\ufeff" if encoding == "utf-8" else ""
        )


def test_files_with_byte_order_marks(tmp_path) -> None:
    """Wherever a command reads a text."""
    flags = [*QUICK, *GREEDY]
    (tmp_path / "prompt").write_bytes(marked(TEXT, "utf-16"))
    (tmp_path / "template").write_bytes(marked("{{ messages[0].content }}", "utf-16-be"))
    want = run("run", "-p", TEXT, *flags).stdout
    assert run("run", "-f", tmp_path / "prompt", *flags).stdout == want
    assert run("run", "-f", "-", *flags, input=marked(TEXT, "utf-8-sig")).stdout == want
    chat = [*flags, "--chat-template-file", tmp_path / "template"]
    answer = want.removeprefix(TEXT.encode())
    assert run("run", "-cnv", "-f", tmp_path / "prompt", *chat).stdout == answer
    assert run("run", "-sysf", tmp_path / "prompt", "-p", "x", *chat).stdout == answer
    plain = out("perplexity", "-f", "-", "--window", 4, input=TEXT.encode())
    assert out("perplexity", "-f", tmp_path / "prompt", "--window", 4) == plain


def test_byte_order_mark_on_the_command_line() -> None:
    assert out("run", "-p", "\ufeffThe", "-n", 0) == "The\n"


@pytest.mark.parametrize(
    "data",
    [
        "The file".encode("utf-16-le"),
        marked("The file", "utf-16") + b"x",
        codecs.BOM_UTF32_BE + b"\xff\xff\xff\xff",
        b"a\0b",
        "файл".encode("cp1251"),
        "文件文件".encode("utf-16-le"),
        b"\x1f\x8b\x08\0",
    ],
)
def test_bytes_that_are_no_text(data) -> None:
    with pytest.raises(ValueError, match="^f: got .*expected"):
        decode(data, "f")


def test_files_that_are_no_text(tmp_path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes("The file".encode("utf-16-le"))
    for args in (
        ["run", "-f", bad],
        ["run", "-p", "x", "-sysf", bad],
        ["run", "-p", "x", "-cnv", "--chat-template-file", bad],
        ["chat", "-f", bad],
        ["perplexity", "-f", bad],
    ):
        assert b"zero bytes" in run(*args, code=1, input=b"").stderr


def test_bytes_that_are_not_utf8_are_replaced_with_a_warning(tmp_path) -> None:
    (tmp_path / "latin").write_bytes("un café au lait, s'il vous plaît".encode("latin-1"))
    done = run("run", "-f", tmp_path / "latin", "-n", 0)
    assert done.stdout.decode() == "un caf\ufffd au lait, s'il vous pla\ufffdt\n"
    assert b"warning" in done.stderr and b"byte 6" in done.stderr


def test_token_files_that_are_none(tmp_path) -> None:
    import numpy as np

    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "scalar.npy", np.array(3))
    np.savez(tmp_path / "several.npz", a=np.zeros(9))
    np.save(tmp_path / "floats.npy", np.zeros(9))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("# Title\n" * 20)
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04" + b"x" * 99)
    (tmp_path / "short.npy").write_bytes(np.lib.format.magic(1, 0) + b"\x10\0{'descr'")
    for file in tmp_path.iterdir():
        error = run("perplexity", "--tokens", file, "--window", 4, code=1).stderr.decode()
        assert error.startswith("sterna: error: ") and error.count("\n") == 1
        assert "pickle" not in error
        if file.stem not in ("scalar", "floats"):
            assert f"{file}: not a .npy file of token ids" in error
