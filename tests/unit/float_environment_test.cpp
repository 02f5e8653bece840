// The same bits in any floating-point mode of the caller, who finds it as it was; callbacks run in it.
#include <doctest/doctest.h>

#include <cfenv>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "sterna/sterna.h"

namespace sterna {
namespace {

#if defined(__x86_64__)
uint64_t get_mode() { return __builtin_ia32_stmxcsr() & ~0x3fu; }  // without the flags of what happened
void set_mode(uint64_t mode) { __builtin_ia32_ldmxcsr(uint32_t(mode)); }
const std::vector<uint64_t> kModes = {0x1f80, 0x1f80 | 0x8040 /* flush denormals */, 0x1f80 | 0x4000 /* up */,
                                      0x1f80 | 0x2000 /* down */, 0x1f80 | 0x6000 /* to zero */};
#elif defined(__aarch64__)
uint64_t get_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_mode(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
const std::vector<uint64_t> kModes = {0, 1u << 24, 1u << 22, 2u << 22, 3u << 22};
#endif

std::string path(const char* name) {
  return std::string(STERNA_TEST_DATA_DIR) + "/data/models/" + name + ".gguf";
}

using Bytes = std::vector<uint8_t>;

template <class T>
void append(Bytes& to, const std::vector<T>& from) {
  const auto* p = reinterpret_cast<const uint8_t*>(from.data());
  to.insert(to.end(), p, p + from.size() * sizeof(T));
}

/// Activations, made in the default mode.
const std::vector<float>& example() {
  static const std::vector<float> x = [] {
    std::vector<float> v(3 * 64);
    for (size_t i = 0; i < v.size(); i++) v[i] = float(int(i * 37 % 101) - 50) * 1e-3f;
    return v;
  }();
  return x;
}

/// Results of the calls without a model, some of them built from denormals.
Bytes matmuls() {
  Bytes all;
  std::vector<uint8_t> codes(64 * 64);
  const std::vector<float>& x = example();
  std::vector<float> y(x.size());
  for (size_t i = 0; i < codes.size(); i++) codes[i] = uint8_t(i * 7 % 3);
  for (const float scale : {1.0f, 1e-38f, 3e-41f})
    for (const int act_bits : {4, 8, 16}) {
      const std::vector<float> scales(64, scale);
      auto w = PackedWeights::pack(codes, scales, 64, 64, {});
      REQUIRE(w.ok());
      REQUIRE(w.value().matmul(x, y, 3, 2, act_bits).ok());
      append(all, y);
    }
  const std::vector<uint8_t> q8(34 * 2, 3);  // scale 0x0303: a denormal of f16
  std::vector<float> out(64);
  REQUIRE(dequantize("Q8_0", q8, 64, out).ok());
  append(all, out);
  return all;
}

Bytes run(Model& m) {
  Bytes all;
  std::vector<int32_t> tokens(40);
  std::iota(tokens.begin(), tokens.end(), 3);
  std::vector<float> logits(tokens.size() * m.info().n_vocab);
  REQUIRE(m.forward(tokens, logits, {}).ok());
  append(all, logits);
  auto ppl = m.perplexity(tokens, 20, {});
  REQUIRE(ppl.ok());
  append(all, std::vector<double>{ppl.value().nll});
  GenerateOptions o;
  o.max_tokens = 20, o.seed = 5, o.temperature = 1.5f, o.ignore_eos = true;
  auto r = m.generate(std::span<const int32_t>(tokens).first(5), o, {});
  REQUIRE(r.ok());
  append(all, r.value().tokens);
  return all;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("no mode of the caller changes a bit, and none is changed") {
    const uint64_t before = get_mode();
    REQUIRE(!example().empty());
    for (const char* name : {"mini-bitnet-i2_s", "mini-llama-kquants", "mini-qwen3-q1_0"})
      for (const int n_threads : {1, 3}) {
        LoadOptions options;
        options.n_threads = n_threads;
        Bytes want, want_matmuls;
        for (const uint64_t mode : kModes) {
          set_mode(mode);
          auto fresh = Model::load(path(name), options);
          const bool ok = fresh.ok();
          const Bytes got = ok ? run(fresh.value()) : Bytes(), products = matmuls();
          const uint64_t after = get_mode();
          set_mode(before);
          REQUIRE(ok);
          CHECK(after == mode);
          if (want.empty()) want = got, want_matmuls = products;
          CHECK(got == want);
          CHECK(products == want_matmuls);
          CHECK(run(fresh.value()) == want);  // loaded in that mode, called in the default one
        }
      }
  }

  TEST_CASE("callbacks run in the caller's mode, and one that changes it changes no bit") {
    const uint64_t before = get_mode();
    LoadOptions options;
    options.n_threads = 2;
    uint64_t seen = 0;
    options.progress = [&](float) { return seen = get_mode(), true; };
    set_mode(kModes[1]);
    auto model = Model::load(path("mini-llama-mixed"), options);
    set_mode(before);
    REQUIRE(model.ok());
    CHECK(seen == kModes[1]);

    GenerateOptions o;
    o.max_tokens = 30, o.temperature = 0, o.ignore_eos = true;
    const std::vector<int32_t> prompt = {3, 4, 5};
    auto want = model.value().generate(std::span<const int32_t>(prompt), o, {});
    REQUIRE(want.ok());
    o.keep_going = [&] { return set_mode(kModes[2]), true; };
    auto got = model.value().generate(std::span<const int32_t>(prompt), o, [&](const Token&) {
      seen = get_mode();
      set_mode(kModes[3]);
      return true;
    });
    const uint64_t after = get_mode();
    set_mode(before);
    REQUIRE(got.ok());
    CHECK(got.value().tokens == want.value().tokens);
    CHECK((seen == kModes[2] || seen == kModes[3]));  // what the callback before had set
    CHECK((after == kModes[2] || after == kModes[3]));
  }
}

}  // namespace sterna
