// What may be done to the output matrix: screening changes no token, fewer bits change the logits a little
// and on every machine alike.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "fast.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

const std::string kRepo = std::string(STERNA_TEST_DATA_DIR) + "/../";

struct Case {
  std::string path;
  bool screened = true;  ///< Whether the type of its output matrix can be.
  bool pays = true;  ///< Whether planes of 4 bits are less than the matrix; else nearly all tokens read it.
};

std::vector<Case> models() {
  const std::string mini = kRepo + "tests/data/models/mini-";
  std::vector<Case> all = {{mini + "bitnet-i2_s.gguf"},
                           {mini + "llama-mixed.gguf", true, false},
                           {mini + "llama-kquants.gguf", false, false},
                           {mini + "qwen2-q8_0.gguf", true, false},
                           {mini + "qwen3-q1_0.gguf", true, false},
                           {mini + "spm.gguf", true, false},
                           {mini + "gemma2.gguf", true, false},
                           {mini + "granitemoe.gguf", true, false},
                           {kRepo + "python/sterna/data/sterna-tiny.gguf"}};
  const char* shared = std::getenv("STERNA_SHARED");
  if (shared && !testing::fast())
    for (const auto& entry : std::filesystem::directory_iterator(std::string(shared) + "/models"))
      if (entry.path().extension() == ".gguf") all.push_back({entry.path().string()});
  return all;
}

Result<Model> load(const std::string& path, const std::string& screen, int head_bits = 0) {
  LoadOptions o;
  o.n_threads = 2;
  o.screen = screen;
  o.head_bits = head_bits;
  return Model::load(path, o);
}

std::vector<int32_t> prompt() { return {10, 20, 30, 40, 50}; }

std::vector<float> logits(Model& model) {
  std::vector<int32_t> t;
  for (int i = 0; i < 24; i++) t.push_back((i * 37 + 11) % 300);
  std::vector<float> out(t.size() * model.info().n_vocab);
  REQUIRE(model.forward(t, out, {}).ok());
  return out;
}

}  // namespace

TEST_SUITE("golden") {
  TEST_CASE("screening changes no token") {
    const uint64_t n_seeds = testing::fast() ? 1 : 3, n_tokens = testing::fast() ? 60 : 240;
    GenerateOptions greedy;
    greedy.temperature = 0;
    GenerateOptions top_k = greedy;
    top_k.temperature = 1, top_k.top_k = 20;
    GenerateOptions min_p = top_k;
    min_p.top_k = 0, min_p.top_p = 1;
    GenerateOptions both = top_k;
    both.top_p = 1, both.temperature = 1.3f;
    GenerateOptions top_p = top_k;  // needs all logits
    top_p.top_k = 0;
    GenerateOptions penalty = greedy;  // as well
    penalty.repeat_penalty = 1.2f;
    struct Way {
      const char* name;
      GenerateOptions options;
      bool screened;
    };
    const Way ways[] = {{"greedy", greedy, true}, {"top-k", top_k, true},  {"min-p", min_p, true},
                        {"both", both, true},     {"top-p", top_p, false}, {"penalty", penalty, false}};
    for (const Case& c : models()) {
      CAPTURE(c.path);
      auto with = load(c.path, "on"), without = load(c.path, "off");
      REQUIRE_MESSAGE(without.ok(), without.status().message());
      CHECK(without.value().info().screen_bytes == 0);
      if (!c.screened) {
        CHECK(with.status().code() == Code::kUnsupported);
        CHECK(with.status().message().find("screening of type Q4_K") != std::string::npos);
        continue;
      }
      REQUIRE_MESSAGE(with.ok(), with.status().message());
      CHECK(with.value().info().screen_bytes > 0);
      uint64_t rows = 0, tokens = 0;
      for (const Way& way : ways) {
        CAPTURE(way.name);
        for (uint64_t seed = 0; seed < n_seeds; seed++) {
          GenerateOptions o = way.options;
          o.seed = seed;
          o.ignore_eos = true;
          o.max_tokens = int(n_tokens);
          const auto a = with.value().generate(prompt(), o, {}),
                     b = without.value().generate(prompt(), o, {});
          REQUIRE((a.ok() && b.ok()));
          CHECK(a.value().tokens == b.value().tokens);
          const ScreenStats& s = a.value().screen;
          CHECK(s.tokens + s.full == n_tokens);
          if (!way.screened) CHECK(s.tokens == 0);
          CHECK(b.value().screen.full == n_tokens);
          rows += s.after_8, tokens += s.tokens;
        }
      }
      if (c.pays) CHECK(tokens > 0);
      MESSAGE(c.path << ": " << tokens << " tokens screened, "
                     << double(rows) / double(std::max<uint64_t>(tokens, 1)) << " of "
                     << with.value().info().n_vocab << " rows computed exactly");
      CHECK(logits(with.value()) == logits(without.value()));
    }
  }

  TEST_CASE("an output matrix of fewer bits: small errors, the same on every instruction set") {
    // Rounding to 2^bits steps over the range of a block gives a relative error near 2^-bits; the int8
    // activations that come with it, where the file has floats, about 0.5 %.
    for (const Case& c : models()) {
      if (c.path.find("mini-qwen3") != std::string::npos) continue;  // 1 bit: more would only be slower
      CAPTURE(c.path);
      auto original = load(c.path, "off");
      REQUIRE(original.ok());
      const std::vector<float> want = logits(original.value());
      for (const auto& [bits, limit] : {std::pair{8, 0.01}, {6, 0.03}, {4, 0.12}}) {
        CAPTURE(bits);
        const size_t n_embd = original.value().info().n_embd;
        if (bits == 6 && n_embd % 256) {
          const Status s = load(c.path, "off", bits).status();
          CHECK(s.code() == Code::kInvalidArgument);
          const std::string got = "head_bits, got 6 for rows of " + std::to_string(n_embd) + " elements";
          CHECK(s.message().find(got) != std::string::npos);
          continue;
        }
        std::vector<float> first;
        for (const IsaInfo& isa : isas()) {
          if (!isa.supported) continue;
          REQUIRE(force_isa(isa.name).ok());
          auto model = load(c.path, "on", bits);
          REQUIRE_MESSAGE(model.ok(), model.status().message());
          const std::vector<float> got = logits(model.value());
          if (first.empty()) first = got;
          CHECK(got == first);
        }
        REQUIRE(force_isa("auto").ok());
        double error = 0, size = 0;
        for (size_t i = 0; i < want.size(); i++) {
          error += (double(first[i]) - want[i]) * (double(first[i]) - want[i]);
          size += double(want[i]) * want[i];
        }
        CHECK(std::sqrt(error / size) < limit);
        // Q8_0 is its own 8-bit form.
        const bool same = bits == 8 && c.path.find("bitnet") == std::string::npos &&
                          c.path.find("mixed") == std::string::npos &&
                          c.path.find("kquants") == std::string::npos;
        if (c.path.find(kRepo) == 0) CHECK((error == 0) == same);
        // Screened as well: the same tokens as without.
        auto with = load(c.path, "on", bits), without = load(c.path, "off", bits);
        GenerateOptions o;
        o.temperature = 0, o.max_tokens = 50, o.ignore_eos = true;
        CHECK(with.value().generate(prompt(), o, {}).value().tokens ==
              without.value().generate(prompt(), o, {}).value().tokens);
      }
    }
  }

  TEST_CASE("wrong options for the output matrix are refused by name") {
    const std::string path = models().back().path;
    for (const int bits : {-1, 1, 5, 16}) {
      const Status s = load(path, "auto", bits).status();
      CHECK(s.code() == Code::kInvalidArgument);
      CHECK(s.message().find("head_bits, got " + std::to_string(bits)) != std::string::npos);
    }
    const Status s = load(path, "maybe").status();
    CHECK(s.code() == Code::kInvalidArgument);
    CHECK(s.message().find("screen, got 'maybe', expected auto, on or off") != std::string::npos);
  }
}

}  // namespace sterna
