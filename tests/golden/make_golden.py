#!/usr/bin/env python3
"""Records what the packaged model says, for `sterna selftest`: writes python/sterna/data/golden.json.

Run it only when a change of the arithmetic or of the model is meant. Every instruction set of this machine
must agree before anything is written.
"""

import json
from pathlib import Path

import sterna
from sterna.golden import golden_record

OUT = Path(__file__).resolve().parents[2] / "python" / "sterna" / "data" / "golden.json"


def main() -> None:
    records = {}
    for isa in sterna.isas():
        if isa.supported:
            sterna.force_isa(isa.name)
            records[isa.name] = golden_record()
    for name, record in records.items():
        if record != records["scalar"]:
            raise SystemExit(f"{name} differs from scalar: nothing written")
    OUT.write_text(json.dumps(records["scalar"], indent=1, ensure_ascii=False) + "\n")
    print(f"{OUT}: agreed by {', '.join(records)}")


if __name__ == "__main__":
    main()
