"""Writes unicode_tables.inc: general categories and White_Space of every code point, as sorted ranges.

Uses the package unicodedata2 (newer Unicode than Python's own) where it is installed.
Run in this folder: python make_unicode_tables.py > unicode_tables.inc
"""

try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata

# The order of sterna::text::Category in unicode.h.
GROUPS = ["", "Lu Lt", "Ll", "Lm Lo", "Mn Mc Me", "Nd Nl No", "Pc Pd Ps Pe Pi Pf Po", "Sm Sc Sk So"]
CATEGORY = {name: index for index, group in enumerate(GROUPS) for name in group.split()}


def rows(values, per_row):
    texts = [f"0x{value:X}," for value in values]
    return "\n".join("    " + " ".join(texts[i : i + per_row]) for i in range(0, len(texts), per_row))


def main():
    starts, last = [], None
    for code in range(0x110000):
        category = CATEGORY.get(unicodedata.category(chr(code)), 0)
        if category != last:
            starts.append(code << 3 | category)
            last = category
    # str.isspace() is White_Space plus the four separators U+001C to U+001F.
    spaces = [code for code in range(0x110000) if chr(code).isspace() and not 0x1C <= code <= 0x1F]
    assert len(spaces) == 25
    print(f"// Written by make_unicode_tables.py from Unicode {unicodedata.unidata_version}; do not edit.")
    print("\n// First code point of each range, shifted left by 3, plus its Category.")
    print(f"constexpr uint32_t kCategoryRanges[] = {{\n{rows(starts, 11)}\n}};")
    print(f"\nconstexpr uint32_t kWhiteSpace[] = {{\n{rows(spaces, 13)}\n}};")


main()
