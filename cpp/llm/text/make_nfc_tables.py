"""Writes nfc_tables.inc: what composing characters (Unicode NFC) needs to know, as sorted tables.

Uses the package unicodedata2 (newer Unicode than Python's own) where it is installed.
Run in this folder: python make_nfc_tables.py > nfc_tables.inc
"""

import textwrap

try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata

EVERY = range(0x110000)
HANGUL = range(0xAC00, 0xD7A4)  # Composed by arithmetic, not by table.
# Vowels and finals of the alphabet that Hangul syllables are composed of.
HANGUL_PARTS = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


def table(comment, name, values, kind="uint32_t"):
    text = textwrap.fill(
        " ".join(f"0x{v:X}," for v in values), 110, initial_indent="    ", subsequent_indent="    "
    )
    print(f"\n// {comment}\nconstexpr {kind} {name}[] = {{\n{text}\n}};")


def runs(value_of):
    """(first code point, value) of each run of equal values."""
    last = 0
    for code in EVERY:
        if (value := value_of(code)) != last:
            yield code, value
            last = value


def main():
    one_step = {}
    for code in EVERY:
        parts = unicodedata.decomposition(chr(code)).split()
        if parts and not parts[0].startswith("<") and code not in HANGUL:
            one_step[code] = [int(part, 16) for part in parts]
    composed = {}
    for code, parts in one_step.items():
        if len(parts) == 2 and unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(code):
            composed[tuple(parts)] = code
    combines = {second for _, second in composed} | HANGUL_PARTS

    def unstable(code):
        char = chr(code)
        return bool(
            code in combines or unicodedata.combining(char) or unicodedata.normalize("NFC", char) != char
        )

    singles = {code: parts for code, parts in one_step.items() if len(parts) == 1}
    pairs = {code: parts for code, parts in one_step.items() if len(parts) == 2}
    order = list(pairs)

    print("// The tables of nfc.cpp.")
    print(f"// Written by make_nfc_tables.py from Unicode {unicodedata.unidata_version}; do not edit.")
    table(
        "First code point of each range, shifted left by 1, plus whether its characters may change or combine.",
        "kUnstableRanges",
        [code << 1 | value for code, value in runs(unstable)],
    )
    table(
        "First code point of each range, shifted left by 8, plus its Canonical_Combining_Class.",
        "kClassRanges",
        [code << 8 | value for code, value in runs(lambda code: unicodedata.combining(chr(code)))],
    )
    table(
        "Two each, sorted: a character and the one that always stands for it.",
        "kSingles",
        [value for code, (only,) in singles.items() for value in (code, only)],
    )
    table(
        "Three each, sorted: a character and the two that it decomposes into.",
        "kPairs",
        [value for code, (first, second) in pairs.items() for value in (code, first, second)],
    )
    table(
        "Which threes of kPairs are composed again, sorted by their two parts.",
        "kCompositions",
        [order.index(code) for _, code in sorted(composed.items())],
        "uint16_t",
    )


main()
