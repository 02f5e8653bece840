// The tokenizer of a GGUF file alone: works on files that hold only a vocabulary, and reads no weights.
//   auto tokenizer = sterna::Tokenizer::load("model.gguf");
//   if (!tokenizer.ok()) { puts(tokenizer.status().message().c_str()); return 1; }
//   auto ids = tokenizer.value().encode("Once upon a time");
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sterna/status.h"

namespace sterna {

/// Never changes after loading: any number of threads may use one.
class Tokenizer {
 public:
  /// `pre` overrides the file's pre-tokenizer name. Errors: those of GgufFile::open; kCorrupt for a
  /// vocabulary that breaks its rules; kUnsupported for an unknown kind of tokenizer or pre-tokenizer;
  /// kOutOfMemory.
  static Result<Tokenizer> load(const std::string& path, const std::string& pre = "");
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Any bytes are accepted. `add_special`: put bos before and eos after it if the file asks for them and the
  /// text does not begin or end with them. `parse_special`: texts of control tokens become those tokens;
  /// without it, text never becomes one. Error: kOutOfMemory.
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special = false,
                                      bool parse_special = false) const;
  /// The text that was encoded, byte for byte, except that some tokenizers (Qwen's) compose characters first
  /// (Unicode NFC) and old vocabularies cannot spell every byte. `special`: print control tokens too. Ids
  /// outside the vocabulary give nothing. Error: kOutOfMemory.
  Result<std::string> decode(std::span<const int32_t> ids, bool special = false) const;

  size_t size() const;               ///< Number of tokens.
  const std::string& model() const;  ///< "gpt2" (byte-level BPE) or "llama" (SentencePiece).
  const std::string& pre() const;    ///< Name of the pre-tokenizer; empty for "llama", which has none.
  int32_t bos() const;               ///< -1 if the file names none; likewise below.
  int32_t eos() const;
  int32_t eot() const;   ///< Ends a turn of a conversation.
  bool add_bos() const;  ///< Whether add_special adds one.
  bool add_eos() const;
  bool is_eog(int32_t id) const;                     ///< Ends a generation.
  const std::string& text(int32_t id) const;         ///< As the vocabulary has it; empty outside of it.
  const std::vector<std::string>& warnings() const;  ///< What had to be guessed or ignored.

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
