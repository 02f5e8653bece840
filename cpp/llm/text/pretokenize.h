// Pre-tokenizers: cutting text into the words that byte-level BPE merges within. The published ones are lists
// of regular expressions; here each expression is a short list of shapes over character classes, matched
// without backtracking over the text, in linear time and constant stack. What the list is for each name:
// pretokenize_table.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sterna::text {

/// What a pattern can ask about a character; a character has several.
enum CharBits : uint32_t {
  kUpper = 1u << 0,         ///< \p{Lu} \p{Lt}
  kLower = 1u << 1,         ///< \p{Ll}
  kOtherLetter = 1u << 2,   ///< \p{Lm} \p{Lo}
  kMark = 1u << 3,          ///< \p{M}
  kNumber = 1u << 4,        ///< \p{N}
  kPunctuation = 1u << 5,   ///< \p{P}
  kSymbol = 1u << 6,        ///< \p{S}
  kWhite = 1u << 7,         ///< \s
  kLineEnd = 1u << 8,       ///< [\r\n]
  kSpace = 1u << 9,         ///< U+0020
  kSlash = 1u << 10,        ///< "/"
  kBacktick = 1u << 11,     ///< "`"
  kDigit = 1u << 12,        ///< [0-9]
  kAsciiLetter = 1u << 13,  ///< [A-Za-z]
  kAsciiMark = 1u << 14,    ///< ASCII \p{P} or \p{S}
  kMathMark = 1u << 15,     ///< [$+<=>^~|]
  kCjkOrOld = 1u << 16,     ///< [\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]
  kCjkOrKana = 1u << 17,    ///< [\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]
  kCased = 1u << 18,        ///< The letters of deepseek-llm, listed there.
  kWideMark = 1u << 19,     ///< [!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]
  kLetter = kUpper | kLower | kOtherLetter,
};

/// A set of characters: those with any bit of `bits`, or, negated, all others. The default is the empty set.
struct CharClass {
  uint32_t bits = 0;
  bool negated = false;
  bool has(uint32_t char_bits) const { return ((char_bits & bits) != 0) != negated; }
};

/// One alternative of a regular expression; C is (?i:'s|'t|'re|'ve|'m|'ll|'d).
struct Alternative {
  enum Shape : uint8_t {
    kRun,          ///< prefix?body{min,max}tail*
    kPrefixedRun,  ///< prefix body{min,max}tail*
    kCasedRun,   ///< prefix?U*W+ | prefix?U+W* with U = upper, other letter or mark; W = lower, other letter
                 ///< or mark
    kCasedRunC,  ///< prefix?U*W+C? | prefix?U+W*C?
    kContraction,     ///< C without (?i:)
    kContractionAny,  ///< C
    kToLineEnd,       ///< \s*[\r\n]+
    kSpaces,          ///< \s+(?!\S)|\s+
    kFinalSpaces,     ///< \s+$
  };
  Shape shape = kRun;
  CharClass body = {}, prefix = {}, tail = {};
  size_t min = 1, max = SIZE_MAX;
};

/// One regular expression: its alternatives, tried in order.
using Rule = std::span<const Alternative>;

struct PreTokenizer {
  std::string_view names;      ///< Values of tokenizer.ggml.pre, separated by spaces.
  std::vector<Rule> rules;     ///< Applied one after the other, each to the pieces that the one before left.
  bool ignore_merges = false;  ///< A word that is a token is taken whole, without merging.
  bool add_bos = false;        ///< Unless the file says otherwise.
  bool nfc = false;            ///< Text is composed (Unicode NFC) first, as the publisher's tokenizer does.
};

/// Null if `name` is not known.
const PreTokenizer* find_pre_tokenizer(std::string_view name);
/// All known names, for messages.
std::string pre_tokenizer_names();

/// Replaces `words` by the words of `text`, in order; together they are `text`. Bytes that are not UTF-8
/// count as U+FFFD.
void pre_tokenize(const PreTokenizer& pre, std::string_view text, std::vector<std::string_view>& words);

}  // namespace sterna::text
