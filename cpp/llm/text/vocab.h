// The vocabulary of a GGUF file, checked: token texts, types and scores, and the ids with a special meaning.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::text {

/// Values of tokenizer.ggml.token_type.
enum class TokenType : uint8_t { kUndefined, kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// Only movable: `ids` points into `texts`.
struct Vocab {
  Vocab() = default;
  Vocab(Vocab&&) = default;
  Vocab& operator=(Vocab&&) = default;

  std::string model;  ///< "gpt2" or "llama".
  std::vector<std::string> texts;
  std::vector<TokenType> types;
  std::vector<float> scores;  ///< Model "llama" only.
  /// Keys point into `texts`; the last of equal texts wins.
  std::unordered_map<std::string_view, int32_t> ids;
  std::array<int32_t, 256> one_byte_ids;  ///< Tokens whose text is that single byte; -1 if there is none.
  size_t longest = 0;                     ///< Bytes of the longest text.

  // -1 if there is none.
  int32_t bos = -1, eos = -1, eot = -1, unknown = -1, padding = -1;
  std::vector<bool> ends_generation;
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = false;  ///< Model "llama" only.
  std::vector<std::string> warnings;

  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < texts.size(); }
  int32_t find(std::string_view text) const {
    const auto it = text.size() > longest ? ids.end() : ids.find(text);
    return it == ids.end() ? -1 : it->second;
  }
  TokenType type(int32_t id) const { return types[static_cast<size_t>(id)]; }
  /// Whether ordinary text may become the token. The others are found by their whole texts or never, or
  /// merging could make an end of a turn of what a user typed.
  bool is_plain(int32_t id) const {
    const TokenType t = type(id);
    return t == TokenType::kNormal || t == TokenType::kUnused || t == TokenType::kUndefined;
  }
  int32_t find_plain(std::string_view text) const {
    const int32_t id = find(text);
    return id >= 0 && is_plain(id) ? id : -1;
  }
};

/// "[load tokenizer] path: what, got ..., expected ...".
Status tokenizer_error(Code code, const std::string& path, const std::string& what, const std::string& got,
                       const std::string& expected);

/// The strings of a key that must be there.
Result<const std::vector<std::string>*> required_strings(const GgufFile& file, std::string_view key);

/// Model, texts, types and scores.
Result<Vocab> read_vocab(const GgufFile& file);
/// Fills in the special ids and what ends a generation; `pre_adds_bos`: add_bos of model "gpt2" unless the
/// file has it.
Status read_special_tokens(const GgufFile& file, bool pre_adds_bos, Vocab& vocab);

/// The byte that the text "<0xHH>" of a byte token stands for; -1 if it has another form.
int byte_of(std::string_view text);

}  // namespace sterna::text
