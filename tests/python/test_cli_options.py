"""The words of a command line: what they set, what is accepted, what is refused and how."""

import re
import shlex

import pytest
from cli_process import GREEDY, out, run
from sterna.cli import COMMANDS, find_command
from sterna.cli.errors import UsageError
from sterna.cli.llama_flags import FLAGS
from sterna.cli.parse import parse

PROGRAMS = {"llama-cli": "run", "llama-bench": "bench", "llama-perplexity": "perplexity"}

# Command lines of llama.cpp's manuals, guides and model cards; -> the values that come of them.
ACCEPTED = {
    'llama-cli -m model.gguf -p "I believe the meaning of life is" -n 128 -no-cnv': {"max_tokens": 128},
    'llama-cli -m models/gemma.gguf -p "Once upon a time" -n -1 --ignore-eos': {"ignore_eos": True},
    "llama-cli -m model.gguf -f prompt.txt -n 256 -c 4096 --keep -1 -b 1024": {"n_batch": 1024},
    'llama-cli -m m.gguf -ngl 99 -fa -p "hi"': {"prompt": "hi"},
    'llama-cli -m m.gguf -ngl 99 -fa on -p "hi"': {"prompt": "hi"},
    'llama-cli -m m.gguf -ngl auto --flash-attn auto -p "hi"': {"prompt": "hi"},
    'llama-cli -m m.gguf -ctk q8_0 -ctv q8_0 -p "hi"': {"cache_k": "int8", "cache_v": "int8"},
    'llama-cli -m m.gguf --cache-type-k f16 -p "hi"': {"cache_k": "f16"},
    'llama-cli -m m.gguf -st --jinja --color -sys "Be brief" -p "hi"': {"system": "Be brief"},
    'llama-cli -m m.gguf --color auto --simple-io --no-display-prompt -p "hi"': {"display_prompt": False},
    "llama-cli -m m.gguf -t 8 -tb 16 -b 2048 -ub 512 --mlock --no-mmap -p x": {"n_threads": 8, "n_batch": 2048},
    "llama-cli -m m.gguf -t -1 --numa distribute --prio 2 --poll 50 -p x": {"n_threads": None},
    "llama-cli -m m.gguf -sm row -mg 0 -ts 3,1 --no-warmup -p x": {"model": "m.gguf"},
    "llama-cli -m m.gguf -ot exps=CPU -cmoe -ncmoe 10 -nkvo -p x": {"model": "m.gguf"},
    'llama-cli -m m.gguf -e -p "a\\nb" --seed 42 --temp 0': {"seed": 42, "temperature": 0.0},
    "llama-cli -m m.gguf -s -1 --top-k 40 --top-p 0.9 --min-p 0.05 -p x": {"seed": -1, "top_p": 0.9},
    "llama-cli -m m.gguf --temp 0.6 --top-p 0.95 --top-k 20 --min-p 0 -n 32768 --no-context-shift -p x": {"top_k": 20},
    "llama-cli -m m.gguf --repeat-penalty 1.1 --repeat-last-n 64 -r User: -r '### Human:' -p x": {
        "stop": ["User:", "### Human:"]
    },
    "llama-cli -m m.gguf --mirostat 0 --presence-penalty 0.0 --typical 1.0 --dry-multiplier 0 -p x": {"prompt": "x"},
    "llama-cli -m m.gguf --n_predict 32 --top_k 10 --batch_size 64 -p x": {"max_tokens": 32, "top_k": 10},
    "llama-cli -m m.gguf -n -2 -p x": {"max_tokens": -2},
    "llama-cli -m m.gguf -np 1 --log-disable -lv 1 -p x": {"prompt": "x"},
    "llama-cli -m m.gguf --device none -fit off --swa-full -kvu -p x": {"prompt": "x"},
    "llama-cli -m m.gguf -cnv --chat-template chatml -p x": {"template": "chatml", "chat": True},
    """llama-cli -m m.gguf --jinja --chat-template-kwargs '{"enable_thinking": false}' -p x""": {
        "variables": {"enable_thinking": False}
    },
    "llama-cli -m m.gguf --chat-template-file t.jinja -sysf s.txt -p x": {"system_file": "s.txt"},
    "llama-cli -m m.gguf --samplers top_k;top_p;min_p;temperature -p x": {"prompt": "x"},
    "llama-cli -m m.gguf --samplers 'penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature' -p x": {
        "prompt": "x"
    },
    "llama-cli -m m.gguf --samplers 'top-k;top-p;min-p;temp;xtc' --sampling-seq edskypmxt -p x": {"prompt": "x"},
    "llama-cli -m m.gguf --rope-freq-scale 1 --rope-freq-base 0 --yarn-ext-factor -1.0 -p x": {"prompt": "x"},
    "llama-cli -m m.gguf -dkvc --spm-infill -C 0x0 --mirostat 0.00 -p x": {"prompt": "x"},
    "llama-bench -m a.gguf,b.gguf -m c.gguf -C 0x0 -dev none,none": {"model": ["a.gguf", "b.gguf", "c.gguf"]},
    "llama-bench -m m.gguf": {"model": ["m.gguf"], "n_prompt": [512], "n_gen": [128], "repetitions": 5},
    "llama-bench -m a.gguf -m b.gguf -p 0 -n 128,256,512": {"model": ["a.gguf", "b.gguf"], "n_gen": [128, 256, 512]},
    "llama-bench -n 0 -p 1024 -b 128,256,512,1024": {"n_batch": [128, 256, 512, 1024]},
    "llama-bench -n 0 -n 16 -p 64 -t 1,2,4,8,16,32": {"n_gen": [0, 16], "n_threads": [1, 2, 4, 8, 16, 32]},
    "llama-bench -ngl 10,20,30,31,32,33,34,35 -n 8": {"n_gen": [8]},
    "llama-bench -m m.gguf -d 0,512 -fa 0,1 -mmp 0": {"n_depth": [0, 512]},
    "llama-bench -m m.gguf -fa 1 -ctk q8_0 -ctv q8_0 -ngl 0": {"cache_k": ["int8"]},
    "llama-bench -m m.gguf -ctk f16,q8_0": {"cache_k": ["f16", "int8"]},
    "llama-bench -m m.gguf -pg 512,128 -pg 64,8 -p 0 -n 0": {"pairs": [(512, 128), (64, 8)]},
    "llama-bench -m m.gguf -p 16-64*2 -d 0-20+10 -n 1-3": {
        "n_prompt": [16, 32, 64], "n_depth": [0, 10, 20], "n_gen": [1, 2, 3]
    },
    "llama-bench -m m.gguf -o json -r 3 --no-warmup --delay 2 --prio 2 -v": {"output": "json", "warmup": False},
    "llama-bench -m m.gguf -nkvo 0,1 -embd 0 -ts 1/1 -dev none -oe none --progress": {"output": "md"},
    "llama-perplexity -m m.gguf -f wikitext-2-raw/wiki.test.raw": {"n_ctx": None, "chunks": -1},
    "llama-perplexity -m m.gguf -f wiki.test.raw -c 512 -b 512 -t 8 --chunks 10": {"n_ctx": 512, "chunks": 10},
    "llama-perplexity -m m.gguf -f w.raw -ngl 99 -fa -ub 2048 -s 1 --ppl-stride 0": {"file": "w.raw"},
}  # fmt: skip

# -> the flag and a word of the sentence that refuses it.
REFUSED = {
    "llama-cli -hf ggml-org/gemma-3-1b-it-GGUF": ("-hf", "-m FILE"),
    "llama-cli --hf-repo user/repo --hf-file m.gguf -p x": ("--hf-repo", "-m FILE"),
    "llama-cli -mu https://example.org/m.gguf -p x": ("-mu", "-m FILE"),
    "llama-cli -m m.gguf -p x --grammar-file grammars/json.gbnf": ("--grammar-file", "grammar"),
    "llama-cli -m m.gguf -p x -j {}": ("-j", "schema"),
    "llama-cli -m m.gguf -p x --lora adapter.gguf": ("--lora", "merge"),
    "llama-cli -m m.gguf -p x --mmproj mmproj.gguf --image cat.png": ("--mmproj", "text only"),
    "llama-cli -m m.gguf -md draft.gguf --draft-max 16 -p x": ("-md", "--lookup"),
    "llama-cli -m m.gguf -p x -np 4 -cb": ("-np", "one sequence"),
    "llama-cli -m m.gguf -p x -cb": ("-cb", "one sequence"),
    "llama-cli -m m.gguf -p x --rope-scaling yarn --rope-scale 4": ("--rope-scaling", "file"),
    "llama-cli -m m.gguf -p x --presence-penalty 1.5": ("--presence-penalty", "--repeat-penalty"),
    "llama-cli -m m.gguf -p x --mirostat 2": ("--mirostat", "--temp"),
    "llama-cli -m m.gguf -i -r User: -f prompts/chat-with-bob.txt": ("-i", "sterna chat"),
    "llama-cli -m m.gguf -p x --prompt-cache session.bin": ("--prompt-cache", "not saved"),
    "llama-cli -m m.gguf -p x --in-prefix ' '": ("--in-prefix", "--chat-template-file"),
    "llama-cli -m m.gguf -p x -ctk q4_0": ("-ctk", "q8_0"),
    "llama-cli -m m.gguf -p x --chat-template llama2": ("--chat-template", "--chat-template-file"),
    "llama-cli -m m.gguf -p x --override-kv tokenizer.ggml.pre=str:llama3": ("--override-kv", "--pre"),
    "llama-cli -m m.gguf -p x -C 0xf": ("-C", "taskset"),
    "llama-cli -m m.gguf -p x --host 0.0.0.0 --port 8080": ("--host", "no server"),
    "llama-cli -m m.gguf -p x --samplers 'temperature;top_k;top_p;min_p'": ("--samplers", "order"),
    "llama-cli -m m.gguf -p x --samplers 'top_k;temperature'": ("--samplers", "order"),
    "llama-cli -m m.gguf -p x --samplers 'top_k;top_p;min_p'": ("--samplers", "order"),
    "llama-cli -m m.gguf -p x --sampling-seq kt": ("--sampling-seq", "order"),
    "llama-cli -m m.gguf -p x --rope-freq-scale 0.5": ("--rope-freq-scale", "file"),
    "llama-bench -m a.gguf,": ("-m", "FILE,FILE"),
    "llama-bench -m m.gguf -C 0x0,0xf": ("-C", "taskset"),
    "llama-bench -m m.gguf -p 0-16777216": ("-p", "10000"),
    "llama-bench -m m.gguf -d 0-40000+2": ("-d", "10000"),
    "llama-bench -m m.gguf --temp 0": ("--temp", "sampled"),
    "llama-perplexity -m m.gguf -p text": ("-p", "-f FILE"),
    "llama-perplexity -m m.gguf -f w.raw --temp=0": ("--temp=0", "sampled"),
    "llama-perplexity -m m.gguf -f w.raw --n_predict 8": ("--n_predict", "--chunks"),
    "llama-bench -m m.gguf -o sql": ("-o", "jsonl"),
    "llama-bench -m m.gguf -p -5": ("-p", "integer"),
    "llama-bench -m m.gguf -r 0": ("-r", "integer from 1"),
    "llama-bench -m m.gguf -pg 512": ("-pg", "PROMPT,DECODED"),
    "llama-bench -m m.gguf -embd 1": ("-embd", "embeddings"),
    "llama-perplexity -m m.gguf -f w.raw --ppl-stride 256": ("--ppl-stride", "--window"),
    "llama-perplexity -m m.gguf -f hellaswag.txt --hellaswag": ("--hellaswag", "perplexity only"),
    "llama-perplexity -m m.gguf --kl-divergence-base base.kld -f w": (
        "--kl-divergence-base",
        "perplexity only",
    ),
}


def parsed(line: str):
    program, *words = shlex.split(line)
    return parse(find_command(PROGRAMS.get(program, program)), words)


@pytest.mark.parametrize("line", ACCEPTED)
def test_command_lines_that_work(line) -> None:
    values = vars(parsed(line))
    assert {name: values[name] for name in ACCEPTED[line]} == ACCEPTED[line]


@pytest.mark.parametrize("line", REFUSED)
def test_command_lines_that_are_refused(line) -> None:
    flag, word = REFUSED[line]
    with pytest.raises(UsageError, match=rf"^{re.escape(flag)}[ :]") as refusal:
        parsed(line)
    assert word in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run -p x --tmp 0", "--tmp: no such option; did you mean --temp?"),
        ("run -p x --promt y", "--promt: no such option; did you mean --prompt?"),
        ("run -p x -n32", "-n32: no such option; did you mean -n 32?"),
        ("run -p x -ngl99", "did you mean -ngl 99?"),
        ("run -p x -temp 0", "-temp: no such option; did you mean --temp?"),
        ("run -p x -ngl -n 4", "-ngl: got '-n', expected a number"),
        ("run -p x -n", "-n: got no value, expected N"),
        ("run -p x -ngl", "-ngl: got no value"),
        ("run -p x --ignore-eos=no", "--ignore-eos: got the value 'no', expected none"),
        ("run -p x --mlock=1", "--mlock: got the value '1', expected none"),
        ("run -p x --numa often", "--numa: got 'often', expected one of distribute"),
        ("run -p x -fa maybe", "-fa: got 'maybe', expected one of on, off"),
        ("chat --color blue", "--color: got 'blue', expected one of"),
        ("perplexity --log-colors blue -f x", "--log-colors: got 'blue', expected one of"),
        ("run -p x --lookup many", "--lookup: got 'many', expected an integer"),
        ("run -p x -fa \u2013n 5", "long dash"),
        ("run -p x y", "'y': got a word without an option"),
        ("run -p x m.gguf", "did you mean -m m.gguf?"),
        ("run -p x \u2013n 5", "long dash"),
        ("inspect a.gguf b.gguf", "'b.gguf'"),
        ("selftest m.gguf", "did you mean -m m.gguf?"),
        ("kernels -ngl 99", "-ngl: no such option"),
        ("kernels --isa avx9000", "--isa: got 'avx9000', expected one of"),
        ("chat -no-cnv", "sterna run"),
    ],
)
def test_errors_name_the_word_and_what_was_meant(line, message) -> None:
    with pytest.raises(UsageError) as error:
        parsed(line)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("-n", "-3 1.5 1e3 x 2147483648 99999999999999999999999 0x10 1_000 \u0663"),
        ("-s", "-2 18446744073709551616 1.0"),
        ("--temp", "nan inf -inf 1e39 cold 1_0"),
        ("--top-p", "-0.1 nan"),
        ("--top-k", "-2 0.5"),
        ("--min-p", "1.1 inf"),
        ("--repeat-penalty", "0 -1 nan"),
        ("--repeat-last-n", "-2"),
        ("--lookup", "65 -1"),
        ("-c", "-1 1073741825"),
        ("-b", "0 65537"),
        ("-t", "0 -2 1025"),
        ("--head-bits", "5 -4"),
        ("--kv-type", "q4_0 f64"),
        ("--screen", "maybe ON"),
        ("--activation", "gelu"),
    ],
)
def test_wrong_values_are_usage_errors(flag, words) -> None:
    for word in [*words.split(), ""]:
        if not (flag == "--lookup" and word == ""):  # its value may be left out
            with pytest.raises(UsageError, match=f"^{flag}: got "):
                parse(find_command("run"), ["-p", "x", flag, word])


def test_an_option_takes_the_next_word_whatever_it_is() -> None:
    args = parse(find_command("run"), ["-p", "-n", "-r", "---", "-r", "--temp", "-m", "-x.gguf", "-sys", ""])
    assert (args.prompt, args.stop, args.model, args.system) == ("-n", ["---", "--temp"], "-x.gguf", "")
    assert parse(find_command("run"), ["--prompt=--a=b", "-n=5"]).prompt == "--a=b"
    assert parse(find_command("run"), ["-p", "a", "-p", "b", "--temp", "1", "--temp", "0"]).prompt == "b"
    assert parse(find_command("inspect"), ["--", "-m"]).file == "-m"


def test_a_value_that_may_be_left_out() -> None:
    for words, value in ((["--lookup"], 8), (["--lookup", "3"], 3), (["--lookup", "-n", "1"], 8), ([], 0)):
        assert parse(find_command("run"), words).lookup == value


def test_a_model_file_with_a_comma_in_its_name(tmp_path) -> None:
    (tmp_path / "a,b.gguf").touch()
    assert parse(find_command("bench"), ["-m", f"{tmp_path}/a,b.gguf"]).model == [f"{tmp_path}/a,b.gguf"]


def test_a_range_may_be_long() -> None:
    assert len(parse(find_command("bench"), ["-p", "1-10000"]).n_prompt) == 10000


def test_what_is_not_followed_is_said() -> None:
    args = parse(find_command("run"), ["-p", "x", "--rope-freq-scale", "1"])
    assert args.notes == ["--rope-freq-scale: positions are encoded as the file says"]


def test_llama_flags_are_whole_and_distinct() -> None:
    names = [name for flag in FLAGS for name in flag.names.split()]
    assert len(names) == len(set(names)) and all(
        re.fullmatch(r"--?[a-zA-Z][a-z0-9-]*[a-z0-9]?|-[A-Z]", n) for n in names
    )
    for command in COMMANDS:
        own = find_command(command).options()
        assert all(name.startswith("-") for name in own)


def test_prompts_that_begin_with_a_dash(tiny) -> None:
    for prompt in ("---", "-hello", "--temp"):
        want = prompt + tiny.generate(prompt, max_tokens=1, temperature=0) + "\n"
        assert out("run", "-p", prompt, "-n", 1, *GREEDY) == want
    run("run", "-p", "hi", "-r", "---", "-n", 1, *GREEDY)


def test_cache_types_of_llama_cpp() -> None:
    note = b"note: the KV cache is int8 here"
    assert note in run("run", "-p", "x", "-n", 1, "-ctk", "q8_0").stderr
    assert note not in run("run", "-p", "x", "-n", 1, "-ctk", "f16", "--kv-type", "f16").stderr
    assert b"got different types" in run("run", "-p", "x", "-ctk", "f16", "-ctv", "q8_0", code=2).stderr


def test_exit_codes_and_one_line_errors() -> None:
    for args in (
        ["fly"],
        ["runn"],
        ["-m", "x"],
        ["help", "fly"],
        ["help", "run", "chat"],
        ["run"],
        ["run", "-n", 5],
        ["run", "-p", "x", "-f", "y"],
        ["run", "-p", "x", "-sys", "a", "-sysf", "b"],
        ["run", "-p", "x", "--frob"],
        ["run", "-p", "x", "--pre", "no-such"],
        ["run", "-hf", "user/repo"],
        ["bench", "-p", 0, "-n", 0],
        ["inspect", "a", "-m", "b"],
        ["perplexity"],
        ["perplexity", "-f", "x", "--tokens", "y"],
        ["kernels", "--explain", "0x64"],
        ["kernels", "--isa", "avx9000"],
    ):
        done = run(*args, code=2)
        assert re.fullmatch(r"sterna: error: [^\n]+ \(usage: sterna [a-z ]*--help\)\n", done.stderr.decode())
        assert not done.stdout
    assert run(code=2).stderr.startswith(b"usage: sterna COMMAND")


def test_help() -> None:
    assert out("--help") == out("help") == out("-h")
    for command in COMMANDS:
        text = out(command, "--help")
        assert text.startswith(f"usage: sterna {command}") and text == out("help", command)
        assert text.count(f"\n  sterna {command}") == 3
        for name in find_command(command).options():
            assert re.search(rf"^  .*{re.escape(name)}\b", text, re.M), name
    assert "default: 0.8" in out("run", "-h") and "Sampling:" in out("chat", "--help")
    assert "130" in out("--help")
