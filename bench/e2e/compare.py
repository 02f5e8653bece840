#!/usr/bin/env python3
"""Compares Sterna with llama.cpp end to end in one interleaved run: both see the same state of the machine.

For each thread count both engines are loaded, each in its own process, and then take turns: for every
repetition each test, first by one, then by the other; who begins alternates. Tests are `pp N [D]`, prompt
processing of N tokens in one batch, and `tg N [D]`, evaluation of N tokens one by one, after D tokens of context, and
`gen N`, greedy generation. Repetition 0 warms up and is not counted. Writes OUT.json with every sample and OUT.md
with medians.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ISA_FLAGS = {
    *("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512vbmi", "avx512_bf16"),
    *("gfni", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "sve"),
}


class Child:
    """An engine process; see engine.py for the protocol."""

    def __init__(self, python: str, script: str, model: str, threads: int, context: int):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the child
        command = [python, str(HERE / script), model, "--threads", str(threads), "--context", str(context)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1
        )
        self.description = self._answer()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            command, code = shlex.join(self.process.args), self.process.wait()
            sys.exit(f"{command} ended with {code}:\n{self.log.read()[-2000:]}")
        return json.loads(line)

    def ask(self, command: str) -> dict:
        self.process.stdin.write(command + "\n")
        return self._answer()

    def quit(self) -> dict:
        answer = self.ask("quit")
        self.process.wait()
        return answer


def measure(
    args: argparse.Namespace, engines: dict[str, tuple[str, str, str]], threads: int
) -> dict[str, dict]:
    """Per engine: description, peak RSS, and the seconds of every counted repetition of each test."""
    context = max(sum(map(int, test.split()[1:])) for test in args.tests) + 16
    children, results = {}, {}
    for name, (python, script, model) in engines.items():
        children[name] = Child(python, script, model, threads, context)
        results[name] = {**children[name].description, "seconds": {}}
    for repetition in range(args.reps + 1):
        order = list(children) if repetition % 2 else list(children)[::-1]
        for test in args.tests:
            for name in order:
                seconds = children[name].ask(test)["seconds"]
                rate = int(test.split()[1]) / seconds
                print(
                    f"threads {threads} repetition {repetition} {test} {name}: {rate:.2f} tokens/s",
                    file=sys.stderr,
                )
                if repetition > 0:
                    results[name]["seconds"].setdefault(test, []).append(seconds)
    for name, child in children.items():
        results[name] |= child.quit()
    return results


def first_match(path: str, key: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "unknown")


def machine() -> dict:
    flags = (first_match("/proc/cpuinfo", "flags") + " " + first_match("/proc/cpuinfo", "Features")).split()
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout
    return {
        "cpu": first_match("/proc/cpuinfo", "model name"),
        "cpus": len(os.sched_getaffinity(0)),
        "isa": " ".join(f for f in flags if f in ISA_FLAGS),
        "ram": first_match("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "compiler": compiler.split("\n")[0],
        "python": platform.python_version(),
        "load_average_before": os.getloadavg()[0],
    }


def rates(result: dict, test: str) -> list[float]:
    return [int(test.split()[1]) / s for s in result["seconds"][test]]


def markdown(report: dict) -> str:
    names = list(report["engines"])
    lines = [f"# {' and '.join(names)}, {report['date']}", ""]
    lines += [f"* {key}: {value}" for key, value in report["machine"].items()]
    lines += [
        f"* {n}: {e['version']}, model {e['model']} ({e['model_bytes'] / 1e6:.0f} MB) {e['build']}".rstrip()
        for n, e in report["engines"].items()
    ]
    lines += [f"* command: `{report['command']}`", ""]
    lines += [
        "Tokens per second, median ± standard deviation of " + f"{report['reps']} interleaved repetitions.",
        "",
    ]
    ratio = len(names) == 2
    lines += [f"| threads | test | {' | '.join(names)} |" + (f" {names[0]} / {names[1]} |" if ratio else "")]
    lines += ["|---" * (2 + len(names) + ratio) + "|"]
    for threads, results in report["threads"].items():
        for test in results[names[0]]["seconds"]:
            samples = [rates(results[n], test) for n in names]
            medians = [statistics.median(s) for s in samples]
            cells = [f"{m:.2f} ± {statistics.pstdev(s):.2f}" for m, s in zip(medians, samples, strict=True)]
            cells += [f"{medians[0] / medians[1]:.2f}"] if ratio else []
            lines += [f"| {threads} | {test.replace(' ', '', 1).replace(' ', ' @ ')} | {' | '.join(cells)} |"]
        for key, label in (
            ("load_s", "load, s"),
            ("first_token_s", "load + first token, s"),
            ("peak_rss_mib", "peak RSS, MiB"),
        ):
            values = [results[n][key] for n in names]
            cells = [f"{v:.2f}" if key.endswith("_s") else f"{v:.0f}" for v in values]
            cells += [f"{values[0] / values[1]:.2f}"] if ratio else []
            lines += [f"| {threads} | {label} | {' | '.join(cells)} |"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="prefix of the report files")
    parser.add_argument(
        "--sterna", metavar="GGUF", help="model for Sterna; without it the peer is measured alone"
    )
    parser.add_argument(
        "--peer", metavar="GGUF", help="model for llama.cpp; without it Sterna is measured alone"
    )
    parser.add_argument("--sterna-python", default=sys.executable, help="interpreter that has sterna")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has llama-cpp-python")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument(
        "--tests",
        nargs="+",
        default=["pp 512", "tg 64"],
        help='"pp N [DEPTH]" (N at most 512), "tg N [DEPTH]" and "gen N"',
    )
    args = parser.parse_args()
    engines = {
        name: (python, script, model)
        for name, python, script, model in (
            ("sterna", args.sterna_python, "engine_sterna.py", args.sterna),
            ("llama.cpp", args.peer_python, "engine_llama_cpp.py", args.peer),
        )
        if model
    }
    if not engines:
        parser.error("give --sterna, --peer or both")

    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(sys.argv),
        "machine": machine(),
        "reps": args.reps,
        "engines": {},
        "threads": {},
    }
    if report["machine"]["load_average_before"] > 0.3:
        print("warning: the machine is not idle; these figures will not be worth much", file=sys.stderr)
    for threads in args.threads:
        report["threads"][threads] = measure(args, engines, threads)
    for name, (_, _, model) in engines.items():
        result = report["threads"][args.threads[0]][name]
        report["engines"][name] = {
            "version": result["version"],
            "build": result["build"],
            "model": Path(model).name,
            "model_bytes": Path(model).stat().st_size,
        }
    Path(f"{args.out}.json").write_text(json.dumps(report, indent=1) + "\n")
    Path(f"{args.out}.md").write_text(markdown(report))
    print(markdown(report), end="")


if __name__ == "__main__":
    main()
