// UTF-8 decoding that is total on any bytes, and look-ups in the generated Unicode tables.
#include "llm/text/unicode.h"

#include <algorithm>
#include <iterator>

namespace sterna::text {
namespace {
#include "llm/text/unicode_tables.inc"
}  // namespace

Category category(char32_t code) {
  const uint32_t last_of_code = static_cast<uint32_t>(code) << 3 | 7;
  const uint32_t* after =
      std::upper_bound(std::begin(kCategoryRanges), std::end(kCategoryRanges), last_of_code);
  return static_cast<Category>(*(after - 1) & 7);
}

bool is_white_space(char32_t code) {
  return std::binary_search(std::begin(kWhiteSpace), std::end(kWhiteSpace), static_cast<uint32_t>(code));
}

Utf8Char decode_utf8(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return {kReplacement, 1, false, false};

  const uint8_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's bounds keep out overlong forms, surrogates and code points above U+10FFFF.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0x7F >> size);
  for (uint8_t i = 1; i < size; ++i) {
    if (i == bytes.size()) return {kReplacement, i, false, true};
    if (byte(i) < low || byte(i) > high) return {kReplacement, i, false, false};
    code = code << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code, size, true, false};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

}  // namespace sterna::text
