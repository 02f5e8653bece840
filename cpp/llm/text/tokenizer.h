// Text to token ids and back, from a GGUF file's own metadata: byte-level BPE (`gpt2`) and
// SentencePiece-style BPE (`llama`).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::text {

struct TokenizerOptions {
  std::string pre;  ///< Overrides tokenizer.ggml.pre; empty = the file's.
};

class Tokenizer {
 public:
  /// Reads and checks tokenizer.ggml.* (rules 21 and 22). Errors: kCorrupt, or kUnsupported for a model or
  /// `pre` that is not known (the message lists what is, and names the override).
  static Result<Tokenizer> from_gguf(const GgufFile& file, const TokenizerOptions& options);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Any bytes are accepted. `add_special`: bos and eos as the file asks, unless the text itself begins or
  /// ends with them. `parse_special`: control tokens' texts become their ids; text never becomes one
  /// otherwise.
  std::vector<int32_t> encode(std::string_view text, bool add_special, bool parse_special) const;
  /// The same for a text that is to be continued: an eos is never added.
  std::vector<int32_t> encode_prompt(std::string_view text, bool add_special, bool parse_special) const;
  /// The text that was encoded (composed, where the tokenizer does that); `special`: print control tokens
  /// too. Ids outside the vocabulary give nothing.
  std::string decode(std::span<const int32_t> ids, bool special) const;
  /// A text as the pieces of its tokens spell it in the middle of a generation: composed, and with the space
  /// that follows special tokens in some vocabularies.
  std::string as_generated(std::string_view text) const;
  /// The raw bytes of one token, as streaming prints them (may end inside a UTF-8 character).
  std::string piece(int32_t id, bool special) const;

  size_t size() const;                        ///< Number of token texts.
  const std::string& text(int32_t id) const;  ///< The vocabulary's own text of a token.
  const std::string& model() const;           ///< "gpt2" or "llama".
  const std::string& pre() const;             ///< The pre-tokenizer in use.
  bool add_bos() const;
  bool add_eos() const;
  int32_t bos() const;  ///< -1 if there is none; likewise below.
  int32_t eos() const;
  int32_t eot() const;
  int32_t pad() const;
  bool is_eog(int32_t id) const;  ///< Ends a generation (formats: end-of-generation set).
  bool is_control(int32_t id) const;
  bool is_hidden(int32_t id) const;                  ///< A control or unknown token: printed only on request.
  const std::vector<std::string>& warnings() const;  ///< What had to be guessed or ignored, for the log.

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Cuts a byte stream into valid UTF-8 pieces: holds back an incomplete character until its rest arrives.
class Utf8Stream {
 public:
  /// Appends bytes and returns what can be printed now; invalid bytes come out as U+FFFD.
  std::string push(std::string_view bytes);
  /// What is left at the end, as U+FFFD if incomplete.
  std::string flush();

 private:
  std::string held_;
};

}  // namespace sterna::text
