// Byte-level BPE: each word of the pre-tokenizer is spelled in a byte alphabet, and pairs join in the order
// of a merge list.
#include <array>
#include <unordered_map>

#include "llm/text/encoder.h"
#include "llm/text/symbol_merger.h"
#include "llm/text/unicode.h"

namespace sterna::text {
namespace {

/// GPT-2's letters for bytes: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up, in
/// order.
struct ByteAlphabet {
  std::array<std::string, 256> letters;
  std::array<int16_t, 0x100 + 68> bytes;  ///< By code point; -1 if it is not a letter of the alphabet.

  ByteAlphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const char32_t letter = printable ? static_cast<char32_t>(byte) : next++;
      append_utf8(letters[static_cast<size_t>(byte)], letter);
      bytes[letter] = static_cast<int16_t>(byte);
    }
  }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

class Bpe final : public Encoder {
 public:
  Bpe(const Vocab& vocab, const PreTokenizer& pre) : vocab_(vocab), pre_(pre) {}

  Status read_merges(const GgufFile& file) {
    STERNA_ASSIGN(const std::vector<std::string>* merges, required_strings(file, "tokenizer.ggml.merges"));
    std::unordered_map<std::string, int32_t> other_symbols;
    const auto id_of = [&](std::string_view text) {
      const int32_t id = vocab_.find(text);
      if (id >= 0) return id;
      const size_t next = vocab_.texts.size() + other_symbols.size();
      return other_symbols.try_emplace(std::string(text), static_cast<int32_t>(next)).first->second;
    };
    joins_.reserve(merges->size());
    std::string joined;
    for (size_t rank = 0; rank < merges->size(); ++rank) {
      const std::string_view merge = (*merges)[rank];
      const size_t space = merge.find(' ', 1);  // A symbol may itself start with a space.
      if (space == std::string_view::npos || space + 1 == merge.size()) {
        return tokenizer_error(Code::kCorrupt, file.path(),
                               "key 'tokenizer.ggml.merges', entry " + std::to_string(rank),
                               "'" + std::string(merge) + "'", "two symbols with a space between them");
      }
      const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
      joined.assign(left).append(right);
      const int32_t id = id_of(joined);
      if (vocab_.has(id) && !vocab_.is_plain(id)) continue;
      // The first of equal pairs wins.
      joins_.try_emplace(pair_key(id_of(left), id_of(right)), Join{static_cast<double>(rank), id});
    }
    for (size_t byte = 0; byte < byte_ids_.size(); ++byte) byte_ids_[byte] = id_of(alphabet().letters[byte]);
    return {};
  }

  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    std::vector<std::string_view> words;
    pre_tokenize(pre_, text, words);
    SymbolMerger merger;
    for (const std::string_view word : words) encode_word(word, merger, ids);
  }

  void append_bytes(std::string_view token, std::string& out) const override {
    for (size_t at = 0; at < token.size();) {
      const Utf8Char c = decode_utf8(token.substr(at));
      const bool letter = c.code < alphabet().bytes.size() && alphabet().bytes[c.code] >= 0;
      if (letter) {
        out += static_cast<char>(alphabet().bytes[c.code]);
      } else {
        out.append(token, at, c.size);
      }
      at += c.size;
    }
  }

 private:
  static uint64_t pair_key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }

  void encode_word(std::string_view word, SymbolMerger& merger, std::vector<int32_t>& ids) const {
    if (pre_.ignore_merges && word.size() <= vocab_.longest) {
      std::string spelled;
      for (const char c : word) spelled += alphabet().letters[static_cast<uint8_t>(c)];
      if (const int32_t id = vocab_.find_plain(spelled); id >= 0) return ids.push_back(id);
    }
    merger.clear();
    for (size_t at = 0; at < word.size(); ++at) merger.add(at, 1, byte_ids_[static_cast<uint8_t>(word[at])]);
    merger.merge([&](const Symbol& left, const Symbol& right) -> Join {
      const auto it = joins_.find(pair_key(left.id, right.id));
      return it == joins_.end() ? Join{0, -1} : it->second;
    });
    merger.for_each([&](const Symbol& symbol) {
      if (vocab_.has(symbol.id)) return ids.push_back(symbol.id);
      // Only in vocabularies without all bytes: the spelling byte by byte, and nothing for what still has no
      // token.
      for (const char c : word.substr(symbol.begin, symbol.size)) {
        for (const char letter_byte : alphabet().letters[static_cast<uint8_t>(c)]) {
          if (const int32_t id = vocab_.one_byte_ids[static_cast<uint8_t>(letter_byte)]; id >= 0)
            ids.push_back(id);
        }
      }
    });
  }

  const Vocab& vocab_;
  const PreTokenizer& pre_;
  std::array<int32_t, 256> byte_ids_;
  /// By the ids of left and right. Symbols of merges that are not tokens have ids from the vocabulary's size
  /// up.
  std::unordered_map<uint64_t, Join> joins_;
};

}  // namespace

Result<std::unique_ptr<Encoder>> make_bpe(const GgufFile& file, const Vocab& vocab, const PreTokenizer& pre) {
  auto bpe = std::make_unique<Bpe>(vocab, pre);
  STERNA_RETURN_IF_ERROR(bpe->read_merges(file));
  return std::unique_ptr<Encoder>(std::move(bpe));
}

}  // namespace sterna::text
