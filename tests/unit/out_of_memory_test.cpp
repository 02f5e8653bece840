// Every allocation of every public call fails once, as SQLite tests it: the call says kOutOfMemory (or does
// without), no exception leaves it, no worker ends the process; afterwards all bits are as before.
#include <doctest/doctest.h>

#include "unit/allocations.h"

#ifndef STERNA_TSAN

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fast.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

namespace fs = std::filesystem;
using Call = std::function<Code()>;

struct Subject {
  explicit Subject(const std::string& file) : path(file), model(load()) {
    logits.resize(tokens.size() * model.info().n_vocab);
    want = logits;
    REQUIRE(model.forward(tokens, want, {}).ok());
    auto w = PackedWeights::pack(codes, scales, 64, 64, {});
    REQUIRE(w.ok());
    weights.push_back(std::move(w.value()));
    REQUIRE(weights[0].matmul(x, y, 2, 2, 8).ok());
  }
  Model load() {
    auto m = Model::load(path, options());
    REQUIRE_MESSAGE(m.ok(), m.status().message());
    return std::move(m.value());
  }
  static LoadOptions options() {
    LoadOptions o;
    o.n_ctx = 64, o.n_threads = 2;
    return o;
  }
  bool intact() {
    std::vector<float> z(128);
    return model.forward(tokens, logits, {}).ok() && logits == want &&
           weights[0].matmul(x, z, 2, 2, 8).ok() && z == y;
  }

  std::string path;
  Model model;
  std::vector<int32_t> tokens = {1, 2, 3, 4, 1, 2, 3};
  std::vector<float> logits, want;
  std::vector<uint8_t> codes = std::vector<uint8_t>(64 * 64, 1);
  std::vector<float> scales = std::vector<float>(64, 1), x = std::vector<float>(128, 0.5f),
                     y = std::vector<float>(128);
  std::vector<PackedWeights> weights;
};

/// `call` with its 1st, 2nd, ... allocation failing until it needs no more.
void fail_each(Subject& s, const char* name, const Call& call, size_t step = 1) {
  CAPTURE(name);
  CAPTURE(s.path);
  for (size_t n = 0;; n += step) {
    REQUIRE(n < 100000);
    testing::fail_allocation(n);
    Code code = Code::kOk;
    bool escaped = false;
    try {
      code = call();
    } catch (...) {
      escaped = true;
    }
    if (!testing::stop_failing()) break;
    if (escaped || (code != Code::kOutOfMemory && code != Code::kOk) || !s.intact()) {
      CAPTURE(n);
      CAPTURE(int(code));
      CHECK_FALSE(escaped);
      CHECK((code == Code::kOutOfMemory || code == Code::kOk));
      CHECK(s.intact());
      break;
    }
  }
}

void fail_model_calls(Subject& s) {
  Model& m = s.model;
  GenerateOptions g;
  g.max_tokens = 8, g.lookup = 4, g.temperature = 0, g.ignore_eos = true;
  g.stop = {"a text that never comes and is long enough to be allocated"};
  GenerateOptions sampled = g;
  sampled.temperature = 1, sampled.seed = 3, sampled.repeat_penalty = 1.3f, sampled.lookup = 0;
  const std::span<const int32_t> ids(s.tokens);
  fail_each(s, "forward", [&] { return m.forward(ids, s.logits, {}).code(); });
  fail_each(s, "generate from ids", [&] { return m.generate(ids, g, {}).status().code(); });
  fail_each(s, "generate, sampled", [&] { return m.generate(ids, sampled, {}).status().code(); });
  fail_each(s, "generate from text", [&] { return m.generate("ab cd ef gh", g, {}).status().code(); });
  fail_each(s, "tokenize", [&] { return m.tokenize("ab <|im_end|> gh", true, true).status().code(); });
  fail_each(s, "prompt_tokens", [&] { return m.prompt_tokens("ab <|im_end|> gh", g).status().code(); });
  fail_each(s, "detokenize", [&] { return m.detokenize(ids, true).status().code(); });
  fail_each(s, "perplexity", [&] { return m.perplexity(ids, 4, {}).status().code(); });
  fail_each(s, "bench", [&] { return m.bench(4, 2, 2, {}).status().code(); });
  fail_each(s, "info",
            [&] { return m.tensors().empty() || m.metadata().empty() ? Code::kCorrupt : Code::kOk; });
  const size_t step = testing::fast() ? 7 : 1;
  fail_each(
      s, "load", [&] { return Model::load(s.path, Subject::options()).status().code(); }, step);
  LoadOptions screened = Subject::options();
  screened.screen = "on", screened.kv_type = "int8";
  if (!Model::load(s.path, screened).ok()) return;
  fail_each(
      s, "load, screened", [&] { return Model::load(s.path, screened).status().code(); }, step);
  auto with_screen = Model::load(s.path, screened);
  const auto wanted = with_screen.value().generate(ids, g, {});
  fail_each(s, "generate, screened",
            [&] { return with_screen.value().generate(ids, g, {}).status().code(); });
  const auto got = with_screen.value().generate(ids, g, {});
  CHECK((got.ok() && got.value().tokens == wanted.value().tokens));
}

void fail_other_calls(Subject& s) {
  const Code kExpected = Code::kOk;
  const auto expect = [&](Code got, Code as_expected) { return got == as_expected ? kExpected : got; };
  const std::vector<uint8_t> bits(2 * 64 * 64, 1);
  const std::vector<float> scales(2 * 64, 1);
  const std::vector<size_t> counts = {1, 9};
  std::vector<float> out(64), product(128);
  fail_each(s, "pack", [&] { return PackedWeights::pack(s.codes, s.scales, 64, 64, {}).status().code(); });
  fail_each(s, "pack_bcq",
            [&] { return PackedWeights::pack_bcq(bits, scales, 2, 64, 64, 0).status().code(); });
  for (const int act_bits : {4, 8, 16})
    fail_each(s, "matmul", [&] {
      auto w = PackedWeights::pack(s.codes, s.scales, 64, 64, {});
      return w.ok() ? w.value().matmul(s.x, product, 2, 3, act_bits).code() : w.status().code();
    });
  fail_each(s, "dequantize",
            [&] { return expect(dequantize("Q4_9", s.codes, 64, out).code(), Code::kUnsupported); });
  fail_each(
      s, "explain_kernels", [&] { return explain_kernels("w1_row", 64, 64, counts).status().code(); },
      testing::fast() ? 9 : 1);
  fail_each(s, "isas", [&] { return isas().empty() ? Code::kCorrupt : Code::kOk; });
  fail_each(s, "cpu", [&] { return *cpu_name() && usable_cpus() > 0 ? Code::kOk : Code::kCorrupt; });
  fail_each(s, "list_kernels", [&] { return list_kernels([](const KernelInfo&) {}).code(); });
  fail_each(s, "force_isa", [&] {
    return expect(force_isa("a name that is long enough to be allocated").code(), Code::kUnsupported);
  });
  fail_each(s, "set_kernel_choice", [&] {
    return expect(set_kernel_choice("a name that is long enough to be allocated").code(),
                  Code::kInvalidArgument);
  });
  fail_each(s, "GgufFile::open", [&] { return GgufFile::open(s.path).status().code(); });
  fail_each(s, "Tokenizer::load", [&] { return Tokenizer::load(s.path).status().code(); });
  auto tokenizer = Tokenizer::load(s.path);
  REQUIRE(tokenizer.ok());
  fail_each(s, "Tokenizer::encode",
            [&] { return tokenizer.value().encode("cafe\u0301 <|im_end|>", true, true).status().code(); });
  fail_each(s, "Tokenizer::decode", [&] { return tokenizer.value().decode(s.tokens, true).status().code(); });
  auto file = GgufFile::open(s.path);
  REQUIRE(file.ok());
  fail_each(s, "GgufFile, wrong type",
            [&] { return expect(file.value().get_uint("general.name", 0).status().code(), Code::kCorrupt); });
  fail_each(s, "GgufFile, string",
            [&] { return file.value().get_string("tokenizer.ggml.model", "").status().code(); });
}

void fail_sparse_calls(Subject& s) {
  const std::vector<int32_t> coords = {0, 0, 0, 0, 1, 1, 0, 3, 3, 0, 2, 2}, shape = {4, 4}, more = {1, 1};
  const ConvShape same{{3, 3}, {}, {}, {}}, half{{3, 3}, {2, 2}, {1, 1}, {}}, third{{3, 3}, {2, 2}, {}, {}};
  const std::vector<float> weights(5 * 9 * 2, 1), bias(5, 1), x(4 * 2, 1);
  std::vector<float> out(4 * 5);
  fail_each(s, "Sites::create", [&] { return Sites::create(coords, shape, 1).status().code(); });
  const auto sites = Sites::create(coords, shape, 1);
  const auto threads = Threads::create(2);
  REQUIRE((sites.ok() && threads.ok()));
  const Sites& c = sites.value();
  const Threads& t = threads.value();
  fail_each(s, "submanifold map", [&] { return KernelMap::submanifold(c, same, t).status().code(); });
  fail_each(s, "strided map", [&] { return KernelMap::strided(c, half, t).status().code(); });
  fail_each(s, "strided map, floor",
            [&] { return KernelMap::strided(c, third, t, SiteRule::kFloor).status().code(); });
  fail_each(s, "transposed map", [&] { return KernelMap::transposed(c, half, more, t).status().code(); });
  const auto map = KernelMap::submanifold(c, same, t);
  REQUIRE(map.ok());
  fail_each(s, "inverse map", [&] { return map.value().inverse().status().code(); });
  fail_each(s, "SparseConv::pack", [&] { return SparseConv::pack(weights, 5, 9, 2, bias).status().code(); });
  const auto conv = SparseConv::pack(weights, 5, 9, 2, bias);
  REQUIRE(conv.ok());
  fail_each(s, "SparseConv::run", [&] { return conv.value().run(map.value(), x, out, t).code(); });
  const std::span<float> pooled(out.data(), x.size());
  fail_each(s, "sparse_pool",
            [&] { return sparse_pool(map.value(), SparsePool::kMax, x, 2, pooled, t).code(); });
  fail_each(s, "sparse_global_pool",
            [&] { return sparse_global_pool(c, SparsePool::kMax, x, 2, pooled.first(2), t).code(); });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("each allocation of each call on a model may fail") {
    REQUIRE(set_kernel_choice("builtin").ok());
    for (const fs::directory_entry& e :
         fs::directory_iterator(std::string(STERNA_TEST_DATA_DIR) + "/data/models")) {
      if (e.path().extension() != ".gguf") continue;
      const std::string name = e.path().stem().string();
      if (testing::fast() && name != "mini-qwen3-q1_0" && name != "mini-spm") continue;
      Subject s(e.path().string());
      fail_model_calls(s);
    }
    REQUIRE(set_kernel_choice("auto").ok());
  }

  TEST_CASE("each allocation of the other calls may fail") {
    Subject s(std::string(STERNA_TEST_DATA_DIR) + "/data/models/mini-qwen3-q1_0.gguf");
    for (const char* choice : {"builtin", "measured"}) {
      if (testing::fast() && choice == std::string("measured")) continue;
      REQUIRE(set_kernel_choice(choice).ok());
      fail_other_calls(s);
    }
    fail_sparse_calls(s);
    REQUIRE(set_kernel_choice("auto").ok());
  }
}

}  // namespace sterna

#endif  // STERNA_TSAN
