// Random numbers and the sampling chain.
#include "llm/engine/sampler.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/random.h"
#include "sterna/sterna.h"

namespace sterna {

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
}

}  // namespace sterna
