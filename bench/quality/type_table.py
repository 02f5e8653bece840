"""The table of what file_types.py measured: how far Sterna and llama.cpp are from exact arithmetic."""

EXPLANATION = """\
rms: root mean square of what logits are off float64, in percent of that of the logits themselves (each row less its
mean). Greedy texts, of 64 tokens: how many are equal in both programs; of the earliest difference the place, how far
apart float64 has the two tokens, and whose it takes.
"""


def cells(name: str, row: dict) -> list[str]:
    """A row of the table."""
    r, p = row["rms"], row["perplexity"]
    differing = [(d["at"], d) for d in row["greedy"] if d]
    greedy = f"{len(row['greedy']) - len(differing)} of {len(row['greedy'])}"
    if differing:
        first = min(differing, key=lambda d: d[0])[1]
        greedy += f"; {first['at']}, gap {first['gap']:.3f}, exact: {first['exact_is']}"
    kinds = ", ".join(f"{kind} {n}" for kind, n in row["tensors"].items())
    return [
        name,
        kinds,
        f"{100 * r['sterna']:.3f} | {100 * r['llama.cpp']:.3f} | {r['sterna'] / r['llama.cpp']:.2f}",
        " | ".join(f"{p[program]:.3f}" for program in ("exact", "sterna", "llama.cpp")),
        greedy,
    ]


def table(report: dict) -> str:
    lines = [
        "| type | matrices | rms, Sterna | llama.cpp | ratio | perplexity, exact | Sterna | llama.cpp | greedy texts |",
        "|---" * 9 + "|",
    ]
    lines += ["| " + " | ".join(cells(name, row)) + " |" for name, row in report["types"].items()]
    return "\n".join(lines) + "\n"


def markdown(report: dict) -> str:
    lines = [f"# File types of {report['model']}, {report['date']}", ""]
    lines += [f"* {key}: {value}" for key, value in (report["machine"] | report["versions"]).items()]
    lines += [f"* command: `{report['command']}`"]
    lines += [f"* {report['tokens']} tokens of a text, KV cache {report['kv_type']}", "", EXPLANATION]
    return "\n".join(lines) + "\n" + table(report)
