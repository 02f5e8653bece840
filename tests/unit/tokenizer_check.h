// What the tests of the tokenizer share: loading, reading of vector files, texts that are hard to bring back.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/text/tokenizer.h"
#include "llm/text/unicode.h"
#include "sterna/gguf.h"
#include "unit/gguf_builder.h"

namespace sterna::testing {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

inline Result<text::Tokenizer> load(const GgufBuilder& builder, const text::TokenizerOptions& options = {}) {
  const Bytes image = builder.build();
  const Result<GgufFile> file = GgufFile::from_memory(image, "test.gguf");
  REQUIRE_MESSAGE(file.ok(), file.status().message());
  return text::Tokenizer::from_gguf(file.value(), options);
}

/// For vocabularies that must load.
inline text::Tokenizer loaded(const GgufBuilder& builder, const text::TokenizerOptions& options = {}) {
  Result<text::Tokenizer> tokenizer = load(builder, options);
  REQUIRE_MESSAGE(tokenizer.ok(), tokenizer.status().message());
  return std::move(tokenizer.value());
}

/// Undoes Python's unicode_escape.
inline std::string unescape(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\') {
      out += s[i];
      continue;
    }
    const char kind = s[++i];
    const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits) {
      text::append_utf8(out, char32_t(std::stoul(std::string(s.substr(i + 1, digits)), nullptr, 16)));
      i += digits;
    } else {
      out += kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind == 't' ? '\t' : kind;
    }
  }
  return out;
}

inline const std::vector<std::string> kNasty = {
    "",
    " ",
    "   ",
    "\n",
    "a",
    "Hello, world! 123",
    "I'll say 'twas  fine .\r\n\r\n\tok",
    "caf\u00e9 na\u00efve \u00df",
    "\u4e2d\u6587\u548c English \u6df7\u5408 42\u5e74",
    "\U0001F680\U0001F468\u200D\U0001F469\u200D\U0001F467 e\u0301",
    "\u3000\u00a0 \u2028",
    std::string("nul\0in", 6),
    "\u2581 marks \u2581",
    "<0x41> <s> [INST]",
    "tail   "};
inline const std::vector<std::string> kInvalid = {
    "\xff",       "\xc3",     "a\xe4\xb8",          "\xed\xa0\x80",     "\xf5\x80\x80\x80",
    "\xc0\xaf x", "\x80\x80", "ok \xf0\x9f\x9a ok", "\xf4\x90\x80\x80", "\xe4 \xb8\xad"};

}  // namespace sterna::testing
