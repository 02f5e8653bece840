// Normalization form C by the Unicode standard (section 3.11), stretch by stretch: most text holds nothing
// that could change, and a stretch that could begins and ends where no character has to do with its
// neighbour.
#include "llm/text/nfc.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "llm/text/unicode.h"

namespace sterna::text {
namespace {
#include "llm/text/nfc_tables.inc"

constexpr char32_t kFirstUnstable = 0x300;
// Hangul syllables are composed by arithmetic: a leading consonant, a vowel, perhaps a final.
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kFinals = 0x11A7;
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kFinalCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kFinalCount;

/// The value, in the lowest `bits`, of the range that `code` lies in; 0 before the first.
template <size_t n>
uint32_t in_ranges(const uint32_t (&ranges)[n], char32_t code, int bits) {
  const uint32_t mask = (1u << bits) - 1;
  const uint32_t* after =
      std::upper_bound(std::begin(ranges), std::end(ranges), static_cast<uint32_t>(code) << bits | mask);
  return after == std::begin(ranges) ? 0 : *(after - 1) & mask;
}

/// The row of a table of `width` columns, sorted by the first, that begins with `code`; null if there is
/// none.
template <size_t width, size_t n>
const uint32_t* row_of(const uint32_t (&table)[n], char32_t code) {
  size_t low = 0, high = n / width;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    table[width * middle] < code ? low = middle + 1 : high = middle;
  }
  return low < n / width && table[width * low] == code ? table + width * low : nullptr;
}

/// May change, or combine with what stands before it. All others begin something new.
bool unstable(char32_t code) { return code >= kFirstUnstable && in_ranges(kUnstableRanges, code, 1) != 0; }

struct Char {
  char32_t code;
  uint8_t combining_class;
};

class Composer {
 public:
  /// Appends the composed form of `text`, which is UTF-8.
  void compose(std::string_view text, std::string& out) {
    chars_.clear();
    for (size_t at = 0; at < text.size();) {
      const Utf8Char c = decode_utf8(text.substr(at));
      decompose(c.code);
      at += c.size;
    }
    sort_marks();
    size_t size = 0, starter = SIZE_MAX;
    for (const Char c : chars_) {
      // What stands between blocks: another starter, or a mark of the same class or a higher one.
      const bool reaches = starter != SIZE_MAX &&
                           (starter + 1 == size || chars_[size - 1].combining_class < c.combining_class);
      const char32_t both = reaches ? pair(chars_[starter].code, c.code) : 0;
      if (both != 0) {
        chars_[starter].code = both;
        continue;
      }
      if (c.combining_class == 0) starter = size;
      chars_[size++] = c;
    }
    for (size_t i = 0; i < size; ++i) append_utf8(out, chars_[i].code);
  }

 private:
  void decompose(char32_t code) {
    if (code >= kSyllables && code < kSyllables + kSyllableCount) {
      const char32_t syllable = code - kSyllables, final = syllable % kFinalCount;
      chars_.push_back({kLeads + syllable / (kVowelCount * kFinalCount), 0});
      chars_.push_back({kVowels + syllable / kFinalCount % kVowelCount, 0});
      if (final != 0) chars_.push_back({kFinals + final, 0});
      return;
    }
    // Decompositions are a few steps deep: what a character becomes may decompose further.
    if (const uint32_t* two = row_of<2>(kSingles, code)) return decompose(two[1]);
    if (const uint32_t* three = row_of<3>(kPairs, code)) {
      decompose(three[1]);
      return decompose(three[2]);
    }
    chars_.push_back({code, static_cast<uint8_t>(in_ranges(kClassRanges, code, 8))});
  }

  /// Marks in the order of their classes, equal ones as they stood.
  void sort_marks() {
    for (auto begin = chars_.begin(); begin != chars_.end();) {
      if (begin->combining_class == 0) {
        ++begin;
        continue;
      }
      const auto end = std::find_if(begin, chars_.end(), [](Char c) { return c.combining_class == 0; });
      std::stable_sort(begin, end, [](Char a, Char b) { return a.combining_class < b.combining_class; });
      begin = end;
    }
  }

  /// The character that two compose to; 0 if there is none.
  static char32_t pair(char32_t first, char32_t second) {
    if (first - kLeads < kLeadCount && second - kVowels < kVowelCount)
      return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kFinalCount;
    const bool open = first - kSyllables < kSyllableCount && (first - kSyllables) % kFinalCount == 0;
    if (open && second - kFinals - 1 < kFinalCount - 1) return first + (second - kFinals);
    const auto* at =
        std::lower_bound(std::begin(kCompositions), std::end(kCompositions), 0, [&](uint16_t three, int) {
          const uint32_t* parts = kPairs + 3 * size_t{three} + 1;
          return parts[0] != first ? parts[0] < first : parts[1] < second;
        });
    if (at == std::end(kCompositions)) return 0;
    const uint32_t* three = kPairs + 3 * size_t{*at};
    return three[1] == first && three[2] == second ? three[0] : 0;
  }

  std::vector<Char> chars_;
};

/// Where the first unstable character at or after `from` begins; the text's size if there is none. `last`:
/// where the character before it begins, or `from`; past an invalid byte, where that ends.
size_t find_unstable(std::string_view text, size_t from, size_t& last) {
  last = from;
  for (size_t at = from; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0xCC) {  // Below U+0300, or the rest of an invalid character.
      const bool invalid = static_cast<uint8_t>(text[at]) >= 0x80;
      const Utf8Char c = invalid ? decode_utf8(text.substr(at)) : Utf8Char{0, 1, true, false};
      last = c.valid ? at : at + c.size;
      at += c.size;
      continue;
    }
    const Utf8Char c = decode_utf8(text.substr(at));
    if (c.valid && unstable(c.code)) return at;
    last = c.valid ? at : at + c.size;
    at += c.size;
  }
  return text.size();
}

}  // namespace

bool is_nfc(std::string_view text) {
  size_t last;
  return find_unstable(text, 0, last) == text.size();
}

std::string nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  Composer composer;
  for (size_t from = 0; from < text.size();) {
    size_t begin;
    size_t end = find_unstable(text, from, begin);
    if (end == text.size()) return out.append(text.substr(from));
    out.append(text.substr(from, begin - from));
    while (end < text.size()) {
      const Utf8Char c = decode_utf8(text.substr(end));
      if (!c.valid || !unstable(c.code)) break;
      end += c.size;
    }
    composer.compose(text.substr(begin, end - begin), out);
    from = end;
  }
  return out;
}

}  // namespace sterna::text
