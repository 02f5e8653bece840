"""The command line, as a process."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import sterna
from cli_process import GREEDY, out, run
from conftest import MODELS
from gguf_writer import STRING, Gguf, string

PROMPT = "The ls command"


# --- run --------------------------------------------------------------------------------------------------


def test_run(tiny) -> None:
    want = tiny.generate(PROMPT, max_tokens=12, temperature=0)
    done = run("run", "-p", PROMPT, "-n", 12, *GREEDY)
    assert done.stdout.decode() == PROMPT + want + "\n"
    assert b"decode: 12 tokens" in done.stderr and b"t/s" in done.stderr
    assert out("run", "-p", PROMPT, "-n", 12, "--no-display-prompt", "-t", 1, "-b", 3, *GREEDY) == want + "\n"


def test_run_head_flags() -> None:
    flags = ["run", "-p", PROMPT, "-n", 12, "--no-display-prompt", *GREEDY]
    screened = run(*flags, "--screen", "on", "-v")
    assert screened.stdout.decode() == out(*flags, "--screen", "off")
    assert re.search(rb"output matrix: \d+ of 12 tokens screened", screened.stderr)
    assert re.search(rb"bytes of weights in memory, [1-9]\d+ more for screening", screened.stderr)
    run(*flags, "--head-bits", 4)
    run(*flags, "--head-bits", 5, code=2)
    assert "bytes more in memory to screen" in out("inspect", "--screen", "on")
    assert "4-bit codes, scales per 32" in out("inspect", "--head-bits", 4)


def test_run_sampling_flags(tiny) -> None:
    flags = ["--temp", 1.2, "--top-k", 20, "--top-p", 0.9, "--min-p", 0.01, "--repeat-penalty", 1.1]
    flags += ["--repeat-last-n", 32, "-s", 7, "-n", 16, "--ignore-eos", "--no-display-prompt"]
    want = tiny.generate(
        PROMPT, temperature=1.2, top_k=20, top_p=0.9, min_p=0.01, repeat_penalty=1.1, repeat_last_n=32,
        seed=7, max_tokens=16, ignore_eos=True,
    )  # fmt: skip
    assert out("run", "-p", PROMPT, *flags) == want + "\n"


def test_run_lookup() -> None:
    prompt, flags = "cp [OPTION] SOURCE DEST " * 4, ["-n", 24, "--no-display-prompt", *GREEDY]
    plain, fast = run("run", "-p", prompt, *flags), run("run", "-p", prompt, "--lookup", *flags)
    assert fast.stdout == plain.stdout and b"guesses" not in plain.stderr
    assert re.search(rb" (\d+) of \d+ guesses right", fast.stderr)[1] != b"0"


def test_run_prompt_from_file_and_stdin(tiny, tmp_path) -> None:
    text = "größe\n  tab\\n"
    want = text + tiny.generate(text, max_tokens=4, temperature=0) + "\n"
    file = tmp_path / "prompt.txt"
    file.write_text(text, encoding="utf-8")
    assert out("run", "-f", file, "-n", 4, *GREEDY) == want
    assert out("run", "-f", "-", "-n", 4, *GREEDY, input=text.encode()) == want
    assert out("run", "-p", r"a\n\x41\\n", "-n", 0, *GREEDY) == "a\nA\\n\n"
    assert out("run", "-p", r"a\n", "--no-escape", "-n", 0, *GREEDY) == "a\\n\n"


def test_run_chat_and_stop(tiny, tmp_path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.content }} {% endfor %}")
    want = tiny.generate("be brief ls ", max_tokens=10, temperature=0)
    flags = ["-sys", "be brief", "-p", "ls", "-n", 10, "--chat-template-file", template, *GREEDY]
    assert out("run", *flags) == want + "\n"
    word = want.split()[-1]
    assert out("run", *flags, "-r", word) == want[: want.index(word)] + "\n"


def test_run_isa() -> None:
    texts = {
        out("run", "-p", PROMPT, "-n", 8, "--isa", i.name, *GREEDY) for i in sterna.isas() if i.supported
    }
    assert len(texts) == 1
    assert b"avx9000" in run("run", "-p", "x", "--isa", "avx9000", code=2).stderr


def test_errors_are_one_line(tmp_path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\0" * 40)
    for args, message in (
        (["run", "-p", "x", "-m", "no-such.gguf"], "no-such.gguf"),
        (["run", "-p", "x", "-m", tmp_path / "bad.gguf"], "version"),
        (["run", "-p", "x", "-m", tmp_path], str(tmp_path)),
        (["run", "-f", "no-such.txt"], "no-such.txt"),
        (["run", "-p", "x" * 9999, "-c", "64"], "context"),
        (["inspect", "no-such.gguf"], "no-such.gguf"),
        (["perplexity", "--tokens", "no-such.npy"], "no-such.npy"),
    ):
        error = run(*args, code=1).stderr.decode()
        assert re.fullmatch(r"sterna: error: [^\n]+\n", error) and message in error


@pytest.mark.parametrize("chat", [False, True])
def test_ctrl_c(chat, tmp_path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages[0].content }}")
    flags = ["-cnv", "--chat-template-file", template] if chat else []
    process = subprocess.Popen(
        [sys.executable, "-m", "sterna", "run", "-p", "NAME", "--ignore-eos", "-c", "2048", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(30)  # it is generating
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and b"Traceback" not in error


# --- bench ------------------------------------------------------------------------------------------------

QUICK = ["bench", "-m", MODELS / "mini-qwen3-q1_0.gguf", "-r", 2]


def test_bench_md() -> None:
    lines = out(*QUICK, "-p", "8,16", "-n", "4", "-d", "0,8", "-t", "1,2").splitlines()
    assert [c.strip() for c in lines[0].strip("|").split("|")] == [
        "model", "size", "params", "backend", "threads", "test", "t/s", "peak RSS", "bytes/token",
    ]  # fmt: skip
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]
    tests = ["pp8", "pp16", "tg4", "pp8 @ d8", "pp16 @ d8", "tg4 @ d8"]
    assert [(row[4], row[5]) for row in cells] == [(t, test) for t in "12" for test in tests]
    assert all(re.fullmatch(r"[0-9.]+ ± [0-9.]+", row[6]) for row in cells)


def test_bench_settings_and_pairs() -> None:
    """What differs between rows is a column; -pg is a prompt and decoding in one test."""
    lines = out(
        *QUICK, "-p", 0, "-n", 0, "-pg", "8,4", "-b", "4,8", "-ctk", "f16,q8_0", "-fa", "0,1"
    ).splitlines()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]
    assert rows[0][5:8] == ["n_batch", "type_k", "test"]
    assert [row[5:8] for row in rows[1:]] == [[b, t, "pp8+tg4"] for b in "48" for t in ("f16", "int8")]


def test_bench_for_programs() -> None:
    flags = ["-p", 8, "-n", 0, "-t", 1, "-o"]
    (row,) = json.loads(out(*QUICK, *flags, "json"))
    (line,) = out(*QUICK, *flags, "jsonl").splitlines()
    (record,) = csv.DictReader(io.StringIO(out(*QUICK, *flags, "csv")))
    assert row.keys() == json.loads(line).keys() > record.keys()
    assert (
        row["n_prompt"] == 8
        and row["n_gen"] == 0
        and row["n_threads"] == 1
        and row["backends"].startswith("CPU")
    )
    assert len(row["samples_ns"]) == 2 and row["avg_ns"] == pytest.approx(sum(row["samples_ns"]) / 2, abs=1)
    assert row["avg_ts"] == pytest.approx(np.mean([8e9 / ns for ns in row["samples_ns"]]), rel=1e-3)
    assert row["peak_rss_bytes"] > 5 << 20 and 0 < row["bytes_per_token"] < 72448
    assert record["model_size"] == str((MODELS / "mini-qwen3-q1_0.gguf").stat().st_size)


# --- inspect, perplexity, kernels, selftest ---------------------------------------------------------------


def test_inspect(tmp_path) -> None:
    path = MODELS / "mini-llama-mixed.gguf"
    text = out("inspect", path)
    assert 'general.architecture = "llama"' in text and "qgemm_w4_block" in text and "IQ4_NL" in text
    data = json.loads(out("inspect", "--json", "-m", path))
    assert (
        data["metadata"]["llama.block_count"] == 2 and len(data["metadata"]["tokenizer.ggml.tokens"]) == 320
    )
    assert {t["name"] for t in data["tensors"]} == {t["name"] for t in data["kernels"]}
    assert data["model"]["architecture"] == "llama" and data["not_loadable"] is None
    assert json.loads(out("inspect", "--json", "--no-load", path))["model"] is None


def test_inspect_unsupported_model(tmp_path) -> None:
    path = tmp_path / "new.gguf"
    file = Gguf.read(MODELS / "mini-spm.gguf").set("general.architecture", STRING, string("mamba9"))
    path.write_bytes(file.set("x", STRING, string(b"a\xffb")).build())
    done = run("inspect", path)
    assert b"blk.1.ffn_down.weight" in done.stdout and b"mamba9" in done.stderr
    assert "mamba9" in json.loads(out("inspect", "--json", path))["not_loadable"]


def test_perplexity(tiny, tmp_path) -> None:
    text = "NAME\n       ls - list directory contents\n" * 30
    tokens = np.array(tiny.tokenize(text))
    want = tiny.perplexity(tokens[:128], window=32)
    (tmp_path / "t.txt").write_text(text)
    np.save(tmp_path / "t.npy", tokens.astype(np.uint16))
    for source in (["-f", tmp_path / "t.txt"], ["--tokens", tmp_path / "t.npy"]):
        done = run("perplexity", *source, "--window", 32, "--chunks", 4)
        assert done.stdout.decode().startswith(f"perplexity {want:.4f}") and done.stderr.count(b"\n") == 4


def test_perplexity_windows(tmp_path) -> None:
    """-c is the window, as in llama-perplexity, unless --window says otherwise."""
    (tmp_path / "t.txt").write_text("NAME\n       ls - list directory contents\n" * 30)
    flags = ["perplexity", "-f", tmp_path / "t.txt"]
    assert out(*flags, "-c", 64) == out(*flags, "--window", 64) != out(*flags, "-c", 64, "--window", 32)
    assert re.search(rb"has \d+ tokens, expected a window of 512", run(*flags, "--chunks", 1, code=1).stderr)


def test_kernels() -> None:
    text = out("kernels")
    assert all(k.name in text for k in sterna.kernels()) and "* qgemm_w2_row" in text
    scalar = out("kernels", "--isa", "scalar")
    assert re.search(r"\* qgemm_w2_row_\w*scalar", scalar) and scalar.count("* ") < text.count("\n")


def test_explain_kernels() -> None:
    lines = out("kernels", "--explain", "64x512:w1_block:3").splitlines()
    assert lines[0].startswith("w1_block, 64 x 512") and lines[0].endswith("builtin")
    assert sum(line.startswith("*") for line in lines[2:]) == 1
    assert all(re.search(r" 3 qgemm_w1_block_\w+ +[0-9.]+ +[0-9.]+ +[0-9.]+$", line) for line in lines[2:])
    assert "forced" in out("kernels", "--explain", "16x32", "--isa", "scalar")
    assert b"expected ROWSxDEPTH" in run("kernels", "--explain", "64", code=2).stderr
    assert b"unknown variant" in run("kernels", "--explain", "64x64:w9_row", code=2).stderr
    assert b"multiple of 64" in run("kernels", "--explain", "64x96:w2_block", code=2).stderr


def test_choice_of_kernels_is_remembered(tmp_path) -> None:
    def choice(mode: str) -> str:
        env = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "STERNA_CHOICE": mode}
        return out("kernels", "--explain", "16x32:w2_row:1", env=env).split("\n")[0].rsplit(" ", 1)[1]

    several = len(out("kernels", "--explain", "16x32:w2_row:1").splitlines()) > 3
    file = tmp_path / "sterna" / "kernels.txt"
    assert choice("builtin") == "builtin" and not file.exists()
    assert choice("measured") == ("measured" if several else "builtin") and file.exists() == several
    assert choice("measured") == ("cached" if several else "builtin")
    assert choice("fresh") == ("measured" if several else "builtin")
    env = os.environ | {"STERNA_CHOICE": "best"}
    assert b"STERNA_CHOICE" in run("kernels", "--explain", "16x32", code=1, env=env).stderr


def test_selftest(tmp_path) -> None:
    text = out("selftest", "-m", MODELS / "mini-spm.gguf")
    assert "qgemm_w2_row_scalar ok" in text and "golden sentence" in text and text.endswith("all is well\n")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes((MODELS / "mini-spm.gguf").read_bytes()[:-5000])
    assert b"this file" in run("selftest", "-m", broken, code=1).stderr


def test_selftest_finds_a_changed_model(monkeypatch, tmp_path) -> None:
    from sterna import golden

    record = json.loads(golden.RECORD.read_text())
    for key, culprit in (
        ("model_sha256", "this file"),
        ("tokens", "this machine"),
        ("logits_sha256", "this machine"),
    ):
        changed = tmp_path / "golden.json"
        changed.write_text(json.dumps(record | {key: "other"}))
        monkeypatch.setattr(golden, "RECORD", changed)
        with pytest.raises(ValueError, match=culprit):
            sterna.selftest(report=lambda line: None)
