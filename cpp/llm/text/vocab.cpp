// Reading and checking the arrays of a vocabulary.
#include "llm/text/vocab.h"

#include <algorithm>
#include <cmath>

namespace sterna::text {
namespace {

constexpr size_t kMaxEntries = size_t{1} << 28;  // Keeps ids, and sums of a few of them, inside 32 bits.

std::string key_name(std::string_view key) { return "key '" + std::string(key) + "'"; }

template <class Stored, class T>
bool copy_if(const GgufValue& value, std::vector<T>& out) {
  const auto* stored = std::get_if<GgufNumbers<Stored>>(&value);
  if (stored) out.assign(stored->begin(), stored->end());
  return stored;
}

/// An array of numbers, at least `size` of them (the rest is dropped); empty if the key is absent.
template <class T, class... Stored>
Result<std::vector<T>> numbers(const GgufFile& file, std::string_view key, size_t size) {
  std::vector<T> out;
  const GgufValue* value = file.find(key);
  if (!value) return out;
  if (!(copy_if<Stored>(*value, out) || ...)) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(key), "another type", "an array of numbers");
  }
  if (out.size() < size) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(key),
                           std::to_string(out.size()) + " elements",
                           "one per token, " + std::to_string(size));
  }
  out.resize(size);
  return out;
}

/// Whether a text is nothing but U+2581, SentencePiece's mark for spaces.
bool is_spaces(std::string_view text) {
  while (text.starts_with("\xE2\x96\x81")) text.remove_prefix(3);
  return text.empty();
}

Status read_types(const GgufFile& file, Vocab& vocab) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  const auto fail = [&](size_t id, const std::string& got, const std::string& expected) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(kKey) + ", token " + std::to_string(id), got,
                           expected);
  };
  auto types = numbers<int64_t, int64_t, uint64_t>(file, kKey, vocab.texts.size());
  if (!types.ok()) return types.status();
  vocab.types.assign(vocab.texts.size(), TokenType::kNormal);
  for (size_t id = 0; id < types.value().size(); ++id) {
    const int64_t type = types.value()[id];
    if (type < 0 || type > static_cast<int64_t>(TokenType::kByte))
      return fail(id, std::to_string(type), "0 to 6");
    vocab.types[id] = static_cast<TokenType>(type);
    // Older converters call Gemma's runs of spaces user-defined, although text reaches them by merging.
    if (vocab.model == "llama" && vocab.types[id] == TokenType::kUserDefined && is_spaces(vocab.texts[id]))
      vocab.types[id] = TokenType::kNormal;
    if (vocab.types[id] == TokenType::kByte && byte_of(vocab.texts[id]) < 0) {
      return fail(id, "a byte token with the text '" + vocab.texts[id] + "'",
                  "<0xHH> with two hexadecimal digits");
    }
  }
  return {};
}

Status read_scores(const GgufFile& file, Vocab& vocab) {
  constexpr std::string_view kKey = "tokenizer.ggml.scores";
  auto scores = numbers<float, double, int64_t, uint64_t>(file, kKey, vocab.texts.size());
  if (!scores.ok()) return scores.status();
  vocab.scores = std::move(scores.value());
  if (vocab.scores.empty()) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(kKey), "nothing", "one score per token");
  }
  const auto nan =
      std::find_if(vocab.scores.begin(), vocab.scores.end(), [](float score) { return std::isnan(score); });
  if (nan == vocab.scores.end()) return {};
  return tokenizer_error(Code::kCorrupt, file.path(),
                         key_name(kKey) + ", token " + std::to_string(nan - vocab.scores.begin()), "NaN",
                         "a number");
}

}  // namespace

Status tokenizer_error(Code code, const std::string& path, const std::string& what, const std::string& got,
                       const std::string& expected) {
  return {code, "[load tokenizer] " + path + ": " + what + ", got " + got + ", expected " + expected};
}

Result<const std::vector<std::string>*> required_strings(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  const auto* strings = value ? std::get_if<std::vector<std::string>>(value) : nullptr;
  if (!strings) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(key), value ? "another type" : "nothing",
                           "an array of strings");
  }
  if (strings->size() > kMaxEntries) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name(key),
                           std::to_string(strings->size()) + " strings",
                           "at most " + std::to_string(kMaxEntries));
  }
  return strings;
}

Result<Vocab> read_vocab(const GgufFile& file) {
  Vocab vocab;
  STERNA_ASSIGN(vocab.model, file.get_string("tokenizer.ggml.model", ""));
  if (vocab.model != "gpt2" && vocab.model != "llama") {
    return tokenizer_error(Code::kUnsupported, file.path(), key_name("tokenizer.ggml.model"),
                           vocab.model.empty() ? "nothing" : "'" + vocab.model + "'",
                           "'gpt2' (byte-level BPE) or 'llama' (SentencePiece BPE)");
  }
  STERNA_ASSIGN(const std::vector<std::string>* texts, required_strings(file, "tokenizer.ggml.tokens"));
  if (texts->empty()) {
    return tokenizer_error(Code::kCorrupt, file.path(), key_name("tokenizer.ggml.tokens"), "no tokens",
                           "at least one");
  }
  vocab.texts = *texts;
  vocab.ids.reserve(vocab.texts.size());
  vocab.one_byte_ids.fill(-1);
  for (size_t i = 0; i < vocab.texts.size(); ++i) {
    std::string& text = vocab.texts[i];
    const int32_t id = static_cast<int32_t>(i);
    if (text.empty()) text = "[EMPTY_" + std::to_string(id) + "]";
    // The key of an earlier equal text stays, and is as good.
    vocab.ids.insert_or_assign(text, id);
    if (text.size() == 1) vocab.one_byte_ids[static_cast<uint8_t>(text[0])] = id;
    vocab.longest = std::max(vocab.longest, text.size());
  }
  if (const size_t repeated = vocab.texts.size() - vocab.ids.size()) {
    vocab.warnings.push_back(std::to_string(repeated) +
                             " token texts occur more than once; the last id is used for each");
  }
  STERNA_RETURN_IF_ERROR(read_types(file, vocab));
  if (vocab.model == "llama") STERNA_RETURN_IF_ERROR(read_scores(file, vocab));
  return vocab;
}

int byte_of(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  int byte = 0;
  for (const char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    byte = byte * 16 + digit;
  }
  return byte;
}

}  // namespace sterna::text
