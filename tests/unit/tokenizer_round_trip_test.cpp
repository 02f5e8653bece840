// Round trips of every pre-tokenizer and of SentencePiece, what frames a text, and that text never becomes a
// control token by itself.
#include <doctest/doctest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "llm/text/nfc.h"
#include "llm/text/pretokenize.h"
#include "llm/text/tokenizer.h"
#include "unit/tiny_vocab.h"
#include "unit/tokenizer_check.h"

namespace {

using namespace sterna::testing;
using namespace sterna::text;
using Ids = std::vector<int32_t>;

const std::vector<std::string> kSpaced = {"x != y and a . b",
                                          "for 'manual' , ok ?",
                                          "a 's b 'm 're 've ' t",
                                          "if x ! y",
                                          " leading",
                                          "   three leading",
                                          "trailing ",
                                          "trailing   ",
                                          "\n\n  \t x \r\n ",
                                          "\tint main() { return 0 ; }\n",
                                          "\u2581",
                                          "a\u2581b \u2581 c\u2581\u2581",
                                          " \u2581 ",
                                          "\xe2\x96",
                                          "\xe2\x96 \x81",
                                          "<s></s><unk>",
                                          "hello</s> hello",
                                          "</s>  hello",
                                          "<user>hello <user> hello",
                                          "<0x41>",
                                          "hello hello  hello"};

void check_round_trips(const Tokenizer& t, bool composes) {
  for (const auto* list : {&kNasty, &kInvalid, &kSpaced}) {
    for (const std::string& text : *list) {
      for (const bool parse : {false, true}) {
        CAPTURE(text);
        const std::string expected = composes ? nfc(text) : text;
        CHECK(t.decode(t.encode(text, false, parse), true) == expected);
        if (!parse) CHECK(t.decode(t.encode(text, false, false), false) == expected);
        if (!parse) CHECK(t.decode(t.encode(text, true, false), false) == expected);
      }
    }
  }
}

TEST_SUITE_BEGIN("unit");

TEST_CASE("byte-level BPE: every text comes back, for every pre-tokenizer") {
  std::istringstream names(pre_tokenizer_names());
  size_t n_names = 0;
  for (std::string name; names >> name; ++n_names) {
    CAPTURE(name);
    TinyVocab v = tiny_bpe(name);
    v.add("<user>", 4), v.add("<s>", 3), v.add("</s>", 3), v.add("<unk>", 2);
    const Tokenizer t = loaded(v.build());
    CHECK(t.pre() == name);
    check_round_trips(t, find_pre_tokenizer(name)->nfc);
  }
  CHECK(n_names > 50);
}

TEST_CASE("SentencePiece: every text comes back, with and without the space it puts first") {
  TinyVocab v = tiny_spm();
  v.add("<user>", 4);
  for (const bool prefix : {true, false}) {
    CAPTURE(prefix);
    const Tokenizer t = loaded(v.build().boolean("tokenizer.ggml.add_space_prefix", prefix));
    check_round_trips(t, false);
    CHECK(t.decode(t.encode("hello", true, false), true) == "<s>hello");
    CHECK(t.decode(t.encode("</s>hello<user>hello", false, true), true) == "</s>hello<user>hello");
  }
  SUBCASE("also where a space has no token of its own") {
    for (std::string& token : v.tokens)
      if (token == "\u2581") token = "unused";
    check_round_trips(loaded(v.build()), false);
  }
  SUBCASE("runs of spaces that an older converter calls user-defined") {
    v.add("\u2581\u2581", 4);
    const Tokenizer t = loaded(v.build());
    check_round_trips(t, false);
    CHECK(t.piece(int32_t(t.size()) - 1, false) == "  ");
  }
  SUBCASE("an unknown token that stands for characters splits nothing") {
    TinyVocab bare{"llama", "", {}, {}, {}, {}};
    bare.add("<unk>", 2), bare.add("\u2581", 1), bare.add("b", 1);
    const Tokenizer t = loaded(bare.build());
    CHECK(t.decode(t.encode("z b", false, false), true) == "<unk> b");
  }
}

TEST_CASE("ids that a file does not name do not exist") {
  const Tokenizer bpe = loaded(tiny_bpe("gpt-2").build());
  CHECK(bpe.bos() == -1);
  CHECK(bpe.eos() == -1);
  CHECK(bpe.eot() == -1);
  for (size_t id = 0; id < bpe.size(); ++id) CHECK(!bpe.is_eog(int32_t(id)));
  CHECK(bpe.warnings().empty());

  // Asked for by the pre-tokenizer or by the file, but there is none: a warning, and the text alone.
  for (const char* pre : {"llama-bpe", "gpt-2"}) {
    const Tokenizer t = loaded(tiny_bpe(pre)
                                   .build()
                                   .boolean("tokenizer.ggml.add_bos_token", true)
                                   .boolean("tokenizer.ggml.add_eos_token", true));
    CHECK(!t.add_bos());
    CHECK(!t.add_eos());
    CHECK(t.encode("hello", true, true) == t.encode("hello", false, true));
    CHECK(t.encode_prompt("hello", true, true) == t.encode("hello", false, true));
    REQUIRE(t.warnings().size() == 2);
    CHECK(t.warnings()[0].find("bos_token_id") != std::string::npos);
    CHECK(t.warnings()[1].find("eos_token_id") != std::string::npos);
  }
  CHECK(loaded(tiny_bpe("llama-bpe").build()).warnings().size() == 1);

  // Model "llama": the ids that SentencePiece fixes, where the vocabulary has these tokens there.
  TinyVocab v = tiny_spm();
  const Tokenizer spm = loaded(v.build());
  CHECK(spm.bos() == 1);
  CHECK(spm.eos() == 2);
  SUBCASE("other texts") {
    v.tokens[1] = "one", v.tokens[2] = "two";
    const Tokenizer t = loaded(v.build());
    CHECK(t.bos() == -1);
    CHECK(t.eos() == -1);
    CHECK(!t.add_bos());
    CHECK(!t.is_eog(2));
  }
  SUBCASE("ordinary tokens") {
    v.types[1] = 1;
    CHECK(loaded(v.build()).bos() == -1);
  }
  SUBCASE("a key with an id outside names none") {
    CHECK(loaded(v.build().u32("tokenizer.ggml.bos_token_id", 100000)).bos() == -1);
  }
}

TEST_CASE("a prompt never ends with an added eos, and begins with one bos") {
  TinyVocab v = tiny_bpe("gpt-2");
  const int32_t begin = v.add("<begin>", 3), end = v.add("<end>", 3);
  GgufBuilder b = v.build();
  b.u32("tokenizer.ggml.bos_token_id", uint32_t(begin)).u32("tokenizer.ggml.eos_token_id", uint32_t(end));
  b.boolean("tokenizer.ggml.add_bos_token", true).boolean("tokenizer.ggml.add_eos_token", true);
  const Tokenizer t = loaded(b);
  const int32_t hello = t.encode("hello", false, false)[0];
  CHECK(t.encode("hello", true, true) == Ids{begin, hello, end});
  CHECK(t.encode_prompt("hello", true, true) == Ids{begin, hello});
  CHECK(t.encode_prompt("hello", false, true) == Ids{hello});
  CHECK(t.encode_prompt("<begin>hello", true, true) == Ids{begin, hello});
  CHECK(t.encode("<begin>hello<end>", true, true) == Ids{begin, hello, end});
  CHECK(t.encode_prompt("hello<end>", true, true) == Ids{begin, hello, end});  // The caller's own.
  CHECK(t.encode("<begin>", true, false).size() > 2);                          // Only its text: no bos.
  CHECK(t.encode("<begin>", true, false)[0] == begin);
  CHECK(t.encode("", true, true) == Ids{begin, end});
}

TEST_CASE("texts of fill-in-the-middle and of end tokens are control tokens, whatever the file calls them") {
  for (const int type : {1, 4}) {
    TinyVocab v = tiny_bpe("deepseek-coder");
    std::map<std::string, int32_t> ids;
    for (const char* text :
         {"<|fim_prefix|>", "<fim-suffix>", "<fim_middle>", "<\uff5cfim\u2581begin\uff5c>",
          "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>", "<PRE>", "<SUF>", "<MID>",
          "\u2581<MID>", "<|code_prefix|>", "<|fim_pad|>", "<fim-repo>", "<|file_sep|>", "</s>", "<eos>",
          "<|im_end|>", "<end_of_turn>", "<\uff5cend\u2581of\u2581sentence\uff5c>"}) {
      ids[text] = v.add(text, type);
    }
    const Tokenizer t = loaded(v.build());
    for (const auto& [text, id] : ids) {
      CAPTURE(text);
      CHECK(t.is_control(id));
      CHECK(t.encode(text, false, true) == Ids{id});
      for (const int32_t plain : t.encode("a" + text + "b", false, false)) CHECK(plain != id);
      CHECK(t.piece(id, false).empty());
    }
    for (const char* text : {"<|fim_pad|>", "<fim-repo>", "<|file_sep|>", "</s>", "<eos>"})
      CHECK(t.is_eog(ids[text]));
    CHECK(!t.is_eog(ids["<|fim_prefix|>"]));
  }
  // A token that a key names as one of them.
  TinyVocab v = tiny_bpe("gpt-2");
  const int32_t prefix = v.add("<my prefix>", 4), end = v.add("<my end>", 4), old = v.add("<old middle>", 4);
  const Tokenizer t = loaded(v.build()
                                 .u32("tokenizer.ggml.fim_pre_token_id", uint32_t(prefix))
                                 .u32("tokenizer.ggml.middle_token_id", uint32_t(old))
                                 .u32("tokenizer.ggml.eos_token_id", uint32_t(end)));
  for (const int32_t id : {prefix, end, old}) CHECK(t.is_control(id));
}

TEST_CASE("merging never makes a control token of text") {
  TinyVocab v = tiny_bpe("llama-bpe");
  v.merges.insert(v.merges.end(), {"< /", "</ s", "</s >", "E O", "EO S"});
  for (const char* token : {"</", "</s"}) v.add(token, 1);
  const int32_t end = v.add("</s>", 3), word = v.add("EOS", 3);
  const Tokenizer bpe = loaded(v.build());
  for (const char* text : {"</s>", "EOS", "a </s>"}) {
    for (const int32_t id : bpe.encode(text, false, false)) {
      CHECK(id != end);
      CHECK(id != word);
    }
    CHECK(bpe.decode(bpe.encode(text, false, false), false) == text);
  }
  CHECK(bpe.encode("</s>", false, true) == Ids{end});

  TinyVocab s = tiny_spm();
  for (const char* token : {"<", "/", "s", ">", "</", "s>"}) s.add(token, 1, -1);
  const Tokenizer spm = loaded(s.build());
  for (const int32_t id : spm.encode("</s>", false, false)) CHECK(id != 2);
  CHECK(spm.encode("</s>", false, true) == Ids{2});
}

TEST_CASE("a text as generation spells it") {
  TinyVocab v = tiny_spm();
  v.add("<|turn|>", 3);
  const Tokenizer t = loaded(v.build());
  CHECK(t.as_generated("<|turn|>hello") == "<|turn|> hello");
  CHECK(t.as_generated("hello <|turn|>") == "hello <|turn|>");
  CHECK(loaded(tiny_bpe("gpt-2").build()).as_generated("a<|turn|>b") == "a<|turn|>b");
}

TEST_SUITE_END();

}  // namespace
