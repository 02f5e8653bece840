// Unicode normalization form C: against Python's on difficult texts, bytes that are no text, and time.
#include "llm/text/nfc.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "llm/text/unicode.h"
#include "unit/tiny_vocab.h"
#include "unit/tokenizer_check.h"

namespace {

using namespace sterna::testing;
using namespace sterna::text;

std::string from_points(const std::string& line) {
  std::istringstream in(line);
  std::string out;
  for (uint32_t code; in >> std::hex >> code;) append_utf8(out, code);
  return out;
}

TEST_SUITE_BEGIN("unit");

TEST_CASE("composing gives what Python's unicodedata gives") {
  std::istringstream lines(read_file(std::string(STERNA_TEST_DATA_DIR) + "/data/tokenizer/nfc.txt"));
  size_t n_lines = 0, n_changed = 0;
  for (std::string line; std::getline(lines, line); ++n_lines) {
    const size_t tab = line.find('\t');
    const std::string text = from_points(line.substr(0, tab)), expected = from_points(line.substr(tab + 1));
    CHECK_MESSAGE(nfc(text) == expected, line);
    CHECK_MESSAGE(nfc("x" + text + "z") == nfc("x" + expected + "z"), line);
    if (text != expected) CHECK_MESSAGE(!is_nfc(text), line);
    n_changed += text != expected;
  }
  CHECK(n_lines > 600);
  CHECK(n_changed > 250);
}

TEST_CASE("text without marks is left alone at a look") {
  for (const char* text : {"", "plain ASCII\n", "caf\u00e9 stra\u00dfe", "\u4e2d\u6587 \ud55c\uad6d\uc5b4",
                           "\u0420\u0443\u0441\u0441\u043a\u0438\u0439", "\U0001F680"}) {
    CHECK(is_nfc(text));
    CHECK(nfc(text) == text);
  }
}

TEST_CASE("bytes that are no UTF-8 stay, and nothing composes across them") {
  const std::string acute = "\xCC\x81";
  CHECK(nfc("e" + acute) == "\xC3\xA9");
  for (const std::string bad : {"\xff", "\xC3", "\xE4\xB8", "\xed\xa0\x80", "\xCC", "\x80"}) {
    CHECK(nfc("e" + bad + acute) == "e" + bad + acute);
    CHECK(nfc(bad + "e" + acute + bad) == bad + "\xC3\xA9" + bad);
    CHECK(nfc("e" + acute + bad + acute + "e" + acute) == "\xC3\xA9" + bad + acute + "\xC3\xA9");
  }
}

TEST_CASE("very long runs of marks take n log n time" * doctest::timeout(30)) {
  std::string marks = "e";
  for (int i = 0; i < 1 << 19; ++i) marks += i % 2 ? "\xCC\x81" : "\xCC\xA3";  // acute, dot below
  const std::string composed = nfc(marks);
  CHECK(composed.starts_with(
      "\xE1\xBA\xB9\xCC\xA3"));            // e with dot below, then all other dots, then the acutes
  CHECK(composed.size() == marks.size());  // e and U+0323 take as many bytes as U+1EB9
  CHECK(nfc(composed) == composed);
}

TEST_CASE("tokenizers that compose: both spellings are the same ids, special tokens stay whole") {
  TinyVocab v = tiny_bpe("qwen2");
  const int32_t user = v.add("<user>", 4);
  v.add("e\u0301", 4);  // Found before anything is composed, as the publishers' tokenizers do.
  const Tokenizer qwen = loaded(v.build());
  CHECK(qwen.encode("cafo\u0301", false, false) == qwen.encode("caf\u00f3", false, false));
  CHECK(qwen.decode(qwen.encode("o\u0301 e\u0301", false, false), false) == "\u00f3 e\u0301");
  CHECK(qwen.encode("<user>\u0338", false, false)[0] == user);  // Would compose with the ">".
  CHECK(qwen.as_generated("o\u0301<user>") == "\u00f3<user>");
  const Tokenizer llama = loaded(tiny_bpe("llama-bpe").build());
  CHECK(llama.encode("o\u0301", false, false) != llama.encode("\u00f3", false, false));
}

TEST_SUITE_END();

}  // namespace
