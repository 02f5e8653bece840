#!/usr/bin/env python3
"""The figures of README.md and bench/results/README.md, made from the end-to-end results in bench/results.

report.py            # prints all
report.py --write    # puts them into their pages, between markers
report.py --picture  # the picture beside the results (needs matplotlib)
"""

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/quality"))
import type_table  # noqa: E402

RESULTS = ROOT / "bench/results"
PICTURE = RESULTS / "performance.svg"
SECTIONS = {
    name: (f"<!-- {name}: bench/report.py --write -->\n", f"<!-- end of {name} -->")
    for name in ("performance", "file types")
}
# What README.md shows of them: rows with most threads.
MAIN = {
    "bitnet-2b.i2_s": ["pp 512", "tg 64", "gen 64"],
    "bonsai.Q1_0": ["pp 512", "tg 64"],
    "2b-6-layers.tq2_0": ["tg 16 8192"],
}


# What a processor is called by here, the best first.
ISAS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx2": "AVX2",
    "i8mm": "I8MM",
}
EXPLANATION = (
    "Tokens per second. pp: prompt tokens in one batch; tg: tokens one by one, all logits computed; gen: greedy\n"
    "generation, where Sterna screens the output matrix.\n\n"
)
Row = tuple[str, str, str, float, float | None]  # model, threads, test, Sterna's tokens/s, llama.cpp's


def load() -> list[dict]:
    """The newest result of each model, by name; results of kernels and of file types are of other kinds."""
    newest = {}
    for path in sorted(RESULTS.glob("*.json")):
        report = json.loads(path.read_text())
        if "engines" in report:
            newest[model_of(report)] = report
    return [newest[name] for name in sorted(newest)]


def rate(result: dict, test: str) -> float:
    return int(test.split()[1]) / statistics.median(result["seconds"][test])


def model_of(report: dict) -> str:
    engine = report["engines"]["sterna"]
    only = engine["build"].removeprefix("STERNA_ISA=")
    return engine["model"].removesuffix(".gguf") + (f" (both {only})" if only else "")


def rows(reports: list[dict]) -> list[Row]:
    out = []
    for report in reports:
        model = model_of(report)
        for threads, results in report["threads"].items():
            for test in results["sterna"]["seconds"]:
                peer = results.get("llama.cpp")
                out.append(
                    (model, threads, test, rate(results["sterna"], test), rate(peer, test) if peer else None)
                )
    return out


def label(test: str) -> str:
    kind, n, *depth = test.split()
    return f"{kind}{n}" + (f" after {depth[0]}" if depth else "")


def machine(report: dict) -> str:
    """Machine and day of a result, whose figures belong into a table with others of the same."""
    m = report["machine"]
    isa = next((name for flag, name in ISAS.items() if flag in m["isa"].split()), m["isa"])
    return f"{m['cpu']} with {isa}, {m['cpus']} CPUs, {report['date'][:10]}"


def tables(reports: list[dict], shown: Callable[[list[dict]], list[Row]]) -> str:
    """A table for each machine and day, the newest first."""
    by_machine: dict[str, list[dict]] = {}
    for report in sorted(reports, key=lambda r: (r["date"][:10], model_of(r)), reverse=True):
        by_machine.setdefault(machine(report), []).insert(0, report)
    parts = []
    for name, group in by_machine.items():
        peers = sorted({r["engines"]["llama.cpp"]["version"] for r in group if "llama.cpp" in r["engines"]})
        reps = sorted({min(r["reps"] for r in group), max(r["reps"] for r in group)})
        parts.append(
            f"{name}; medians of {' to '.join(map(str, reps))} interleaved repetitions,\n"
            f"against {', '.join(peers)} built from source for the same CPU:\n\n{table(shown(group))}"
        )
    return EXPLANATION + "\n".join(parts)


def table(shown: list[Row]) -> str:
    lines = ["| model | threads | test | Sterna | llama.cpp | ratio |", "|---|---|---|---|---|---|"]
    for model, threads, test, ours, theirs in shown:
        cells = f"{theirs:.1f} | {ours / theirs:.2f}" if theirs else "- | -"
        lines.append(f"| {model} | {threads} | {label(test)} | {ours:.1f} | {cells} |")
    return "\n".join(lines) + "\n"


def main_rows(reports: list[dict]) -> list[Row]:
    found = {(model, test, int(threads)): row for row in rows(reports) for model, threads, test, *_ in [row]}
    most = max(threads for _, _, threads in found)
    return [found[model, test, most] for model, tests in MAIN.items() for test in tests]


def picture(reports: list[dict]) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "sterna"  # the same picture for the same numbers
    figure, (decode, prefill) = pyplot.subplots(1, 2, figsize=(11, 4.2))
    most = max(map(int, reports[0]["threads"]))
    names, ours, theirs = [], [], []
    sizes = []
    for report in reports:
        results = report["threads"][str(most)]
        name = model_of(report)
        for engine, marker, color in (("sterna", "o", "tab:blue"), ("llama.cpp", "s", "tab:gray")):
            if engine not in results:
                continue
            gigabytes = results[engine].get("bytes_per_token", report["engines"][engine]["model_bytes"]) / 1e9
            for test in results[engine]["seconds"]:
                if test.startswith("tg") and len(test.split()) == 2:
                    decode.plot(gigabytes, rate(results[engine], test), marker, color=color, label=engine)
                    sizes.append(gigabytes)
                    if engine == "sterna":
                        decode.annotate(name, (gigabytes, rate(results[engine], test)), fontsize=7)
        for test in results["sterna"]["seconds"]:
            if test == "pp 512" and "llama.cpp" in results:
                names.append(name)
                ours.append(rate(results["sterna"], test))
                theirs.append(rate(results["llama.cpp"], test))
    span = [min(sizes) * 0.8, max(sizes) * 1.25]
    for bandwidth in (10, 20, 40):
        decode.plot(span, [bandwidth / s for s in span], "--", color="lightgray", zorder=0)
        decode.annotate(f"{bandwidth} GB/s", (span[0], bandwidth / span[0]), fontsize=7, color="gray")
    handles, labels = decode.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    decode.legend(unique.values(), unique.keys())
    decode.set(
        xscale="log",
        yscale="log",
        xlabel="gigabytes read per token",
        ylabel="tokens per second",
        title=f"generation, {most} threads",
    )
    for axis, ticks in ((decode.xaxis, (0.1, 0.2, 0.5, 1, 2, 4)), (decode.yaxis, (5, 10, 20, 50, 100, 200))):
        axis.set_ticks(ticks, labels=map(str, ticks))
        axis.set_ticks([], minor=True)
    decode.set_xlim(span)
    places = range(len(names))
    prefill.barh([p + 0.2 for p in places], ours, 0.4, color="tab:blue", label="Sterna")
    prefill.barh([p - 0.2 for p in places], theirs, 0.4, color="tab:gray", label="llama.cpp")
    prefill.set(
        yticks=list(places),
        yticklabels=names,
        xlabel="tokens per second",
        title=f"prompt of 512, {most} threads",
    )
    prefill.legend()
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


def file_types() -> str:
    """The newest results of quality/file_types.py, by model and KV type."""
    newest = {}
    for path in sorted(RESULTS.glob("*.json")):
        report = json.loads(path.read_text())
        if "types" in report:
            newest[report["model"], report["kv_type"]] = report
    parts = [
        f"**{model}**, {r['tokens']} tokens, KV cache {kv}:\n\n{type_table.table(r)}"
        for (model, kv), r in sorted(newest.items())
    ]
    return type_table.EXPLANATION + "\n" + "\n".join(parts)


def pages() -> dict[Path, str]:
    """The pages with figures, as they are to be."""
    reports = load()
    image = f"![tokens per second of Sterna and llama.cpp]({PICTURE.name})\n\n"
    figures = {
        ROOT / "README.md": {"performance": tables([r for r in reports if model_of(r) in MAIN], main_rows)},
        RESULTS / "README.md": {
            "performance": image + tables(reports, rows),
            "file types": file_types(),
        },
    }
    made = {}
    for page, sections in figures.items():
        made[page] = page.read_text()
        for name, text in sections.items():
            begin, end = SECTIONS[name]
            before, rest = made[page].split(begin)
            made[page] = before + begin + text + end + rest.split(end)[1]
    return made


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        for page, text in pages().items():
            page.write_text(text)
    elif sys.argv[1:] == ["--picture"]:
        picture(load())
    else:
        reports = load()
        print(tables(reports, rows), end="")


if __name__ == "__main__":
    main()
