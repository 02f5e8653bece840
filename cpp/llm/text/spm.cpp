// SentencePiece-style BPE: the whole text is one word, spaces are U+2581, and a pair joins if the result is a
// token, the one with the highest score first. Characters without a token are spelled in byte tokens, and so
// is U+2581 itself.
#include <algorithm>
#include <array>

#include "llm/text/encoder.h"
#include "llm/text/symbol_merger.h"
#include "llm/text/unicode.h"

namespace sterna::text {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string_view view(const std::string& text, size_t begin, size_t size) {
  return std::string_view(text).substr(begin, size);
}

class Spm final : public Encoder {
 public:
  explicit Spm(const Vocab& vocab) : vocab_(vocab) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::array<bool, 256> has_byte;
    for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      int32_t id = vocab.find(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
      if (id < 0) id = vocab.one_byte_ids[byte];
      byte_ids_[byte] = id < 0 ? vocab.unknown : id;
      has_byte[byte] = id >= 0;
    }
    spells_marks_ = std::all_of(kSpaceMark.begin(), kSpaceMark.end(),
                                [&](char c) { return has_byte[static_cast<uint8_t>(c)]; });
  }

  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    std::string word;
    word.reserve(text.size() + text.size() / 2 + kSpaceMark.size());
    SymbolMerger merger;
    const auto add = [&](std::string_view symbol) {
      merger.add(word.size(), symbol.size(), vocab_.find_plain(symbol));
      word += symbol;
    };
    if (vocab_.add_space_prefix) add(kSpaceMark);
    for (size_t at = 0; at < text.size();) {
      const std::string_view c = text.substr(at, decode_utf8(text.substr(at)).size);
      at += c.size();
      if (c == " ") {
        add(kSpaceMark);
      } else if (c == kSpaceMark && spells_marks_) {
        // Byte by byte, or it would come back as the space that it stands for in the vocabulary.
        for (size_t i = 0; i < c.size(); ++i) add(c.substr(i, 1));
      } else {
        add(c);
      }
    }
    merger.merge([&](const Symbol& left, const Symbol& right) -> Join {
      const int32_t id = vocab_.find_plain(view(word, left.begin, left.size + right.size));
      return {id < 0 ? 0.0 : -vocab_.scores[static_cast<size_t>(id)], id};
    });
    merger.for_each([&](const Symbol& symbol) {
      if (symbol.id >= 0) return ids.push_back(symbol.id);
      const std::string_view bytes = view(word, symbol.begin, symbol.size);
      for (const char c : bytes == kSpaceMark ? " " : bytes) {
        if (const int32_t id = byte_ids_[static_cast<uint8_t>(c)]; id >= 0) ids.push_back(id);
      }
    });
  }

  void append_bytes(std::string_view token, std::string& out) const override {
    for (size_t at = 0; at < token.size();) {
      if (token.substr(at).starts_with(kSpaceMark)) {
        out += ' ';
        at += kSpaceMark.size();
      } else {
        out += token[at++];
      }
    }
  }

 private:
  const Vocab& vocab_;
  std::array<int32_t, 256> byte_ids_;
  bool spells_marks_;  ///< There are tokens for the bytes of a U+2581 that stands in the text itself.
};

}  // namespace

std::unique_ptr<Encoder> make_spm(const Vocab& vocab) { return std::make_unique<Spm>(vocab); }

}  // namespace sterna::text
