// Sampling, generation and the raw matmul on the packaged model and on small matrices.
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "backends/cpu/rope.h"
#include "base/random.h"
#include "llm/engine/sampler.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

const std::string kTiny = std::string(STERNA_TEST_DATA_DIR) + "/../python/sterna/data/sterna-tiny.gguf";

Model tiny(LoadOptions options = {}) {
  auto m = Model::load(kTiny, options);
  REQUIRE_MESSAGE(m.ok(), m.status().message());
  return std::move(m.value());
}

GenerateOptions greedy(int n) {
  GenerateOptions o;
  o.temperature = 0;
  o.max_tokens = n;
  return o;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the generator is xoshiro256** seeded by splitmix64") {
    Random r(0);  // first output for splitmix64 state 0, computed by hand from the published algorithms
    CHECK(r.next() == 0x99ec5f36cb75f2b4);
    Random a(42), b(42);
    for (int i = 0; i < 100; i++) {
      const double u = a.uniform();
      CHECK(u == b.uniform());
      CHECK((u >= 0 && u < 1));
    }
  }

  TEST_CASE("sampling filters as documented") {
    const std::vector<float> logits = {1, 5, 3, 5, 2};
    const auto drawn = [&](GenerateOptions o, std::vector<int32_t> history = {}) {
      std::set<int32_t> seen;
      for (uint64_t seed = 0; seed < 300; seed++) {
        o.seed = seed;
        engine::Sampler s(o);
        std::vector<cpu::Candidate> l;
        for (size_t i = 0; i < logits.size(); i++) l.push_back({int32_t(i), logits[i]});
        seen.insert(s.sample(l, history));
      }
      return seen;
    };
    GenerateOptions all;
    all.temperature = 3, all.top_k = 0, all.top_p = 1, all.min_p = 0;
    CHECK(drawn(all) == std::set<int32_t>{0, 1, 2, 3, 4});
    GenerateOptions o = all;
    o.temperature = 0;
    CHECK(drawn(o) == std::set<int32_t>{1});  // a tie goes to the smaller id
    o.repeat_penalty = 10;
    CHECK(drawn(o, {1, 3}) == std::set<int32_t>{2});
    o = all;
    o.top_k = 2;
    CHECK(drawn(o) == std::set<int32_t>{1, 3});
    o = all;
    o.top_p = 0.6f;  // 5 and 5 have 0.44 each at temperature 1
    CHECK(drawn(o) == std::set<int32_t>{1, 3});
    o = all;
    o.min_p = 0.1f;  // e^-2 = 0.135 stays, e^-3 goes
    CHECK(drawn(o) == std::set<int32_t>{1, 2, 3});
    o = all;
    o.top_p = 0;  // the best only
    CHECK(drawn(o) == std::set<int32_t>{1});
    o = all;
    o.min_p = 1;
    CHECK(drawn(o) == std::set<int32_t>{1, 3});
    o = all;
    o.temperature = 1e-45f;
    CHECK(drawn(o) == std::set<int32_t>{1, 3});
    o = all;
    o.top_k = INT32_MAX;
    CHECK(drawn(o) == drawn(all));
    o.repeat_penalty = 1e-38f;  // infinite logits
    CHECK(drawn(o, {1, 3}) == std::set<int32_t>{1, 3});
  }

  TEST_CASE("rotary angles against libm") {
    cpu::RopeSpec s;
    s.n_rot = 64, s.base = 500000;
    std::vector<float> cos(32), sin(32);
    for (size_t pos : {0, 1, 77, 4095, 131071}) {
      cpu::rope_row(s, {}, pos, cos.data(), sin.data());
      for (size_t i = 0; i < 32; i++) {
        const double angle = double(pos) * std::pow(500000.0, -2.0 * double(i) / 64);
        CHECK(std::abs(cos[i] - std::cos(angle)) < 1e-7);
        CHECK(std::abs(sin[i] - std::sin(angle)) < 1e-7);
      }
    }
  }

  TEST_CASE("generation: reuse of the prefix, stop texts, limits, cancelling") {
    Model m = tiny();
    const std::string prompt = "The ls command lists";
    auto first = m.generate(prompt, greedy(24), {});
    REQUIRE(first.ok());
    CHECK(first.value().tokens.size() == 24);
    CHECK(first.value().n_reused == 0);
    std::string streamed;
    auto again = m.generate(prompt, greedy(24), [&](const Token& t) { return streamed += t.text, true; });
    REQUIRE(again.ok());
    CHECK(again.value().tokens == first.value().tokens);
    CHECK(again.value().n_reused == again.value().n_prompt - 1);
    CHECK(streamed == first.value().text);

    GenerateOptions stop = greedy(24);
    const std::string word = first.value().text.substr(first.value().text.size() / 2, 4);
    stop.stop = {"never there", word};
    auto stopped = m.generate(prompt, stop, {});
    REQUIRE(stopped.ok());
    CHECK(stopped.value().stop == GenerateResult::Stop::kStopText);
    CHECK(stopped.value().text == first.value().text.substr(0, first.value().text.find(word)));

    int calls = 0;
    auto cut = m.generate(prompt, greedy(24), [&](const Token&) { return ++calls < 3; });
    REQUIRE(cut.ok());
    CHECK(cut.value().stop == GenerateResult::Stop::kCallback);
    CHECK(cut.value().tokens.size() == 3);
    GenerateOptions cancelled = greedy(24);
    cancelled.keep_going = [] { return false; };
    auto none = m.generate("Something else", cancelled, {});
    REQUIRE(none.ok());
    CHECK(none.value().stop == GenerateResult::Stop::kCallback);
    CHECK(none.value().tokens.empty());
    auto after = m.generate(prompt, greedy(24), {});
    REQUIRE(after.ok());
    CHECK(after.value().text == first.value().text);

    GenerateOptions seeded = greedy(24);
    seeded.temperature = 1.5f, seeded.seed = 7;
    auto a = m.generate(prompt, seeded, {});
    auto b = m.generate(prompt, seeded, {});
    REQUIRE((a.ok() && b.ok()));
    CHECK(a.value().text == b.value().text);
    CHECK(a.value().text != first.value().text);
  }

  TEST_CASE("a full context ends generation") {
    LoadOptions small;
    small.n_ctx = 16;
    Model m = tiny(small);
    GenerateOptions o = greedy(-1);
    o.ignore_eos = true;
    auto r = m.generate("The ls command lists", o, {});
    REQUIRE(r.ok());
    CHECK(r.value().stop == GenerateResult::Stop::kContext);
    CHECK(r.value().n_prompt + r.value().tokens.size() == 17);  // the last one is not in the cache
    const std::vector<int32_t> too_long(17, 1);
    CHECK(m.generate(std::span<const int32_t>(too_long), o, {}).status().code() == Code::kInvalidArgument);
  }

  TEST_CASE("loading can be cancelled and options are checked") {
    LoadOptions o;
    o.progress = [](float) { return false; };
    CHECK(Model::load(kTiny, o).status().code() == Code::kCancelled);
    CHECK(Model::load("/nonexistent.gguf", {}).status().code() == Code::kNotFound);
    LoadOptions bad;
    bad.n_threads = 0;
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
    bad = {};
    bad.n_batch = 0;
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
    bad = {};
    bad.activation = "relu2";  // only bitnet files leave the activation open
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
  }

  TEST_CASE("the raw matmul gives the same values as plain loops over the quantized activations") {
    for (int bits : {1, 2, 4, 8}) {
      for (size_t block : {size_t(0), size_t(32), size_t(64)}) {
        const size_t rows = 21, depth = block ? 192 : 101, n_tokens = 5, n_scales = block ? depth / block : 1;
        Random r(uint64_t(bits) * 100 + block);
        std::vector<uint8_t> codes(rows * depth);
        for (uint8_t& c : codes) c = uint8_t(r.next() & ((1u << bits) - 1));
        std::vector<float> scales(rows * n_scales), x(n_tokens * depth), out(n_tokens * rows);
        for (float& s : scales) s = float(r.uniform() - 0.5);
        for (float& v : x) v = float(r.uniform() * 4 - 2);
        PackOptions o;
        o.bits = bits, o.block = block, o.zero = bits == 1 ? 1 : 3;
        auto w = PackedWeights::pack(codes, scales, rows, depth, o);
        REQUIRE_MESSAGE(w.ok(), w.status().message());
        REQUIRE(w.value().matmul(x, out, n_tokens, 2).ok());
        const size_t step = block ? block : depth;
        for (size_t t = 0; t < n_tokens; t++)
          for (size_t row = 0; row < rows; row++) {
            float y = 0;
            for (size_t b = 0; b < n_scales; b++) {
              const float* v = x.data() + t * depth + b * step;
              float amax = 0;
              for (size_t k = 0; k < step; k++) amax = std::max(amax, std::abs(v[k]));
              int dot = 0;
              for (size_t k = 0; k < step; k++)
                dot += int(std::nearbyint(v[k] * (127.0f / amax))) *
                       ((bits == 1 ? 2 : 1) * codes[row * depth + b * step + k] - o.zero);
              const float scale = scales[row * n_scales + b] * (amax / 127.0f);
              y = block ? std::fma(float(dot), scale, y) : float(dot) * scale;
            }
            CHECK(out[t * rows + row] == y);
          }
      }
    }
  }

  TEST_CASE("pack refuses what it cannot represent") {
    const std::vector<uint8_t> codes(64, 1);
    const std::vector<float> scales(2, 1.0f);
    const auto code = [&](size_t rows, size_t depth, PackOptions o, std::vector<uint8_t> c,
                          std::vector<float> s) {
      return PackedWeights::pack(c, s, rows, depth, o).status().code();
    };
    CHECK(code(2, 32, {}, codes, scales) == Code::kOk);
    CHECK(code(2, 33, {}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(0, 0, {}, {}, {}) == Code::kInvalidArgument);
    CHECK(code(2, 32, {}, std::vector<uint8_t>(64, 4), scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {}, codes, {1.0f, NAN}) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.bits = 0}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.bits = 9}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.block = 48}, codes, scales) == Code::kInvalidArgument);
  }
}

}  // namespace sterna
