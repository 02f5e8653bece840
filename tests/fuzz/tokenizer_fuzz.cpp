// libFuzzer target: any text through every kind of tokenizer. The first two bytes choose tokenizer and
// options. With all bytes in its vocabulary a tokenizer must give every text back, composed where it
// composes; streaming must print what whole-text printing prints.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "llm/text/nfc.h"
#include "llm/text/pretokenize.h"
#include "llm/text/tokenizer.h"
#include "sterna/gguf.h"
#include "unit/tiny_vocab.h"

namespace {

using sterna::text::nfc;
using sterna::text::Tokenizer;
using sterna::text::Utf8Stream;

void require(bool ok) {
  if (!ok) __builtin_trap();
}

Tokenizer load(sterna::testing::TinyVocab v) {
  v.add("<user>", 4);
  v.add("er><", 4);
  v.add("<|ctl|>", 3);
  const sterna::testing::Bytes image = v.build().build();
  const auto file = sterna::GgufFile::from_memory(image, "fuzz");
  require(file.ok());
  auto tokenizer = Tokenizer::from_gguf(file.value(), {});
  require(tokenizer.ok());
  return std::move(tokenizer.value());
}

const std::vector<Tokenizer>& tokenizers() {
  static const std::vector<Tokenizer> all = [] {
    std::vector<Tokenizer> list;
    for (const char* pre :
         {"default", "llama-bpe", "qwen2", "megrez", "qwen35", "gpt-2", "starcoder", "smollm", "falcon",
          "deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken", "gpt-4o"}) {
      list.push_back(load(sterna::testing::tiny_bpe(pre)));
    }
    list.push_back(load(sterna::testing::tiny_spm()));
    return list;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Tokenizer& t = tokenizers()[data[0] % tokenizers().size()];
  const bool add_special = data[1] & 1, parse_special = data[1] & 2, special = data[1] & 4;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  for (const int32_t id : t.encode(text, add_special, parse_special))
    require(id >= 0 && size_t(id) < t.size());
  const std::vector<int32_t> ids = t.encode(text, false, parse_special);
  std::string pieces, streamed;
  Utf8Stream stream;
  for (const int32_t id : ids) {
    pieces += t.piece(id, true);
    streamed += stream.push(t.piece(id, true));
  }
  streamed += stream.flush();
  Utf8Stream whole;
  std::string expected = whole.push(pieces);
  expected += whole.flush();
  require(streamed == expected);

  const std::string decoded = t.decode(ids, true);
  const bool composes =
      sterna::text::find_pre_tokenizer(t.pre()) && sterna::text::find_pre_tokenizer(t.pre())->nfc;
  require(composes ? nfc(decoded) == nfc(text) : decoded == text);
  if (t.model() == "gpt2") require(pieces == decoded);

  std::vector<int32_t> any_ids;
  for (const char c : text) any_ids.push_back(int32_t(c) * 3);  // Also negative ones and ones outside.
  t.decode(any_ids, special);
  return 0;
}
