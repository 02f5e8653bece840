// The public Tokenizer: from files with and without weights, and what it refuses.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "sterna/model.h"
#include "sterna/tokenizer.h"
#include "unit/gguf_builder.h"
#include "unit/tiny_vocab.h"

namespace sterna {
namespace {

const std::string kModels = std::string(STERNA_TEST_DATA_DIR) + "/data/models/";

TEST_SUITE_BEGIN("unit");

TEST_CASE("a vocabulary without weights") {
  testing::TinyVocab v = testing::tiny_bpe("qwen2");
  const int32_t end = v.add("<|im_end|>", 3);
  const testing::Bytes image = v.build().u32("tokenizer.ggml.eos_token_id", uint32_t(end)).build();
  const std::string path = "tokenizer_test_vocabulary.gguf";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(image.data()), long(image.size()));
  Result<Tokenizer> loaded = Tokenizer::load(path);
  const Result<Tokenizer> other = Tokenizer::load(path, "no-such-pre");
  std::remove(path.c_str());
  REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
  const Tokenizer t = std::move(loaded.value());
  CHECK(t.size() == v.tokens.size());
  CHECK(t.model() == "gpt2");
  CHECK(t.pre() == "qwen2");
  CHECK(t.bos() == -1);
  CHECK(t.eos() == end);
  CHECK(t.eot() == end);
  CHECK(!t.add_bos());
  CHECK(!t.add_eos());
  CHECK(t.is_eog(end));
  CHECK(t.text(end) == "<|im_end|>");
  CHECK(t.text(-1).empty());
  CHECK(t.warnings().empty());
  const auto ids = t.encode("hello <|im_end|>");
  REQUIRE(ids.ok());
  CHECK(ids.value().size() > 5);
  CHECK(t.decode(ids.value()).value() == "hello <|im_end|>");
  const auto parsed = t.encode("hello<|im_end|>", true, true);
  REQUIRE(parsed.ok());
  CHECK(parsed.value().size() == 2);
  CHECK(t.decode(parsed.value()).value() == "hello");
  CHECK(t.decode(parsed.value(), true).value() == "hello<|im_end|>");
  CHECK(int(other.status().code()) == int(Code::kUnsupported));
}

TEST_CASE("the tokenizer of a model's file is the model's") {
  for (const char* name : {"mini-qwen3-q1_0.gguf", "mini-spm.gguf"}) {
    auto model = Model::load(kModels + name, {});
    const auto t = Tokenizer::load(kModels + name);
    REQUIRE(model.ok());
    REQUIRE_MESSAGE(t.ok(), t.status().message());
    for (const bool flag : {false, true}) {
      GenerateOptions options;
      options.add_special = options.parse_special = flag;
      const auto ids = t.value().encode("a b\u00e9 <s>", flag, flag);
      const auto of_model = model.value().prompt_tokens("a b\u00e9 <s>", options);
      REQUIRE((ids.ok() && of_model.ok()));
      CHECK(ids.value() == of_model.value());
    }
  }
  CHECK(int(Tokenizer::load(kModels + "none.gguf").status().code()) == int(Code::kNotFound));
}

TEST_CASE("what generate() continues: one bos, no eos") {
  const auto model = Model::load(kModels + "mini-spm.gguf", {});
  REQUIRE(model.ok());
  const auto ids = model.value().prompt_tokens("<s>a", {});
  REQUIRE(ids.ok());
  CHECK(ids.value() == model.value().prompt_tokens("a", {}).value());
  CHECK(ids.value()[0] == model.value().info().bos);
  GenerateOptions bare;
  bare.add_special = bare.parse_special = false;
  CHECK(model.value().prompt_tokens("a", bare).value()[0] != model.value().info().bos);
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna
