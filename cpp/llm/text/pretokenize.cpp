// Matching the pre-tokenizer shapes and splitting text by them.
#include "llm/text/pretokenize.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "llm/text/unicode.h"

namespace sterna::text {
namespace {

struct Range {
  char32_t first, last;
};

// The letters of the deepseek-llm pattern: an explicit list of its authors, close to "cased letters" of an
// older Unicode.
constexpr Range kCasedRanges[] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
    {0x376, 0x376},     {0x377, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},
    {0x388, 0x38A},     {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},
    {0x48A, 0x52F},     {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},
    {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},
    {0x1F59, 0x1F59},   {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC},   {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},
    {0x2107, 0x2107},   {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},
    {0x2126, 0x2126},   {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},
    {0x213C, 0x213F},   {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2183},   {0x2184, 0x2184},
    {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF2},   {0x2CF3, 0x2CF3},
    {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},
    {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2},
    {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};
constexpr Range kCjkOrOldRanges[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
constexpr Range kCjkOrKanaRanges[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
constexpr Range kWideMarkRanges[] = {{0x21, 0x2F},     {0x3A, 0x7E},     {0x2018, 0x201F},
                                     {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};

template <size_t n>
bool in(const Range (&ranges)[n], char32_t code) {
  const Range* after = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                        [](char32_t c, const Range& range) { return c < range.first; });
  return after != std::begin(ranges) && code <= (after - 1)->last;
}

uint32_t find_bits(char32_t code) {
  // By Category: kOther, kUpper, kLower, kOtherLetter, kMark, kNumber, kPunctuation, kSymbol.
  constexpr uint32_t kOfCategory[] = {0, kUpper, kLower, kOtherLetter, kMark, kNumber, kPunctuation, kSymbol};
  uint32_t bits = kOfCategory[static_cast<size_t>(category(code))];
  if (is_white_space(code)) bits |= kWhite;
  if (in(kCasedRanges, code)) bits |= kCased;
  if (in(kCjkOrOldRanges, code)) bits |= kCjkOrOld;
  if (in(kCjkOrKanaRanges, code)) bits |= kCjkOrKana;
  if (in(kWideMarkRanges, code)) bits |= kWideMark;
  if (code >= 0x80) return bits;

  if (bits & kLetter) bits |= kAsciiLetter;
  if (bits & kNumber) bits |= kDigit;
  if (bits & (kPunctuation | kSymbol)) bits |= kAsciiMark;
  switch (code) {
    case ' ':
      return bits | kSpace;
    case '/':
      return bits | kSlash;
    case '`':
      return bits | kBacktick;
    case '\r':
    case '\n':
      return bits | kLineEnd;
    case '$':
    case '+':
    case '<':
    case '=':
    case '>':
    case '^':
    case '~':
    case '|':
      return bits | kMathMark;
    default:
      return bits;
  }
}

uint32_t bits_of(char32_t code) {
  static const auto ascii = [] {
    std::array<uint32_t, 128> bits;
    for (char32_t c = 0; c < bits.size(); ++c) bits[c] = find_bits(c);
    return bits;
  }();
  return code < ascii.size() ? ascii[code] : find_bits(code);
}

struct Char {
  size_t begin;  ///< In bytes.
  uint32_t bits;
};

/// Matches alternatives at character positions of a text. Each member returns the end of the match, or its
/// start if there is none (no pattern of the table can match the empty text).
class Matcher {
 public:
  explicit Matcher(std::string_view text) : text_(text) {
    chars_.reserve(text.size() + 1);
    for (size_t at = 0; at < text.size();) {
      const Utf8Char c = decode_utf8(text.substr(at));
      chars_.push_back({at, bits_of(c.code)});
      at += c.size;
    }
    chars_.push_back({text.size(), 0});
  }

  size_t size() const { return chars_.size() - 1; }
  size_t byte(size_t at) const { return chars_[at].begin; }

  /// The first alternative that matches at `at`, within the piece [begin, end).
  size_t match(Rule rule, size_t begin, size_t at, size_t end) const {
    for (const Alternative& a : rule) {
      if (const size_t to = match(a, begin, at, end); to > at) return to;
    }
    return at;
  }

 private:
  bool is(CharClass c, size_t at) const { return c.has(chars_[at].bits); }

  size_t skip(CharClass c, size_t at, size_t end) const {
    while (at < end && is(c, at)) ++at;
    return at;
  }

  size_t match(const Alternative& a, size_t begin, size_t at, size_t end) const {
    switch (a.shape) {
      case Alternative::kRun: {
        const size_t to = prefixed_run(a, at, end);
        return to > at ? to : run(a, at, at, end);
      }
      case Alternative::kPrefixedRun:
        return prefixed_run(a, at, end);
      case Alternative::kCasedRun:
      case Alternative::kCasedRunC:
        return cased_run(a, at, end);
      case Alternative::kContraction:
        return contraction(at, end, false);
      case Alternative::kContractionAny:
        return contraction(at, end, true);
      case Alternative::kToLineEnd:
        return to_line_end(at, end);
      case Alternative::kSpaces:
        return spaces(at, end);
      case Alternative::kFinalSpaces:
        return final_spaces(begin, at, end);
    }
    return at;
  }

  /// body{min,max}tail* from `from`; `none` is returned if there is no match.
  size_t run(const Alternative& a, size_t none, size_t from, size_t end) const {
    const size_t to = skip(a.body, from, a.max < end - from ? from + a.max : end);
    return to - from < a.min ? none : skip(a.tail, to, end);
  }

  size_t prefixed_run(const Alternative& a, size_t at, size_t end) const {
    return is(a.prefix, at) ? run(a, at, at + 1, end) : at;
  }

  size_t cased_run(const Alternative& a, size_t at, size_t end) const {
    const bool contractions = a.shape == Alternative::kCasedRunC;
    for (const auto word : {&Matcher::lower_ending, &Matcher::upper_start}) {
      size_t to = at;
      if (is(a.prefix, at)) to = (this->*word)(at + 1, end, at);
      if (to == at) to = (this->*word)(at, end, at);
      if (to > at) return contractions ? contraction(to, end, true) : to;
    }
    return at;
  }

  static constexpr CharClass kU = {kUpper | kOtherLetter | kMark};
  static constexpr CharClass kW = {kLower | kOtherLetter | kMark};

  /// U*W+. Without a lower-case letter after the U's, the last of them that is also a W has to serve as W+.
  size_t lower_ending(size_t from, size_t end, size_t none) const {
    const size_t upper_end = skip(kU, from, end);
    const size_t lower_end = skip(kW, upper_end, end);
    if (lower_end > upper_end) return lower_end;
    for (size_t at = upper_end; at > from; --at) {
      if (is(kW, at - 1)) return at;
    }
    return none;
  }

  /// U+W*
  size_t upper_start(size_t from, size_t end, size_t none) const {
    const size_t upper_end = skip(kU, from, end);
    return upper_end == from ? none : skip(kW, upper_end, end);
  }

  /// C, of which no alternative is the start of another. (?i) also takes U+017F, long s, for s, as Unicode
  /// folds case.
  size_t contraction(size_t at, size_t end, bool any_case) const {
    if (at == end || text_[byte(at)] != '\'') return at;
    const auto letter = [&](size_t i) -> char {
      if (i >= end) return 0;
      const std::string_view c = text_.substr(byte(i), byte(i + 1) - byte(i));
      if (any_case && c == "\xC5\xBF") return 's';
      if (c.size() > 1) return 0;
      return any_case && c[0] >= 'A' && c[0] <= 'Z' ? static_cast<char>(c[0] - 'A' + 'a') : c[0];
    };
    const char first = letter(at + 1), second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    const bool two =
        (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
    return two ? at + 3 : at;
  }

  /// \s*[\r\n]+: up to the last line end of the white space.
  size_t to_line_end(size_t at, size_t end) const {
    size_t to = skip({kWhite}, at, end);
    while (to > at && !is({kLineEnd}, to - 1)) --to;
    return to;
  }

  /// \s+(?!\S)|\s+: leaves the last white space before a word to the word, unless it is the only one.
  size_t spaces(size_t at, size_t end) const {
    const size_t to = skip({kWhite}, at, end);
    return to < end && to - at > 1 ? to - 1 : to;
  }

  /// \s+$. Inside a run it cannot match, or it would have at the run's start: not looking there keeps the
  /// search linear.
  size_t final_spaces(size_t begin, size_t at, size_t end) const {
    if (at > begin && is({kWhite}, at - 1)) return at;
    return skip({kWhite}, at, end) == end ? end : at;
  }

  std::string_view text_;
  std::vector<Char> chars_;  ///< And one more for the end.
};

/// Cuts the pieces that end at `ends` (the first starts at 0) into the matches of `rule` and what lies
/// between them.
std::vector<size_t> split(const Matcher& matcher, Rule rule, const std::vector<size_t>& ends) {
  std::vector<size_t> cut;
  size_t begin = 0;
  for (const size_t end : ends) {
    size_t open = begin;  // Start of what no match has covered yet.
    for (size_t at = begin; at < end;) {
      const size_t to = matcher.match(rule, begin, at, end);
      if (to == at) {
        ++at;
        continue;
      }
      if (at > open) cut.push_back(at);
      cut.push_back(to);
      at = open = to;
    }
    if (open < end) cut.push_back(end);
    begin = end;
  }
  return cut;
}

}  // namespace

void pre_tokenize(const PreTokenizer& pre, std::string_view text, std::vector<std::string_view>& words) {
  words.clear();
  if (text.empty()) return;
  const Matcher matcher(text);
  std::vector<size_t> ends = {matcher.size()};
  for (const Rule rule : pre.rules) ends = split(matcher, rule, ends);
  size_t begin = 0;
  for (const size_t end : ends) {
    words.push_back(text.substr(matcher.byte(begin), matcher.byte(end) - matcher.byte(begin)));
    begin = end;
  }
}

}  // namespace sterna::text
