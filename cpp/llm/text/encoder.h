// What differs between the kinds of vocabulary: ids of plain text (no special tokens in it), and bytes of a
// token's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/pretokenize.h"
#include "llm/text/vocab.h"
#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::text {

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends the ids of `text`.
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) const = 0;
  /// Appends the bytes that a normal token with the text `token` stands for.
  virtual void append_bytes(std::string_view token, std::string& out) const = 0;
};

// Both keep a reference to `vocab`.

/// Byte-level BPE (model "gpt2"). Reads the merges: kCorrupt if they are missing or one cannot be parsed.
Result<std::unique_ptr<Encoder>> make_bpe(const GgufFile& file, const Vocab& vocab, const PreTokenizer& pre);
/// SentencePiece-style BPE (model "llama").
std::unique_ptr<Encoder> make_spm(const Vocab& vocab);

}  // namespace sterna::text
