// Tokenizers: splits of every pre-tokenizer against a regex engine's, both kinds of vocabulary on tiny
// models, what must be refused, and, where the files are given, the published vectors of vocabularies.
#include "llm/text/tokenizer.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "llm/text/pretokenize.h"
#include "llm/text/unicode.h"
#include "sterna/gguf.h"
#include "unit/gguf_builder.h"
#include "unit/tiny_vocab.h"
#include "unit/tokenizer_check.h"

namespace {

using namespace sterna;
using namespace sterna::text;
using namespace sterna::testing;
using Ids = std::vector<int32_t>;

void check_refused(const GgufBuilder& builder, Code code, const std::vector<std::string>& parts) {
  const Result<Tokenizer> tokenizer = load(builder);
  REQUIRE(!tokenizer.ok());
  CHECK(int(tokenizer.status().code()) == int(code));
  for (const std::string& part : parts) {
    CHECK_MESSAGE(tokenizer.status().message().find(part) != std::string::npos, tokenizer.status().message(),
                  " lacks ", part);
  }
}

std::vector<std::string> texts_of(const Tokenizer& t, const Ids& ids) {
  std::vector<std::string> texts;
  for (const int32_t id : ids) texts.push_back(t.text(id));
  return texts;
}

std::string pieces(const Tokenizer& t, const Ids& ids) {
  std::string out;
  for (const int32_t id : ids) out += t.piece(id, true);
  return out;
}

using Words = std::vector<std::string>;

Words split(const std::string& pre, std::string_view text) {
  std::vector<std::string_view> words;
  const PreTokenizer* p = find_pre_tokenizer(pre);
  REQUIRE(p);
  pre_tokenize(*p, text, words);
  return {words.begin(), words.end()};
}

TEST_SUITE_BEGIN("unit");

TEST_CASE("pre-tokenizers split like the published patterns in a regex engine") {
  std::istringstream lines(read_file(std::string(STERNA_TEST_DATA_DIR) + "/data/tokenizer/splits.txt"));
  std::string line, text;
  size_t n_splits = 0;
  while (std::getline(lines, line)) {
    if (line.front() == '"') {
      text = unescape(std::string_view(line).substr(1, line.size() - 2));
      continue;
    }
    const size_t colon = line.find(':');
    std::string lengths;
    for (const std::string& word : split(line.substr(0, colon), text))
      lengths += " " + std::to_string(word.size());
    CHECK_MESSAGE(lengths == line.substr(colon + 1), line.substr(0, colon), " on: ", text);
    ++n_splits;
  }
  CHECK(n_splits >= 1000);
}

TEST_CASE("pre-tokenizer names: families, and what else a name implies") {
  struct Expected {
    const char* name;
    const char* family;
    bool ignore_merges, add_bos, nfc;
  };
  const std::string probe = "We'LL go' \u00e9\u0301 12345 (ok)\u4e2d !\n\n  x\u01c5a///\n";
  for (const Expected& e :
       std::initializer_list<Expected>{{"falcon_e", "llama-bpe", true, true, false},
                                       {"falcon3", "llama-bpe", true, true, false},
                                       {"lfm2", "llama-bpe", true, true, false},
                                       {"dbrx", "llama-bpe", false, false, false},
                                       {"smaug-bpe", "llama-bpe", false, false, false},
                                       {"chatglm-bpe", "llama-bpe", false, false, false},
                                       {"glm4", "llama-bpe", false, false, false},
                                       {"glm5", "llama-bpe", false, false, false},
                                       {"qwen2", "qwen2", false, false, true},
                                       {"deepseek-r1-qwen", "qwen2", false, false, false},
                                       {"stablelm2", "qwen2", false, false, true},
                                       {"phi-2", "gpt-2", false, false, false},
                                       {"jina-v2-code", "gpt-2", false, false, false},
                                       {"granite-docling", "gpt-2", false, false, false},
                                       {"trillion", "gpt-2", false, false, false},
                                       {"olmo", "gpt-2", false, false, true},
                                       {"refact", "starcoder", false, false, false},
                                       {"smollm", "starcoder", false, false, false},
                                       {"command-r", "starcoder", false, false, true},
                                       {"default", "default", false, false, false},
                                       {"falcon", "falcon", false, false, false},
                                       {"qwen35", "qwen35", false, false, true},
                                       {"deepseek-llm", "deepseek-llm", false, false, false},
                                       {"deepseek-coder", "deepseek-coder", false, false, false},
                                       {"hunyuan-dense", "deepseek-v3", false, false, false},
                                       {"tekken", "tekken", true, true, false},
                                       {"llama4", "gpt-4o", false, false, false}}) {
    CAPTURE(e.name);
    const PreTokenizer* pre = find_pre_tokenizer(e.name);
    REQUIRE(pre);
    CHECK(pre->ignore_merges == e.ignore_merges);
    CHECK(pre->add_bos == e.add_bos);
    CHECK(pre->nfc == e.nfc);
    CHECK(split(e.name, probe) == split(e.family, probe));
  }
  CHECK(!find_pre_tokenizer(""));
  CHECK(!find_pre_tokenizer("llama"));
  CHECK(!find_pre_tokenizer("llama-bpe llama3"));
}

TEST_CASE("UTF-8: every code point round trips, everything else is covered by U+FFFD") {
  for (char32_t code = 0; code < 0x110000; ++code) {
    std::string bytes;
    append_utf8(bytes, code);
    const Utf8Char c = decode_utf8(bytes + "x");
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (c.valid == surrogate || (c.valid && (c.code != code || c.size != bytes.size())))
      FAIL_CHECK(uint32_t(code));
  }
  // Sizes of the replaced parts, as Python's errors="replace" has them.
  const std::map<std::string, std::vector<int>> sizes = {{"\xff", {1}},
                                                         {"\xc3", {1}},
                                                         {"\xe4\xb8", {2}},
                                                         {"\xed\xa0\x80", {1, 1, 1}},
                                                         {"\xc0\xaf", {1, 1}},
                                                         {"\xf0\x9f\x9a ", {3, 1}},
                                                         {"\xf4\x90\x80", {1, 1, 1}},
                                                         {"\xe4 \xb8\xad", {1, 1, 1, 1}}};
  for (const auto& [bytes, expected] : sizes) {
    std::vector<int> got;
    for (size_t at = 0; at < bytes.size(); at += size_t(got.back()))
      got.push_back(decode_utf8(bytes.substr(at)).size);
    CHECK(got == expected);
  }
}

TEST_CASE("streaming UTF-8 in any portions gives the same text") {
  const std::string bad = "\xEF\xBF\xBD";
  const std::map<std::string, std::string> cases = {{"a\u00e9\u4e2d\U0001F680z", "a\u00e9\u4e2d\U0001F680z"},
                                                    {"a\xff z", "a" + bad + " z"},
                                                    {"\xe4\xb8", bad},
                                                    {"\xe4\xb8x", bad + "x"},
                                                    {"\xf0\x9f\xf0\x9f\x9a\x80", bad + "\U0001F680"},
                                                    {"\x80\xe4\xb8\xad\xc3", bad + "\u4e2d" + bad}};
  for (const auto& [bytes, expected] : cases) {
    for (size_t portion = 1; portion <= bytes.size(); ++portion) {
      Utf8Stream stream;
      std::string got;
      for (size_t at = 0; at < bytes.size(); at += portion) got += stream.push(bytes.substr(at, portion));
      got += stream.flush();
      CHECK(got == expected);
      CHECK(stream.flush().empty());
    }
  }
  Utf8Stream stream;
  CHECK(stream.push("x\xe4\xb8") == "x");
  CHECK(stream.push("\xad") == "\u4e2d");
}

TEST_CASE("byte-level BPE: merges go by rank, leftmost first") {
  const Tokenizer t = loaded(tiny_bpe("gpt-2").build());
  CHECK(t.model() == "gpt2");
  CHECK(texts_of(t, t.encode("hello hello", false, false)) == Words{"hello", "\u0120hello"});
  CHECK(texts_of(t, t.encode("hell", false, false)) == Words{"he", "ll"});
  CHECK(texts_of(t, t.encode("lllll", false, false)) == Words{"ll", "ll", "l"});
  CHECK(texts_of(t, t.encode("xyz", false, false)) == Words{"x", "yz"});  // "xy" is a later merge.
  CHECK(texts_of(t, t.encode("llp", false, false)) == Words{"ll", "p"});  // "l l" is first, and last again.
  CHECK(texts_of(t, t.encode("\n\xe9", false, false)) == Words{"\u010a", "\u00e9"});
  CHECK(t.encode("", true, true).empty());
  // Whole words only where the pre-tokenizer says so: "whole" is a token without merges.
  CHECK(texts_of(t, t.encode("whole", false, false)).size() == 5);
  CHECK(texts_of(loaded(tiny_bpe("llama-bpe").build()),
                 loaded(tiny_bpe("llama-bpe").build()).encode("whole", false, false)) == Words{"whole"});
}

TEST_CASE("byte-level BPE without all bytes drops what it cannot spell") {
  TinyVocab v;
  v.model = "gpt2";
  v.pre = "gpt-2";
  v.tokens = {"a", "b"};
  v.merges = {"a b", "c d"};  // Neither "ab" nor "cd" is a token.
  const Tokenizer t = loaded(v.build());
  CHECK(t.encode("abcda", false, false) == Ids{0, 1, 0});
}

TEST_CASE("special tokens: longest first, control tokens only on request") {
  TinyVocab v = tiny_bpe("gpt-2");
  const int32_t user = v.add("<user>", 4), longer = v.add("r><x", 4), control = v.add("<|ctl|>", 3),
                unknown = v.add("<unk>", 2);
  const int32_t inner = v.add("ser", 4), mark = v.add("<|message|>", 3);
  v.add("x<us", 4);
  const Tokenizer t = loaded(v.build());
  const int32_t less = t.encode("<", false, false)[0], u = t.encode("u", false, false)[0];
  CHECK(t.encode("<user>", false, false) == Ids{user});
  CHECK(t.encode("<user><user>", false, false) == Ids{user, user});
  // "<user>" (6 bytes) beats "r><x" (4) though both overlap; left to itself the shorter one is found.
  CHECK(t.encode("<user><x", false, false).front() == user);
  CHECK(texts_of(t, t.encode("x<user>", false, false)) == Words{"x", "<user>"});
  CHECK(texts_of(t, t.encode("ur><x", false, false)) == Words{"u", "r><x"});
  CHECK(t.encode("<user", false, false) == Ids{less, u, inner});
  CHECK(t.encode("r><xr><x", false, true) == Ids{longer, longer});
  CHECK(t.encode("<|ctl|><unk>", false, true) == Ids{control, unknown});
  CHECK(texts_of(t, t.encode("<|ctl|>", false, false)).size() > 1);
  CHECK(t.encode("<|message|>", false, false) == Ids{mark});  // Made user-defined by its text.

  const Ids mixed = {user, control, u, unknown, -1, int32_t(t.size()), INT32_MAX};
  CHECK(t.decode(mixed, false) == "<user>u");
  CHECK(t.decode(mixed, true) == "<user><|ctl|>u<unk>");
  CHECK(t.piece(control, false).empty());
  CHECK(t.piece(-1, true).empty());
  CHECK(t.text(-1).empty());
  CHECK(t.is_control(control));
  CHECK(!t.is_control(user));
  CHECK(!t.is_control(-1));
}

TEST_CASE("bos and eos: file, default of the pre-tokenizer, explicit id outside") {
  TinyVocab v = tiny_bpe("llama-bpe");
  const int32_t begin = v.add("<begin>", 3), end = v.add("<end>", 3);
  GgufBuilder b = v.build();
  b.u32("tokenizer.ggml.bos_token_id", uint32_t(begin)).u32("tokenizer.ggml.eos_token_id", uint32_t(end));
  b.u32("tokenizer.ggml.padding_token_id", 0xFFFFFFFFu);
  SUBCASE("defaults") {
    const Tokenizer t = loaded(b);
    CHECK(t.add_bos());
    CHECK(!t.add_eos());
    CHECK(t.encode("hello", true, false) == Ids{begin, t.encode("hello", false, false)[0]});
    CHECK(t.encode("", true, false) == Ids{begin});
    CHECK(t.pad() == -1);
    REQUIRE(t.warnings().size() == 1);
    CHECK(t.warnings()[0].find("padding_token_id") != std::string::npos);
  }
  SUBCASE("the file's") {
    b.boolean("tokenizer.ggml.add_bos_token", false).boolean("tokenizer.ggml.add_eos_token", true);
    const Tokenizer t = loaded(b);
    CHECK(t.encode("", true, false) == Ids{end});
    CHECK(t.bos() == begin);
    CHECK(t.eos() == end);
    CHECK(t.is_eog(end));
    CHECK(!t.is_eog(begin));
    CHECK(!t.is_eog(-1));
  }
}

TEST_CASE("end of generation: by key, by text, and the exceptions") {
  TinyVocab v = tiny_bpe("gpt-2");
  const int32_t end = v.add("<|end|>", 1), slash = v.add("</s>", 3), turn = v.add("<|im_end|>", 1),
                sep = v.add("<|file_sep|>", 1);
  const int32_t eom = v.add("my_eom", 3);
  SUBCASE("texts") {
    GgufBuilder b = v.build();
    const Tokenizer t = loaded(b.u32("tokenizer.ggml.eom_token_id", uint32_t(eom)));
    for (const int32_t id : {end, slash, turn, sep, eom}) CHECK(t.is_eog(id));
    CHECK(t.eot() == turn);
    CHECK(t.is_control(end));  // By its text, whatever the file's type says.
    CHECK(t.is_control(sep));
  }
  SUBCASE("harmony: <|end|> goes on") {
    const int32_t ret = v.add("<|return|>", 3), call = v.add("<|call|>", 3);
    const Tokenizer t = loaded(v.build());
    CHECK(!t.is_eog(end));
    CHECK(t.is_eog(ret));
    CHECK(t.is_eog(call));
  }
  SUBCASE("<|tool_response>: </s> is plain text") {
    const int32_t response = v.add("<|tool_response>", 3);
    const Tokenizer t = loaded(v.build());
    CHECK(!t.is_eog(slash));
    CHECK(!t.is_control(slash));
    CHECK(t.is_eog(response));
  }
}

TEST_CASE("missing pre: default, or llama-bpe for the vocabulary of Llama 3, both with a warning") {
  TinyVocab v = tiny_bpe("");
  const Tokenizer t = loaded(v.build());
  CHECK(t.pre() == "default");
  REQUIRE(t.warnings().size() == 1);
  CHECK(t.warnings()[0].find("tokenizer.ggml.pre") != std::string::npos);
  CHECK(t.warnings()[0].find("--pre") != std::string::npos);
  CHECK(loaded(v.build(), {.pre = "qwen2"}).pre() == "qwen2");
  CHECK(loaded(v.build(), {.pre = "qwen2"}).warnings().empty());

  while (v.tokens.size() < 128256)
    v.add(v.tokens.size() == 128000 ? "<|begin_of_text|>" : "t" + std::to_string(v.tokens.size()), 1);
  const Tokenizer llama3 = loaded(v.build().u32("tokenizer.ggml.bos_token_id", 128000));
  CHECK(llama3.pre() == "llama-bpe");
  CHECK(llama3.add_bos());
  REQUIRE(llama3.warnings().size() == 1);
  CHECK(llama3.warnings()[0].find("llama-bpe") != std::string::npos);
}

TEST_CASE("SentencePiece: merges by score, byte fallback, space rules") {
  const Tokenizer t = loaded(tiny_spm().build());
  CHECK(t.model() == "llama");
  CHECK(t.pre().empty());
  CHECK(t.add_bos());
  CHECK(texts_of(t, t.encode("hello", false, false)) == Words{"\u2581hello"});
  CHECK(texts_of(t, t.encode("hell", false, false)) == Words{"\u2581h", "ell"});
  CHECK(texts_of(t, t.encode("lllll", false, false)) == Words{"\u2581", "ll", "ll", "l"});
  CHECK(texts_of(t, t.encode("o\u00e9\n", false, false)) ==
        Words{"\u2581", "o", "<0xC3>", "<0xA9>", "<0x0A>"});
  CHECK(t.encode("", false, false).empty());
  CHECK(t.encode("hello", true, false) == Ids{1, t.encode("hello", false, false)[0]});
  // After a special token text starts anew, with a space.
  CHECK(texts_of(t, t.encode("</s>hello", false, true)) == Words{"</s>", "\u2581hello"});

  const Ids hello = t.encode("hello", false, false);
  CHECK(t.decode(hello, false) == "hello");
  CHECK(t.piece(hello[0], false) == " hello");
  CHECK(t.decode(t.encode("  hello", false, false), false) == "  hello");
  const Tokenizer bare = loaded(tiny_spm().build().boolean("tokenizer.ggml.add_space_prefix", false));
  CHECK(texts_of(bare, bare.encode("hello", false, false)) == Words{"h", "ello"});
  CHECK(bare.decode(bare.encode(" hello", false, false), false) == " hello");
}

TEST_CASE("SentencePiece without byte tokens: raw byte, else unknown") {
  TinyVocab v;
  v.model = "llama";
  v.tokens = {"<unk>", "<s>", "</s>", "\xc3"};
  v.types = {2, 3, 3, 1};
  v.scores = {0, 0, 0, 0};
  const Tokenizer t = loaded(v.build().boolean("tokenizer.ggml.add_space_prefix", false));
  CHECK(t.encode("\u00e9z", false, false) == Ids{3, 0, 0});
}

TEST_CASE("repeated and empty token texts") {
  TinyVocab v = tiny_bpe("gpt-2");
  const int32_t empty = v.add("", 1), first = v.add("<same>", 4), last = v.add("<same>", 4);
  const Tokenizer t = loaded(v.build());
  CHECK(t.text(empty) == "[EMPTY_" + std::to_string(empty) + "]");
  CHECK(t.encode("<same>", false, false) == Ids{last});
  CHECK(t.decode(Ids{first, last}, false) == "<same><same>");
  CHECK(t.warnings().size() == 1);
}

TEST_CASE("vocabularies that are refused") {
  using sterna::testing::kBool;
  using sterna::testing::packed;
  TinyVocab bpe = tiny_bpe("gpt-2"), spm = tiny_spm();
  const auto with = [](TinyVocab v, auto change) {
    change(v);
    return v.build();
  };
  check_refused(with(bpe, [](TinyVocab& v) { v.pre = "nonsense"; }), Code::kUnsupported,
                {"[load tokenizer] test.gguf", "tokenizer.ggml.pre", "--pre", "'nonsense'", "falcon_e",
                 "qwen35", "default"});
  check_refused(with(bpe, [](TinyVocab& v) { v.model = "bert"; }), Code::kUnsupported,
                {"tokenizer.ggml.model", "'bert'", "'gpt2'", "'llama'"});
  check_refused(GgufBuilder(), Code::kUnsupported, {"tokenizer.ggml.model", "nothing"});
  check_refused(GgufBuilder().string("tokenizer.ggml.model", "gpt2"), Code::kCorrupt,
                {"tokenizer.ggml.tokens", "nothing"});
  check_refused(with(bpe, [](TinyVocab& v) { v.tokens.clear(), v.types.clear(); }), Code::kCorrupt,
                {"tokenizer.ggml.tokens", "no tokens"});
  for (const char* merge : {"", "ab", "a ", " ", " b"}) {
    check_refused(with(bpe, [&](TinyVocab& v) { v.merges[1] = merge; }), Code::kCorrupt,
                  {"tokenizer.ggml.merges", "entry 1", merge});
  }
  check_refused(with(bpe, [](TinyVocab& v) { v.types.pop_back(); }), Code::kCorrupt,
                {"token_type", "expected one per token"});
  check_refused(with(bpe, [](TinyVocab& v) { v.types[5] = 7; }), Code::kCorrupt,
                {"token_type", "token 5", "got 7"});
  check_refused(with(bpe, [](TinyVocab& v) { v.types[5] = -1; }), Code::kCorrupt,
                {"token_type", "token 5", "got -1"});
  check_refused(with(spm, [](TinyVocab& v) { v.scores.pop_back(); }), Code::kCorrupt,
                {"scores", "expected one per token"});
  check_refused(with(spm, [](TinyVocab& v) { v.scores.clear(); }), Code::kCorrupt, {"scores", "nothing"});
  check_refused(with(spm, [](TinyVocab& v) { v.scores[3] = std::numeric_limits<float>::quiet_NaN(); }),
                Code::kCorrupt, {"scores", "token 3", "NaN"});
  for (const char* text : {"<0x-1>", "<0x1>", "<0x001>", "<0xG0>", "0x41", "<0x41", "<0x41>x"}) {
    check_refused(with(spm, [&](TinyVocab& v) { v.tokens[3] = text; }), Code::kCorrupt,
                  {"token 3", text, "<0xHH>"});
  }
  GgufBuilder wrong_type = bpe.build();
  check_refused(wrong_type.string("tokenizer.ggml.bos_token_id", "1"), Code::kCorrupt,
                {"tokenizer.ggml.bos_token_id"});
  GgufBuilder wrong_bool = bpe.build();
  check_refused(wrong_bool.u32("tokenizer.ggml.add_bos_token", 1), Code::kCorrupt,
                {"tokenizer.ggml.add_bos_token"});
}

TEST_CASE("very long inputs take linear or n log n time" * doctest::timeout(100)) {
  // Quadratic time would be minutes here, recursion a crash.
  constexpr size_t kLong = 1 << 17;
  TinyVocab v = tiny_bpe("llama-bpe");
  const int32_t special = v.add("<x>", 4);
  for (const char* pre : {"default", "llama-bpe", "deepseek-llm", "deepseek-v3", "tekken", "gpt-4o"}) {
    v.pre = pre;
    const Tokenizer t = loaded(v.build());
    for (const std::string unit :
         {"l", " ", "\n", "A", "1", "!", "'", "\u0301", "\xff", " \n ", "Al", "\u00aaA", "<x>", "<x"}) {
      std::string text;
      while (text.size() < kLong) text += unit;
      for (const std::string end : {"", "z"})
        CHECK(pieces(t, t.encode(text + end, false, true)) == text + end);
      if (unit == "<x>") CHECK(t.encode(text, false, true) == Ids(text.size() / 3, special));
    }
  }
  std::vector<std::string_view> words;
  const std::string spaces = std::string(4 * kLong, ' ') + "1";  // No match for the \s+$ of deepseek-llm.
  pre_tokenize(*find_pre_tokenizer("deepseek-llm"), spaces, words);
  CHECK(words.size() == 2);
  const Tokenizer t = loaded(tiny_spm().build());
  const std::string text(kLong, 'l');
  CHECK(t.encode(text, false, false).size() == 1 + kLong / 2);
}

Ids ids_of_line(const std::string& line) {
  std::istringstream in(line);
  Ids ids;
  for (int32_t id; in >> id;) ids.push_back(id);
  return ids;
}

TEST_CASE("published vectors of whole vocabularies") {
  const char* folder = std::getenv("STERNA_VOCAB_DIR");
  if (!folder) {
    MESSAGE("left out: STERNA_VOCAB_DIR names no folder with ggml-vocab-*.gguf, .inp and .out");
    return;
  }
  for (const char* name : {"llama-spm", "gpt-2", "starcoder", "llama-bpe"}) {
    CAPTURE(name);
    const std::string path = std::string(folder) + "/ggml-vocab-" + name + ".gguf";
    const Result<GgufFile> file = GgufFile::open(path);
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    const Result<Tokenizer> loaded = Tokenizer::from_gguf(file.value(), {});
    REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
    const Tokenizer& t = loaded.value();

    const std::string separator = "\n__ggml_vocab_test__\n", texts = read_file(path + ".inp");
    std::istringstream expected(read_file(path + ".out"));
    std::string line;
    size_t n_texts = 0;
    for (size_t begin = 0, end; (end = texts.find(separator, begin)) != std::string::npos;
         begin = end + separator.size()) {
      const std::string text = texts.substr(begin, end - begin);
      REQUIRE(std::getline(expected, line));
      const Ids ids = t.encode(text, false, false);
      CHECK_MESSAGE(ids == ids_of_line(line), text);
      CHECK(t.decode(ids, true) == text);
      ++n_texts;
    }
    CHECK(n_texts == 46);
  }
  const Result<GgufFile> bert = GgufFile::open(std::string(folder) + "/ggml-vocab-bert-bge.gguf");
  REQUIRE_MESSAGE(bert.ok(), bert.status().message());
  CHECK(int(Tokenizer::from_gguf(bert.value(), {}).status().code()) == int(Code::kUnsupported));
}

TEST_CASE("tokenizer of a small trained model") {
  const char* shared = std::getenv("STERNA_SHARED");
  if (!shared) {
    MESSAGE("left out: STERNA_SHARED names no folder with models/tiny-qwen3-q2_0.gguf");
    return;
  }
  const Result<GgufFile> file = GgufFile::open(std::string(shared) + "/models/tiny-qwen3-q2_0.gguf");
  REQUIRE_MESSAGE(file.ok(), file.status().message());
  const Result<Tokenizer> t = Tokenizer::from_gguf(file.value(), {});
  REQUIRE_MESSAGE(t.ok(), t.status().message());
  CHECK(t.value().size() == 8192);
  CHECK(t.value().pre() == "llama-bpe");
  for (const std::string& text : kNasty)
    CHECK(pieces(t.value(), t.value().encode(text, false, false)) == text);
  const std::string page = "The command prints the names of all files in the directory.";
  CHECK(t.value().encode(page, false, false).size() < page.size() / 3);
}

TEST_SUITE_END();

}  // namespace
