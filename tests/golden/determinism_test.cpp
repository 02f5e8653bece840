// The promise of one arithmetic: the same bits of every logit for every instruction set, number of threads,
// and way of cutting a prompt into passes, and on every machine: the digests in golden.txt were made once
// with the scalar kernels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "fast.h"
#include "sha256.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

const std::string kRepo = std::string(STERNA_TEST_DATA_DIR) + "/../";

struct Golden {
  std::string model, digest, kv_type;
};

/// Lines are "digest model" for the f16 KV cache, "digest model kv_type" for others.
std::vector<Golden> golden() {
  std::ifstream in(std::string(STERNA_TEST_DATA_DIR) + "/golden/golden.txt");
  std::vector<Golden> all;
  for (std::string line; std::getline(in, line);) {
    Golden g;
    std::istringstream fields(line);
    fields >> g.digest >> g.model >> g.kv_type;
    if (g.kv_type.empty()) g.kv_type = "f16";
    all.push_back(g);
  }
  return all;
}

/// 70 tokens that any vocabulary of at least 300 has.
std::vector<int32_t> tokens() {
  std::vector<int32_t> t;
  for (int i = 0; i < 70; i++) t.push_back((i * 37 + i * i * 11 + 5) % 300);
  return t;
}

std::string digest(const std::string& path, const std::string& kv_type, int n_threads, int n_batch) {
  LoadOptions options;
  options.n_threads = n_threads;
  options.n_batch = n_batch;
  options.kv_type = kv_type;
  auto model = Model::load(path, options);
  REQUIRE_MESSAGE(model.ok(), model.status().message());
  const auto t = tokens();
  std::vector<float> logits(t.size() * model.value().info().n_vocab);
  const Status s = model.value().forward(t, logits, {});
  REQUIRE_MESSAGE(s.ok(), s.message());
  return testing::sha256({reinterpret_cast<const uint8_t*>(logits.data()), logits.size() * sizeof(float)});
}

}  // namespace

TEST_SUITE("golden") {
  TEST_CASE("sha256 is SHA-256") {
    const std::string abc = "abc";
    CHECK(testing::sha256({reinterpret_cast<const uint8_t*>(abc.data()), 3}) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }

  TEST_CASE("logits have the same bits on every ISA, with any threads and any batches") {
    REQUIRE(golden().size() >= 9);
    size_t runs = 0;
    bool best = true;  // in the fast mode the other sets run whole passes and single tokens only
    for (const IsaInfo& isa : isas()) {
      if (!isa.supported) continue;
      REQUIRE(force_isa(isa.name).ok());
      for (const Golden& g : golden()) {
        const auto check = [&](int n_threads, int n_batch) {
          CAPTURE(isa.name);
          CAPTURE(g.model);
          CAPTURE(g.kv_type);
          CAPTURE(n_threads);
          CAPTURE(n_batch);
          CHECK(digest(kRepo + g.model, g.kv_type, n_threads, n_batch) == g.digest);
          runs++;
        };
        check(2, 512);
        if (testing::fast() && g.model.find("sterna-tiny") != std::string::npos) continue;
        for (int n_threads : {1, 3, 7})
          if (!testing::fast() || (best && n_threads != 7)) check(n_threads, 512);
        for (int n_batch : {1, 2, 3, 16, 64})
          if (!testing::fast() || n_batch == 1 || (best && n_batch == 3)) check(2, n_batch);
      }
      best = false;
    }
    REQUIRE(force_isa("auto").ok());
    CHECK(runs >= golden().size());
  }

  TEST_CASE("logits agree with a float64 evaluation of the same weights") {
    // Files <model>.expected.txt: token ids, then the logits of the last position. Where the deviation comes
    // from: int8 activations per block (relative 1/254 of a block's largest element, rms about 1/254/sqrt(3))
    // at every matrix and an f16 or int8 KV cache, through few layers of random weights: a few per cent of
    // the logits' spread; 8 % bounds it, a wrong layout gives over 100 %.
    size_t checked = 0;
    for (const Golden& g : golden()) {
      const std::string expected = kRepo + g.model.substr(0, g.model.rfind('.')) + ".expected.txt";
      std::ifstream in(expected);
      if (!in) continue;
      std::string line;
      std::getline(in, line);
      std::vector<int32_t> ids;
      for (char* p = line.data();;) {
        char* end;
        const long id = std::strtol(p, &end, 10);
        if (end == p) break;
        ids.push_back(int32_t(id));
        p = end;
      }
      std::vector<double> want;
      for (double x; in >> x;) want.push_back(x);
      LoadOptions options;
      options.kv_type = g.kv_type;
      auto model = Model::load(kRepo + g.model, options);
      REQUIRE_MESSAGE(model.ok(), model.status().message());
      const size_t n_vocab = model.value().info().n_vocab;
      REQUIRE(want.size() == n_vocab);
      std::vector<float> logits(ids.size() * n_vocab);
      REQUIRE(model.value().forward(ids, logits, {}).ok());
      double error = 0, mean = 0, spread = 0;
      const float* last = logits.data() + (ids.size() - 1) * n_vocab;
      for (size_t i = 0; i < n_vocab; i++) mean += want[i] / double(n_vocab);
      for (size_t i = 0; i < n_vocab; i++) {
        error += (last[i] - want[i]) * (last[i] - want[i]);
        spread += (want[i] - mean) * (want[i] - mean);
      }
      CAPTURE(g.model);
      MESSAGE(g.model << ": rms deviation " << 100 * std::sqrt(error / spread) << " % of the spread");
      CHECK(std::sqrt(error / spread) < 0.08);
      checked++;
    }
    CHECK(checked >= 6);
  }
}

}  // namespace sterna
