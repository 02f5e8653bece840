#!/usr/bin/env python3
"""The performance section of README.md, made from the end-to-end results in bench/results.

report.py RESULT.json...      # prints the table
report.py --write RESULT.json...   # puts it into README.md, and the picture beside the results (needs matplotlib)
"""

import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "bench/results/performance.svg"
BEGIN, END = "<!-- performance: bench/report.py --write -->\n", "<!-- end of performance -->"


def rate(result: dict, test: str) -> float:
    return int(test.split()[1]) / statistics.median(result["seconds"][test])


def model_of(report: dict) -> str:
    engine = report["engines"]["sterna"]
    only = engine["build"].removeprefix("STERNA_ISA=")
    return engine["model"].removesuffix(".gguf") + (f" (both {only})" if only else "")


def rows(reports: list[dict]) -> list[tuple[str, str, str, float, float | None]]:
    """(model, threads, test, Sterna's tokens/s, llama.cpp's)."""
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


def table(reports: list[dict]) -> str:
    machine = reports[0]["machine"]
    peer = reports[0]["engines"].get("llama.cpp", {"version": ""})
    reps = sorted({report["reps"] for report in reports})
    lines = [
        f"{machine['cpu']}, {machine['cpus']} CPUs, {reports[0]['date'][:10]}; tokens per second, medians of",
        f"{' to '.join(map(str, sorted({reps[0], reps[-1]})))} interleaved repetitions, against {peer['version']} built from source for the same",
        "CPU. pp: prompt tokens in one batch; tg: tokens one by one, all logits computed; gen: greedy generation, where",
        "Sterna screens the output matrix. Commands and every sample: [bench/results](bench/results).",
        "",
        "| model | threads | test | Sterna | llama.cpp | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for model, threads, test, ours, theirs in rows(reports):
        cells = f"{theirs:.1f} | {ours / theirs:.2f}" if theirs else "- | -"
        lines.append(f"| {model} | {threads} | {label(test)} | {ours:.1f} | {cells} |")
    return "\n".join(lines) + "\n"


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


def main() -> None:
    write = "--write" in sys.argv
    reports = [json.loads(Path(path).read_text()) for path in sys.argv[1:] if path != "--write"]
    text = table(reports)
    if not write:
        print(text, end="")
        return
    picture(reports)
    readme = (ROOT / "README.md").read_text()
    begin, end = readme.index(BEGIN) + len(BEGIN), readme.index(END)
    image = f"![tokens per second of Sterna and llama.cpp]({PICTURE.relative_to(ROOT)})\n\n"
    (ROOT / "README.md").write_text(readme[:begin] + image + text + readme[end:])


if __name__ == "__main__":
    main()
