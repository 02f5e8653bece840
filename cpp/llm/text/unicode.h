// UTF-8 and the two Unicode properties that pre-tokenizers ask for: general category and White_Space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sterna::text {

/// General categories, as far as the known patterns tell them apart; the order is that of
/// make_unicode_tables.py.
enum class Category : uint8_t {
  kOther,        ///< Cc Cf Cn Co Cs Zs Zl Zp
  kUpper,        ///< Lu Lt
  kLower,        ///< Ll
  kOtherLetter,  ///< Lm Lo
  kMark,         ///< Mn Mc Me
  kNumber,       ///< Nd Nl No
  kPunctuation,  ///< Pc Pd Ps Pe Pi Pf Po
  kSymbol,       ///< Sm Sc Sk So
};

Category category(char32_t code);
bool is_white_space(char32_t code);

constexpr char32_t kReplacement = 0xFFFD;

/// One decoded character. What is not UTF-8 decodes to U+FFFD, over the longest start of a valid character
/// that is there (Unicode's "maximal subpart"), at least one byte: decoding always advances and covers every
/// byte once.
struct Utf8Char {
  char32_t code;
  uint8_t size;     ///< Bytes, 1 to 4.
  bool valid;       ///< The bytes are a character; false also where they only stand for U+FFFD.
  bool incomplete;  ///< Not valid, but more bytes after the end of the text could make it so.
};

/// The first character of `bytes`, which must not be empty.
Utf8Char decode_utf8(std::string_view bytes);
void append_utf8(std::string& out, char32_t code);

}  // namespace sterna::text
