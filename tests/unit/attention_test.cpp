// Attention over the whole cache: the same bits as the plain loop over one query, however the work is cut.
#include "backends/cpu/attention.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "fast.h"
#include "reference/attention.h"
#include "reference/attention_int8.h"
#include "sterna/cpu.h"

namespace sterna {
namespace {

using cpu::KvType;

struct Case {
  size_t n_kv, group, head_dim, n_ctx;
  /// The first position compared; in short tests the last 40 must do (they cross chunks).
  size_t first() const { return testing::fast() ? n_ctx - 40 : 0; }
};

/// Keys and values of all positions as floats, [position][head][dimension], and queries likewise.
struct Data {
  std::vector<float> k, v, q;
  explicit Data(const Case& c) {
    Random r(c.head_dim);
    const auto fill = [&](std::vector<float>& x, size_t width) {
      x.resize(c.n_ctx * width);
      for (float& f : x) f = float(r.uniform() * 4 - 2);
    };
    fill(k, c.n_kv * c.head_dim), fill(v, c.n_kv * c.head_dim), fill(q, c.n_kv * c.group * c.head_dim);
  }
};

/// What every query from first() on gets, by the plain loops; zeros before.
std::vector<float> expected(KvType type, const Case& c, const Data& data, float scale) {
  const size_t hd = c.head_dim, width = c.n_kv * c.group * hd;
  std::vector<float> out(c.n_ctx * width);
  for (size_t head = 0; head < c.n_kv; head++) {
    std::vector<float> k, v;
    std::vector<uint16_t> k16, v16;
    for (size_t i = 0; i < c.n_ctx * hd; i++) {
      const size_t at = (i / hd * c.n_kv + head) * hd + i % hd;
      k.push_back(data.k[at]), v.push_back(data.v[at]);
      k16.push_back(f32_to_f16(k[i])), v16.push_back(f32_to_f16(v[i]));
    }
    for (size_t p = c.first(); p < c.n_ctx; p++)
      for (size_t i = 0; i < c.group; i++) {
        const size_t at = p * width + (head * c.group + i) * hd;
        reference::Partial all;
        for (size_t begin = 0; begin <= p; begin += 256) {
          const size_t n = std::min<size_t>(256, p + 1 - begin), from = begin * hd;
          const reference::Partial next =
              type == KvType::kF16
                  ? reference::attention_chunk(&data.q[at], &k16[from], &v16[from], hd, n, scale)
                  : reference::attention_chunk_int8(&data.q[at], &k[from], &v[from], hd, n, scale);
          if (begin)
            reference::merge(all, next);
          else
            all = next;
        }
        const std::vector<float> row = reference::result(all);
        std::copy(row.begin(), row.end(), &out[at]);
      }
  }
  return out;
}

void check_all_cuts(KvType type, const Case& c, const Data& data, const std::vector<float>& want,
                    float scale) {
  const size_t width = c.n_kv * c.group * c.head_dim, kv_width = c.n_kv * c.head_dim;
  for (int n_threads : {1, 2, 5}) {
    auto pool = ThreadPool::create(n_threads);
    REQUIRE(pool.ok());
    cpu::KvCache cache;
    cpu::Attention attention;
    REQUIRE(cache.reserve(type, {2, c.n_kv, c.head_dim, c.n_ctx}).ok());
    REQUIRE(attention.reserve(cache.shape(), c.n_kv * c.group, n_threads).ok());
    for (size_t p = 0; p < c.n_ctx; p++) cache.store(1, p, &data.k[p * kv_width], &data.v[p * kv_width]);
    for (size_t step : {size_t(1), size_t(3), size_t(8), size_t(33), c.n_ctx}) {
      std::vector<float> out(want.size());
      for (size_t p = c.first(); p < c.n_ctx; p += step) {
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

/// All queries from first() on, one after the other.
std::vector<float> run(KvType type, const Case& c, const Data& data, float scale) {
  const size_t width = c.n_kv * c.group * c.head_dim, kv_width = c.n_kv * c.head_dim;
  auto pool = ThreadPool::create(1);
  cpu::KvCache cache;
  cpu::Attention attention;
  REQUIRE(cache.reserve(type, {1, c.n_kv, c.head_dim, c.n_ctx}).ok());
  REQUIRE(attention.reserve(cache.shape(), c.n_kv * c.group, 1).ok());
  std::vector<float> out(c.n_ctx * width);
  for (size_t p = 0; p < c.n_ctx; p++) {
    cache.store(0, p, &data.k[p * kv_width], &data.v[p * kv_width]);
    if (p >= c.first())
      attention.run(*pool.value(), cache, 0, &data.q[p * width], 1, p, scale, &out[p * width]);
  }
  return out;
}

size_t resident_bytes() {  // 0 where there is no /proc
  std::ifstream f("/proc/self/statm");
  size_t total = 0, pages = 0;
  f >> total >> pages;
  return pages * size_t(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("attention has the bits of the plain loops on every ISA, for any threads and cut of the tokens") {
    constexpr float kScale = 0.21f;
    for (const Case& c :
         {Case{2, 4, 32, 600}, Case{3, 1, 16, 530}, Case{1, 40, 20, 270}, Case{1, 3, 80, 290}}) {
      const Data data(c);
      for (KvType type : {KvType::kF16, KvType::kInt8}) {
        const std::vector<float> want = expected(type, c, data, kScale);
        for (const IsaInfo& isa : isas()) {
          if (!isa.supported) continue;
          CAPTURE(isa.name);
          REQUIRE(force_isa(isa.name).ok());
          check_all_cuts(type, c, data, want, kScale);
        }
      }
    }
    REQUIRE(force_isa("auto").ok());
  }

  TEST_CASE("a key, value or query that is not finite makes NaN of what sees it, and of nothing else") {
    const Case c{1, 1, 32, 300};
    const Data data(c);
    constexpr size_t kAt = 270;
    for (const IsaInfo& isa : isas()) {
      if (!isa.supported) continue;
      REQUIRE(force_isa(isa.name).ok());
      for (const KvType type : {KvType::kF16, KvType::kInt8}) {
        const std::vector<float> want = expected(type, c, data, 0.2f);
        for (const auto part : {&Data::k, &Data::v, &Data::q})
          for (const float odd : {NAN, INFINITY}) {
            CAPTURE(isa.name);
            Data damaged = data;
            std::fill_n(&(damaged.*part)[kAt * c.head_dim], c.head_dim, odd);
            const std::vector<float> out = run(type, c, damaged, 0.2f);
            for (size_t i = c.first() * c.head_dim; i < out.size(); i++) {
              const size_t p = i / c.head_dim;
              const bool sees = part == &Data::q ? p == kAt : p >= kAt;
              if (sees && type == KvType::kF16)
                CHECK(!std::isfinite(out[i]));
              else
                CHECK((sees ? std::isnan(out[i]) : out[i] == want[i]));
            }
          }
      }
    }
    REQUIRE(force_isa("auto").ok());
  }

  TEST_CASE("int8 attention is close to f16 attention") {
    const Case c{1, 2, 64, 700};
    const Data data(c);
    const std::vector<float> f16 = expected(KvType::kF16, c, data, 0.125f),
                             int8 = expected(KvType::kInt8, c, data, 0.125f);
    double error = 0, power = 0;
    for (size_t i = 0; i < f16.size(); i++) {
      error += double(int8[i] - f16[i]) * double(int8[i] - f16[i]);
      power += double(f16[i]) * double(f16[i]);
    }
    // A code is off by 1/254 of its row's largest at most, 0.4 % of the rms of uniform values in rms. A
    // score, 0.125 times a sum of 64 products of rms 1.33, thus errs by 0.125 * sqrt(64 * 2) * 1.33 * 0.4 % =
    // 0.8 %, which is the relative error of its weight; the codes of V and of the weights add 0.4 % each.
    // Sums over positions leave the ratio of error and result as it is: 1 % in rms.
    CHECK(std::sqrt(error / power) < 0.02);
    CHECK(error > 0);
  }

  TEST_CASE("a cache takes memory where positions are stored, not where they may be") {
    for (KvType type : {KvType::kF16, KvType::kInt8}) {
      const cpu::KvCache::Shape shape{16, 8, 128, 32768};
      const std::vector<float> x(8 * 128, 1.0f);
      constexpr size_t kPositions = 256;
      cpu::KvCache cache;
      const size_t before = resident_bytes();
      REQUIRE(cache.reserve(type, shape).ok());  // 2 GiB, or half of it
      for (size_t layer = 0; layer < shape.n_layer; layer++)
        for (size_t p = 0; p < kPositions; p++) cache.store(layer, p, x.data(), x.data());
      const size_t per_head = type == KvType::kF16 ? 4 * 128 : 2 * 128 + 4 + 8 + 4;
      CHECK(cache.bytes_per_token() == 16 * 8 * per_head);
      // 1/128 of it is stored; huge pages and an emulator's translations take some more.
      if (before) CHECK(resident_bytes() - before < shape.n_ctx * cache.bytes_per_token() / 16);
    }
  }

  TEST_CASE("the KV type is checked") {
    CHECK(cpu::kv_type("int8").value() == KvType::kInt8);
    CHECK(cpu::kv_type("q4").status().code() == Code::kInvalidArgument);
    CHECK(cpu::kv_type("q4").status().message() == "[load] kv_type, got 'q4', expected 'f16' or 'int8'");
  }
}

}  // namespace sterna
