"""Writes splits.txt: how the published pre-tokenizer patterns split difficult texts, by the package `regex`.

For each text: a line with the text, quoted, in Python's unicode_escape; then for one name of every pattern list a line
`name: byte lengths of the words`. Run in this folder: python make_splits.py > splits.txt
Arguments, for a longer comparison: number of random texts, seed.
"""

import random
import sys

import regex

C = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
U = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
W = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
G2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + REST
QWEN2 = C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + REST
QWEN35 = C + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + REST
OTHER = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|"
TEKKEN = rf"[^\r\n\p{{L}}\p{{N}}]?{U}*{W}+|[^\r\n\p{{L}}\p{{N}}]?{U}+{W}*|\p{{N}}|" + OTHER + REST
GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{U}*{W}+{C}?|[^\r\n\p{{L}}\p{{N}}]?{U}+{W}*{C}?|\p{{N}}{{1,3}}|" + OTHER + REST
)
CJK1 = r"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+"
CJK2 = r"[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+"
DSPUN = r"\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+"
DS3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
    r" ?[\p{P}\p{S}]+[\r\n]*|" + REST
)
DEFP = r"[\p{P}\$\+<=>\^~\|]+"
FALP = r"[\p{P}\$\+<=>\^~\|`]+"
CASED = """41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1
3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A
1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC
1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134
2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787
A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2
118A0-118DF 1E900-1E943"""
LT = (
    "["
    + "".join("-".join(f"\\U{int(end, 16):08X}" for end in item.split("-")) for item in CASED.split())
    + "]"
)

FAMILIES = {
    "default": [DEFP, G2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "llama-bpe": [LLAMA3],
    "qwen2": [QWEN2],
    "qwen35": [QWEN35],
    "gpt-2": [G2],
    "starcoder": [r"\p{N}", G2],
    "falcon": [FALP, G2, "[0-9][0-9][0-9]"],
    "deepseek-llm": [r"[\r\n]", r"\s?" + LT + "+", DSPUN, r"\s+$", CJK1, r"\p{N}+"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK1, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", CJK2, DS3],
    "tekken": [TEKKEN],
    "gpt-4o": [GPT4O],
}

TEXTS = [
    "", " ", "  ", "\n", "\r\n", " \n ", "\t\t\n\n  \n", "a", "'", "''", "Hello, world!",
    "  leading and trailing  ", "I'm you're he'll she'd we've it's don't 'tis",
    "I'M YOU'RE HE'LL SHE'D WE'VE IT'S DON'T", "'ſ 'S 'lL 'rE 'Ve 'vE 're's",
    "'' 's'' 'llama 're 'rest 'r 'v 'l", "x'", "x'r", "x'l\n", "1 12 123 1234 12345 1234567890",
    "a1b22c333d4444", "٣٤٥٦ ①②③④ ⅣⅤⅥⅦ ½¾", "３４５６７", "3.14159e-10, 0xDEADBEEF; 1_000_000",
    "   a    b\n\n\n  c \n d", "a \n\n b\t\n\tc\r\n\r\nd", "trailing newline\n", "trailing spaces   ",
    "trailing mix \n \t", "\u00a0nbsp\u00a0\u00a0x\u3000全角　 y\u2028z\u2029\u0085w",
    "\x1c\x1d fs gs \x0b\x0c vt ff", "!!!???...,,,", "foo.bar(baz)[0] = {'k': \"v\"};  // comment\n",
    "a/b//c/\n/\n//\r\n///x", "$+<=>^~|` $x +y <z> `tick` ^_^", "Führer Äpfel Straße ÅÉÎõü",
    "cafe\u0301 e\u0301\u0302 \u0301start \u0301\u0302", "Ünï\u0308c\u0308ode",
    "HTTPServerError camelCase PascalCase XMLParser's SHOUTING'S", "ǅungla ǈ ǅ'S Ǆa ʰaʰAʰ ªº",
    "我想在apple工作1314151天～", "日本語のテキスト、カタカナとひらがな。ｶﾅ", "한국어 텍스트 입니다. 한1국2",
    "ภาษาไทย ไม่มีเว้นวรรค", "हिन्दी में लिखा हुआ पाठ", "العربية نَصٌّ مُشَكَّل ١٢٣", "עברית עם נִקּוּד",
    "Ελληνικά Ωμέγα ΣΊΣΥΦΟΣ ᾼ", "Русский Текст ЁЖ ёж", "🚀 (normal) 😶‍🌫️ (compound) ✅🦙👨‍👩‍👧‍👦 🇫🇷",
    "a🚀b 🚀c🚀🚀", "€5 £6 ¥7 ©®™ ∑∏√ ±×÷", "«quoted» “curly” ‘x’ — – … ‽",
    "\ufeffBOM \u200bzero\u200dwidth\u00adsoft", "\ue000private\U000f0000 \U0010ffff\ufffd",
    "\x00nul\x01\x02 \x7f", "oA OA aOa 中A A中 中Aa A中a Aa中Aa", "𝐀𝐁𝐚𝐛 𐐀𐐨 ᏣᎳᎩ ꭰ Ⴀა Აა",
    "＂Ｆｕｌｌ　ｗｉｄｔｈ＂！～１２", "  \n  \n\n   x   \n", " 中 文 ,、。 \u2019s x\u2019s",
    "\u0345\u0345a \u0345 1\u0345", "a" * 40 + " " * 20 + "1" * 20 + "\n" * 10 + "!" * 20,
]  # fmt: skip

ALPHABETS = [
    "aAzZ", "'sStTmMdD", "'lLrReEvV", " ", "  \t", "\n\r", "0123456789", "!?.,;:-_()[]{}/\\'\"#@&*%",
    "$+<=>^~|`", "éÉßſİıǅʰªº", "\u0301\u0308\u0345\u20dd\u093f", "中文工作", "ひらカタ", "한국어", "ไม่เ",
    "हिन्दी", "نصَّ", "ΑαΣςᾼ", "ЖжЁё", "½²Ⅳ①٣３", "🚀😀‍\ufe0f🇫", "€£∑√", "«»“”‘’—…、。，！～",
    "\u00a0\u3000\u2003\u0085\u2028", "\x00\x1c\x7f\u200b\ufeff\ue000\ufffd", "𝐀𝐚𐐀𐐨",
]  # fmt: skip


def random_text(rng):
    chosen = rng.sample(ALPHABETS, rng.randint(2, 7))
    return "".join(
        rng.choice(rng.choice(chosen)) * rng.choice([1, 1, 1, 1, 2, 3]) for _ in range(rng.randint(8, 40))
    )


def split(patterns, text):
    pieces = [text]
    for pattern in patterns:
        # By name, so that it is White_Space for certain; the replacements also serve inside [^...].
        pattern = pattern.replace(r"\s", r"\p{White_Space}").replace(r"\S", r"\P{White_Space}")
        cut = []
        for piece in pieces:
            end = 0
            for match in regex.finditer(pattern, piece):
                cut += [piece[end : match.start()], match.group()]
                end = match.end()
            cut.append(piece[end:])
        pieces = [piece for piece in cut if piece]
    assert "".join(pieces) == text
    return pieces


def main():
    n_random, seed = (int(value) for value in (sys.argv[1:] + ["24", "1"][len(sys.argv) - 1 :]))
    rng = random.Random(seed)
    for text in TEXTS + [random_text(rng) for _ in range(n_random)]:
        print(f'"{text.encode("unicode_escape").decode()}"')
        for name, patterns in FAMILIES.items():
            print(f"{name}:", *(len(word.encode()) for word in split(patterns, text)))


main()
