// Attention over the whole cache: the same bits as the plain loop over one query, however the work is cut.
#include "backends/cpu/attention.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/half.h"
#include "reference/attention.h"
#include "runtime/sampler.h"

namespace sterna {
namespace {

struct Case {
  size_t n_kv, group, head_dim, n_ctx;
};

/// Keys and values of all positions as floats, [position][head][dimension], and queries likewise.
struct Data {
  std::vector<float> k, v, q;
  explicit Data(const Case& c) {
    runtime::Random r(c.head_dim);
    const auto fill = [&](std::vector<float>& x, size_t width) {
      x.resize(c.n_ctx * width);
      for (float& f : x) f = float(r.uniform() * 4 - 2);
    };
    fill(k, c.n_kv * c.head_dim), fill(v, c.n_kv * c.head_dim), fill(q, c.n_kv * c.group * c.head_dim);
  }
};

std::vector<float> expected(const Case& c, const Data& data, float scale) {
  const size_t hd = c.head_dim, width = c.n_kv * c.group * hd;
  std::vector<float> out(c.n_ctx * width);
  for (size_t head = 0; head < c.n_kv; head++) {
    std::vector<uint16_t> k, v;
    for (size_t p = 0; p < c.n_ctx; p++)
      for (size_t d = 0; d < hd; d++) {
        k.push_back(f32_to_f16(data.k[(p * c.n_kv + head) * hd + d]));
        v.push_back(f32_to_f16(data.v[(p * c.n_kv + head) * hd + d]));
      }
    for (size_t p = 0; p < c.n_ctx; p++)
      for (size_t i = 0; i < c.group; i++) {
        const size_t at = p * width + (head * c.group + i) * hd;
        reference::attention(&data.q[at], k.data(), v.data(), hd, p + 1, scale, &out[at]);
      }
  }
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("attention has the bits of the plain loop for any threads and any cut of the tokens") {
    for (const Case& c : {Case{2, 4, 32, 600}, Case{3, 1, 16, 530}, Case{1, 40, 20, 270}}) {
      const float scale = 0.21f;
      const Data data(c);
      const size_t width = c.n_kv * c.group * c.head_dim, kv_width = c.n_kv * c.head_dim;
      const std::vector<float> want = expected(c, data, scale);
      for (int n_threads : {1, 2, 5}) {
        auto pool = ThreadPool::create(n_threads);
        REQUIRE(pool.ok());
        cpu::KvCache cache;
        cpu::Attention attention;
        REQUIRE(cache.reserve({2, c.n_kv, c.head_dim, c.n_ctx}).ok());
        REQUIRE(attention.reserve(cache.shape(), c.n_kv * c.group, n_threads).ok());
        for (size_t p = 0; p < c.n_ctx; p++) cache.store(1, p, &data.k[p * kv_width], &data.v[p * kv_width]);
        for (size_t step : {size_t(1), size_t(3), size_t(8), size_t(33), c.n_ctx}) {
          std::vector<float> out(want.size());
          for (size_t p = 0; p < c.n_ctx; p += step) {
            const size_t n = std::min(step, c.n_ctx - p);
            attention.run(*pool.value(), cache, 1, &data.q[p * width], n, p, scale, &out[p * width]);
          }
          CAPTURE(c.head_dim);
          CAPTURE(n_threads);
          CAPTURE(step);
          CHECK(out == want);
        }
      }
    }
  }

  TEST_CASE("a cache takes memory where positions are stored, not where they may be") {
    cpu::KvCache cache;
    const cpu::KvCache::Shape shape{16, 8, 128, 32768};
    REQUIRE(cache.reserve(shape).ok());  // 2 GiB
    const auto resident = [] {
      std::ifstream f("/proc/self/statm");
      size_t total = 0, pages = 0;
      f >> total >> pages;
      return pages * size_t(sysconf(_SC_PAGESIZE));
    };
    const size_t before = resident();
    const std::vector<float> x(8 * 128, 1.0f);
    for (size_t layer = 0; layer < shape.n_layer; layer++)
      for (size_t p = 0; p < 64; p++) cache.store(layer, p, x.data(), x.data());
    if (before) CHECK(resident() - before < size_t(16) << 20);  // 8 MiB are stored
  }
}

}  // namespace sterna
