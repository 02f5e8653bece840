#!/usr/bin/env python3
"""What is supported, made from the lists that the program itself is built from: names in README.md, the table of formats
and instruction sets in cpp/formats/README.md.

support_table.py            # prints both
support_table.py --write    # puts them into their pages, between markers
"""

import re
import sys

from tree import ROOT

FLOATS = {"F32": 32, "F16": 16, "BF16": 16}


def read(path: str) -> str:
    return (ROOT / path).read_text()


def kernels_of(path: str) -> set[str]:
    """`family_variant` of each line of a list and of the lists that it includes."""
    text = read(path)
    found = {
        f"{family}_{variant}"
        for family, variant in re.findall(r"^STERNA_(?:TYPED_)?KERNEL(?:_AS)?\((\w+), (\w+)", text, re.M)
    }
    return found.union(
        *(kernels_of("cpp/" + name) for name in re.findall(r'^#include "([^"]+)"', text, re.M))
    )


def fields(text: str) -> dict[str, str]:
    """What designated initializers say: `.bits = 4, .fold = Fold::kRow`."""
    return dict(re.findall(r"\.(\w+) = (?:Fold::)?(\w+)", text))


def variant(spec: str) -> str:
    """The kernel that a CodeSpec is multiplied by: the entry of variants.inc that says the same."""
    of_spec = fields(spec)
    if "codebook" in of_spec:
        of_spec["codebook"] = str(2 * int(of_spec["zero"]) - 1)
    listed = re.findall(
        r"^STERNA_VARIANT\(qgemm, (\w+), (.*)\)$", read("cpp/kernels/contract/variants.inc"), re.M
    )
    typed = ("bits", "fold", "sub", "has_min", "codebook", "trits")
    (name,) = [n for n, entry in listed if fields(entry) == {k: of_spec[k] for k in typed if k in of_spec}]
    return f"qgemm_{name}"


def formats() -> list[tuple[str, float, str]]:
    """Name, bits per weight with scales, kernel; in the order of formats.inc."""
    source = {}
    for path in sorted((ROOT / "cpp/formats").glob("*.cpp")):
        text = path.read_text()
        for name in re.findall(r"const Format k(\w+) = ", text):
            source[name] = text
    rows = []
    for name in re.findall(r"^STERNA_FORMAT\((\w+)\)", read("cpp/formats/formats.inc"), re.M):
        if name in FLOATS:
            rows.append((name, FLOATS[name], f"fgemm_{name.lower()}"))
            continue
        elems, size = re.search(r"kElems = (\w+), kBytes = ([^;]+);", source[name]).groups()
        group = re.search(rf"k{name} = make_format<\w+<(\d+)>>", source[name])
        size = sum(eval_term(term, group) for term in size.split(" + "))
        spec = re.search(r"CodeSpec kSpec\{([^}]*)\}", source[name])[1]
        rows.append((name, 8 * size / int(group[1] if group else elems), variant(spec)))
    return rows


def eval_term(term: str, group: re.Match | None) -> int:
    """`18`, or `kGroup / 4` of a format template."""
    return int(group[1]) // int(term.removeprefix("kGroup / ")) if term.startswith("kGroup") else int(term)


def table() -> str:
    isas = re.findall(r'^STERNA_ISA_ENTRY\((\w+), "(.*)"\)', read("cpp/kernels/isas.inc"), re.M)
    lists = {isa: kernels_of(f"cpp/kernels/{isa}/kernels.inc") for isa, _ in isas}
    lines = ["| format | bits per weight | kernel | " + " | ".join(f"`{isa}`" for isa, _ in isas) + " |"]
    lines.append("|---|---:|---|" + ":-:|" * len(isas))
    for name, bits, kernel in formats():
        marks = ["yes" if kernel in lists[isa] else "next" for isa, _ in isas]
        lines.append(f"| {name} | {bits:g} | `{kernel}` | " + " | ".join(marks) + " |")
    needs = "; ".join(f"`{isa}` needs {what}" for isa, what in isas)
    lines += [
        "",
        f"Instruction sets, chosen at run time: {needs}. Where one says next, the next one does the work.",
    ]
    return "\n".join(lines) + "\n"


def names() -> str:
    models = re.findall(r'^STERNA_MODEL\("([^"]+)"', read("cpp/llm/models/models.inc"), re.M)
    isas = re.findall(r"^STERNA_ISA_ENTRY\((\w+)", read("cpp/kernels/isas.inc"), re.M)
    lines = [
        f"* Architectures (`general.architecture`): {', '.join(f'`{m}`' for m in models)}.",
        f"* Weight formats: {', '.join(name for name, _, _ in formats())}.",
        f"* Instruction sets, chosen at run time: {', '.join(f'`{isa}`' for isa in isas)}.",
    ]
    return "\n".join(lines) + "\n"


SECTIONS = {
    "README.md": (
        "<!-- supported: tests/rules/support_table.py --write -->\n",
        names,
        "<!-- end of supported -->",
    ),
    "cpp/formats/README.md": (
        "<!-- support table: tests/rules/support_table.py --write -->\n",
        table,
        "<!-- end of support table -->",
    ),
}


def current(page: str) -> str:
    """The page with what is supported today between its markers."""
    begin, make, end = SECTIONS[page]
    before, rest = read(page).split(begin)
    return before + begin + make() + end + rest.split(end)[1]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        for page in SECTIONS:
            (ROOT / page).write_text(current(page))
    else:
        print(names(), table(), sep="\n", end="")
