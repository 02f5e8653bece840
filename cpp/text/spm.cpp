// SentencePiece-style BPE: the whole text is one word, spaces are U+2581, and a pair joins if the result is a
// token, the one with the highest score first. Characters without a token are spelled in byte tokens.
#include <array>

#include "text/encoder.h"
#include "text/symbol_merger.h"
#include "text/unicode.h"

namespace sterna::text {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

class Spm final : public Encoder {
 public:
  explicit Spm(const Vocab& vocab) : vocab_(vocab) {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      int32_t id = vocab.find(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
      if (id < 0) id = vocab.one_byte_ids[byte];
      byte_ids_[byte] = id < 0 ? vocab.unknown : id;
    }
  }

  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    std::string marked;
    marked.reserve(text.size() + text.size() / 2 + kSpaceMark.size());
    if (vocab_.add_space_prefix) marked += kSpaceMark;
    for (const char c : text) c == ' ' ? marked.append(kSpaceMark) : marked.append(1, c);

    const std::string_view word = marked;
    SymbolMerger merger;
    for (size_t at = 0; at < word.size();) {
      const size_t size = decode_utf8(word.substr(at)).size;
      merger.add(at, size, vocab_.find(word.substr(at, size)));
      at += size;
    }
    merger.merge([&](const Symbol& left, const Symbol& right) -> Join {
      const int32_t id = vocab_.find(word.substr(left.begin, left.size + right.size));
      return {id < 0 ? 0.0 : -vocab_.scores[static_cast<size_t>(id)], id};
    });
    merger.for_each([&](const Symbol& symbol) {
      if (symbol.id >= 0) return ids.push_back(symbol.id);
      for (const char c : word.substr(symbol.begin, symbol.size)) {
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
};

}  // namespace

std::unique_ptr<Encoder> make_spm(const Vocab& vocab) { return std::make_unique<Spm>(vocab); }

}  // namespace sterna::text
