// Tiny vocabularies of both kinds, as GGUF images, for the tokenizer's tests and fuzz target.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llm/text/unicode.h"
#include "unit/gguf_builder.h"

namespace sterna::testing {

struct TinyVocab {
  std::string model, pre;
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;
  std::vector<float> scores;

  int32_t add(std::string token, int32_t type, float score = 0) {
    tokens.push_back(std::move(token));
    types.push_back(type);
    scores.push_back(score);
    return int32_t(tokens.size() - 1);
  }
  GgufBuilder build() const {
    const auto array = [](GgufBuilder& b, const char* key, ValueType type, const auto& values) {
      Bytes payload;
      for (const auto value : values) append(payload, value);
      if (!values.empty()) b.array(key, type, values.size(), payload);
    };
    GgufBuilder b;
    b.string("tokenizer.ggml.model", model).strings("tokenizer.ggml.tokens", tokens);
    if (!pre.empty()) b.string("tokenizer.ggml.pre", pre);
    array(b, "tokenizer.ggml.token_type", kI32, types);
    if (model == "gpt2") {
      b.strings("tokenizer.ggml.merges", merges);
    } else {
      array(b, "tokenizer.ggml.scores", kF32, scores);
    }
    return b;
  }
};

/// All 256 bytes and a few merges; "whole" is a token that no merges lead to.
inline TinyVocab tiny_bpe(const std::string& pre) {
  TinyVocab v{"gpt2", pre, {}, {}, {}, {}};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    std::string letter;
    text::append_utf8(letter, printable ? byte : next++);
    v.add(letter, 1);
  }
  v.merges = {"l l", "h e", "he llo", "y z", "ll o", "\u0120 hello", "x y", "l p", "l l"};
  for (const char* token : {"ll", "he", "hello", "yz", "llo", "\u0120hello", "xy", "lp", "whole"})
    v.add(token, 1);
  return v;
}

inline TinyVocab tiny_spm() {
  TinyVocab v{"llama", "", {}, {}, {}, {}};
  v.add("<unk>", 2);
  v.add("<s>", 3);
  v.add("</s>", 3);
  for (int byte = 0; byte < 256; ++byte) {
    const char* hex = "0123456789ABCDEF";
    v.add(std::string("<0x") + hex[byte >> 4] + hex[byte & 15] + ">", 6);
  }
  for (const char* letter : {"h", "e", "l", "o", "\u2581"}) v.add(letter, 1, -1000);
  float score = 0;
  for (const char* token : {"ll", "ell", "\u2581h", "ello", "\u2581hello"}) v.add(token, 1, score -= 1);
  return v;
}

}  // namespace sterna::testing
