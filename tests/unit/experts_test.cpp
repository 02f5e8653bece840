// Mixtures of experts: who goes where, with which weight, and what is refused.
#include "backends/cpu/experts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "reference/softmax.h"

namespace sterna {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// What Routing says, from sorted probabilities.
std::vector<float> join(const cpu::Routing& r, const std::vector<float>& logits,
                        const std::vector<float>& of_expert) {
  std::vector<float> p(logits.size());
  reference::softmax(logits.data(), logits.size(), p.data());
  std::vector<size_t> order(r.n_experts);
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  float sum = 0, y = 0;
  for (size_t i = 0; i < r.n_used; i++) sum += p[order[i]];
  for (size_t i = 0; i < r.n_used; i++) {
    float w = p[order[i]];
    if (r.renormalize) w /= sum;
    w *= r.scale;
    y = i ? std::fma(w, of_expert[order[i]], y) : w * of_expert[order[i]];
  }
  return {y};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("experts: slots in their order, weights of the likeliest, ties to the first") {
    const auto pool = std::move(ThreadPool::create(2).value());
    std::mt19937 random(1);
    for (const cpu::Routing& r :
         {cpu::Routing{8, 3, true, 1}, cpu::Routing{8, 8, false, 0.5f}, cpu::Routing{60, 4, true, 2.5f}}) {
      const size_t n_rows = 50;
      std::vector<float> logits(n_rows * r.n_experts), of_expert(r.n_experts);
      for (float& v : logits) v = float(int(random() % 9)) - 4;  // many equal ones
      for (float& v : of_expert) v = float(int(random() % 99)) - 49;
      cpu::Slots slots;
      slots.reserve(n_rows, r);
      std::vector<float> used = logits;
      slots.route(*pool, r, used.data(), n_rows);
      CHECK(slots.size() == n_rows * r.n_used);
      std::vector<float> y(slots.size(), kNan);
      size_t next = 0;
      for (const cpu::Slots::Group& g : slots.groups()) {
        CHECK(g.first == next);
        CHECK(g.n > 0);
        for (size_t i = 0; i < g.n; i++) {
          if (i) CHECK(slots.row_of(g.first + i) > slots.row_of(g.first + i - 1));
          y[g.first + i] = of_expert[g.expert];
        }
        next += g.n;
      }
      CHECK(next == slots.size());
      for (size_t t = 0; t < n_rows; t++) {
        const auto row = logits.begin() + ptrdiff_t(t * r.n_experts);
        float got = kNan;
        slots.join(t, y.data(), 1, &got);
        CHECK(std::vector<float>{got} == join(r, {row, row + ptrdiff_t(r.n_experts)}, of_expert));
      }
    }
  }

  TEST_CASE("experts: logits that are not finite choose somebody, with weights that say so") {
    const auto pool = std::move(ThreadPool::create(1).value());
    const cpu::Routing r{4, 2, true, 1};
    cpu::Slots slots;
    slots.reserve(1, r);
    for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
      std::vector<float> logits{0, bad, 1, bad};
      slots.route(*pool, r, logits.data(), 1);
      const std::vector<float> y(2, 1.0f);
      float got = 0;
      slots.join(0, y.data(), 1, &got);
      CHECK(std::isnan(got));
    }
  }
}

}  // namespace sterna
