#!/usr/bin/env python3
"""The table of a microbenchmark: each kernel beside the limits of the machine, measured in the same run.

    sterna-bench-kernels --filter limit/,w2_row,t5_row --shapes bench/shapes/bitnet_2b.txt \
        --tokens 1,2,4,8,16,32,128,512 --cold-mb 400 --json RESULT.json
    kernel_table.py RESULT.json > RESULT.md

One token is bound by memory, so its cell is a share of the best measured read rate; more tokens are bound by the
instruction set's integer product, so theirs is a share of that product's measured peak.
"""

import json
import sys
from collections import defaultdict

PRODUCT_OF = {
    "avx512_vbmi": "avx512",
    "neon_i8mm": "neon_dotprod",
}  # sets that multiply with another's instruction


def main() -> None:
    with open(sys.argv[1]) as f:
        report = json.load(f)
    context = report["context"]
    rates = {b["name"]: b for b in report["benchmarks"]}
    reads = [b["gbytes_per_second"] for name, b in rates.items() if name.startswith("limit/read/")]
    peaks = {
        name.split("/")[2]: b["gmac_per_second"]
        for name, b in rates.items()
        if name.startswith("limit/") and not name.startswith("limit/read/")
    }
    if not reads:
        sys.exit(f"{sys.argv[1]} has no limits: run the benchmark with limit/ in --filter")
    rows: dict[tuple[str, str], dict[int, dict]] = defaultdict(dict)
    for name, b in rates.items():
        if name.startswith("qgemm/"):
            _, variant, kernel, shape, tokens = name.split("/")
            rows[f"{variant} {kernel}", shape][int(tokens)] = b
    tokens = sorted({n for cells in rows.values() for n in cells})

    print(f"# Kernels on {context['cpu']}, {context['date'][:10]}\n")
    print(f"* one thread, compiler {context['compiler']}, matrices cycled through {context['cold_mb']} MB")
    print(f"* read bandwidth, best of 1, 2, 4 and 8 streams: {max(reads):.1f} GB/s")
    for isa, peak in peaks.items():
        print(f"* integer products of {isa}: {peak:.0f} GMAC/s")
    print(
        "\nGMAC/s, and in brackets the share of the limit: of the read bandwidth for one token, else of the product.\n"
    )
    print(f"| kernel | matrix | {' | '.join(f'{n} tok.' for n in tokens)} |")
    print("|---" * (2 + len(tokens)) + "|")
    for (kernel, shape), cells in rows.items():
        isa = next((i for i in (*PRODUCT_OF, *peaks) if kernel.endswith(i)), "")  # after an algorithm's name
        peak = peaks.get(PRODUCT_OF.get(isa, isa))
        texts = []
        for n in tokens:
            if n not in cells:
                texts.append("")
                continue
            if n == 1:
                share = cells[n]["gbytes_per_second"] / max(reads)
            else:
                share = cells[n]["gmac_per_second"] / peak if peak else None
            texts.append(
                f"{cells[n]['gmac_per_second']:.0f}" + (f" ({share:.0%})" if share is not None else "")
            )
        print(f"| {kernel} | {shape} | {' | '.join(texts)} |")


if __name__ == "__main__":
    main()
