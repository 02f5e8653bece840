// Decoding allocates nothing per token.
#include <doctest/doctest.h>

#include "unit/allocations.h"

#ifndef STERNA_TSAN

#include <string>

#include "sterna/sterna.h"

namespace sterna {

TEST_SUITE("unit") {
  TEST_CASE("decoding a token allocates nothing") {
    for (const char* kv_type : {"f16", "int8"}) {
      for (const char* name :
           {"python/sterna/data/sterna-tiny.gguf", "tests/data/models/mini-bitnet-i2_s.gguf",
            "tests/data/models/mini-llama-kquants.gguf", "tests/data/models/mini-qwen3-q1_0.gguf",
            "tests/data/models/mini-qwen3moe.gguf", "tests/data/models/mini-llama-iq.gguf",
            "tests/data/models/mini-gemma3.gguf", "tests/data/models/mini-exaone4.gguf",
            "tests/data/models/mini-mistral3.gguf", "tests/data/models/mini-gemma2.gguf",
            "tests/data/models/mini-arcee.gguf", "tests/data/models/mini-granitemoe.gguf"}) {
        LoadOptions options;
        options.n_threads = 2;
        options.kv_type = kv_type;
        auto model = Model::load(std::string(STERNA_TEST_DATA_DIR) + "/../" + name, options);
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        const auto count = [&](size_t n_tokens) {
          const size_t before = testing::allocations();
          REQUIRE(model.value().bench(0, n_tokens, 0, {}).ok());
          return testing::allocations() - before;
        };
        CAPTURE(name);
        count(40);  // keys and values get memory for 256 tokens at a time, which stays
        CHECK(count(1) == count(40));
        CHECK(count(1) > 0);  // the counter counts
      }
    }
  }
}

}  // namespace sterna

#endif  // STERNA_TSAN
