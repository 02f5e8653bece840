"""Writes nfc.txt: texts and their Unicode normalization form C, by Python's unicodedata.

Each line: the text, a tab, its NFC; both in code points, hexadecimal, with spaces between them. Characters are older
than Unicode 14, so that newer versions agree. Run in this folder: python make_nfc.py > nfc.txt
Arguments, for a longer comparison: number of random texts, seed.
"""

import random
import sys
import unicodedata

ASSIGNED = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs")]
DECOMPOSE = [c for c in ASSIGNED if unicodedata.normalize("NFD", c) != c]
MARKS = [c for c in ASSIGNED if unicodedata.combining(c)]
HANGUL = [
    chr(c) for c in (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3), 0xAC00, 0xAC01)
]
TEXTS = [
    "cafe\u0301", "caf\u00e9", "e\u0301\u0323", "e\u0323\u0301", "a\u0315\u0300\u05ae\u0062", "\u0344", "\u212b",
    "\u1100\u1161\u11a8", "\uac00\u11a8", "\u1100\u1161\u11a7", "\uac01\u11a8", "\u1100\u0300\u1161", "\u0958",
    "\u0915\u093c", "\u2adc", "\u1d15f", "\U0001d15e", "\uf900", "\u0301", "\u0301e", "\u0340\u0341", "a\u0327\u0301\u0302",
    ">\u0338", "q\u0307\u0323", "\u1e0b\u0323", "\u0b47\u0300\u0b3e", "\u09c7\u09be", "e\u200d\u0301", "\u03b1\u0345\u0301",
]  # fmt: skip


def random_text(rng):
    pools = [MARKS, MARKS, DECOMPOSE, HANGUL, list("aeioucnAEO\u03b1 "), ASSIGNED]
    text = "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 7)))
    return unicodedata.normalize("NFD", text) if rng.random() < 0.3 else text


def points(text):
    return " ".join(f"{ord(c):X}" for c in text)


def main():
    count, seed = (int(a) for a in (sys.argv[1:] + ["400", "1"][len(sys.argv) - 1 :]))
    rng = random.Random(seed)
    apart = [unicodedata.normalize("NFD", c) for c in rng.sample(DECOMPOSE, 200)]
    texts = TEXTS + apart + [random_text(rng) for _ in range(count)]
    for text in texts:
        print(f"{points(text)}\t{points(unicodedata.normalize('NFC', text))}")


main()
