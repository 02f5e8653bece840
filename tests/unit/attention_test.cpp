// Attention over the whole cache: the same bits as the plain loop over one query, however the work is cut.
#include "backends/cpu/attention.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "fast.h"
#include "reference/attention.h"
#include "reference/attention_int8.h"
#include "sterna/cpu.h"

namespace sterna {
namespace {

enum class KvType { kF16, kInt8 };
const char* name(KvType type) { return type == KvType::kF16 ? "f16" : "int8"; }

/// Both types, int8 with a scale a head and with one per block of a wide head.
constexpr std::pair<KvType, size_t> kTypes[] = {
    {KvType::kF16, 32}, {KvType::kInt8, 32}, {KvType::kInt8, 160}};

struct Case {
  size_t n_kv, group, head_dim, n_ctx;
  size_t window = cpu::kNoWindow;
  float cap = 0;
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
        if (type == KvType::kF16) {
          reference::attention(&data.q[at], k16.data(), v16.data(), hd, p + 1, scale, &out[at], c.window,
                               c.cap);
          continue;
        }
        reference::Partial all;
        const size_t seen = p + 1 > c.window ? p + 1 - c.window : 0, first = seen / 256 * 256;
        for (size_t begin = first; begin <= p; begin += 256) {
          const size_t n = std::min<size_t>(256, p + 1 - begin), from = begin < seen ? seen - begin : 0;
          const reference::Partial next = reference::attention_chunk_int8(
              &data.q[at], &k[begin * hd], &v[begin * hd], hd, n, scale, from, c.cap);
          if (begin > first)
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

/// Keys and values of positions 0 .. n_ctx - 1 in pages.
struct Cache {
  std::unique_ptr<const cpu::KvType> type;
  cpu::KvState state;
  size_t width;

  Cache(KvType t, const Case& c)
      : type(cpu::make_kv_type(name(t), {c.n_kv, c.head_dim})), state(*type), width(c.n_kv * c.head_dim) {
    REQUIRE(state.extend(0, c.n_ctx).ok());
  }
  void store(const Data& data, size_t p) {
    type->store(state.page(p / 256), p % 256, &data.k[p * width], &data.v[p * width]);
  }
};

void check_all_cuts(KvType type, const Case& c, const Data& data, const std::vector<float>& want,
                    float scale) {
  const size_t width = c.n_kv * c.group * c.head_dim;
  Cache cache(type, c);
  for (size_t p = 0; p < c.n_ctx; p++) cache.store(data, p);
  for (int n_threads : {1, 2, 5}) {
    auto pool = ThreadPool::create(n_threads);
    REQUIRE(pool.ok());
    cpu::Attention attention({c.n_kv, c.head_dim}, c.n_kv * c.group, c.window, c.cap, n_threads);
    for (size_t step : {size_t(1), size_t(3), size_t(8), size_t(33), c.n_ctx}) {
      std::vector<float> out(want.size());
      for (size_t p = c.first(); p < c.n_ctx; p += step) {
        const cpu::Span span{&cache.state, 0, std::min(step, c.n_ctx - p), p};
        REQUIRE(attention.plan({&span, 1}).ok());
        attention.run(*pool.value(), 0, &data.q[p * width], scale, &out[p * width]);
      }
      CAPTURE(c.head_dim);
      CAPTURE(c.window);
      CAPTURE(n_threads);
      CAPTURE(step);
      CHECK(out == want);
    }
    // Parts of the sequence in any order in one pass, as if they were different ones: one row, few, many.
    const size_t cuts[] = {c.n_ctx - 40, c.n_ctx - 39, c.n_ctx - 36, c.n_ctx}, order[] = {1, 2, 0};
    std::vector<cpu::Span> spans;
    std::vector<float> q, expected;
    for (const size_t i : order) {
      const size_t n = cuts[i + 1] - cuts[i];
      spans.push_back({&cache.state, q.size() / width, n, cuts[i]});
      q.insert(q.end(), &data.q[cuts[i] * width], &data.q[cuts[i] * width] + n * width);
      expected.insert(expected.end(), &want[cuts[i] * width], &want[cuts[i] * width] + n * width);
    }
    std::vector<float> out(q.size());
    REQUIRE(attention.plan(spans).ok());
    attention.run(*pool.value(), 0, q.data(), scale, out.data());
    CHECK(out == expected);
  }
}

/// All queries from first() on, one after the other.
std::vector<float> run(KvType type, const Case& c, const Data& data, float scale) {
  const size_t width = c.n_kv * c.group * c.head_dim;
  auto pool = ThreadPool::create(1);
  Cache cache(type, c);
  cpu::Attention attention({c.n_kv, c.head_dim}, c.n_kv * c.group, c.window, c.cap, 1);
  std::vector<float> out(c.n_ctx * width);
  for (size_t p = 0; p < c.n_ctx; p++) {
    cache.store(data, p);
    if (p < c.first()) continue;
    const cpu::Span span{&cache.state, 0, 1, p};
    REQUIRE(attention.plan({&span, 1}).ok());
    attention.run(*pool.value(), 0, &data.q[p * width], scale, &out[p * width]);
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
    for (const Case& c : {Case{2, 4, 32, 600}, Case{3, 1, 16, 530}, Case{1, 40, 20, 270}, Case{1, 3, 80, 290},
                          Case{1, 1, 160, 270}, Case{1, 1, 200, 270}, Case{1, 2, 256, 290},  // above 128
                          // windows of one position, within a page, about a page, over several pages
                          Case{1, 3, 20, 290, 1}, Case{1, 2, 32, 540, 7}, Case{2, 4, 32, 530, 256},
                          Case{1, 1, 16, 530, 257}, Case{1, 4, 32, 800, 530},
                          Case{2, 2, 32, 540, 100, 0.5f}}) {
      if (testing::fast() && c.n_kv * c.group * c.head_dim > 256) continue;
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
    constexpr size_t kAt = 270;
    for (const IsaInfo& isa : isas()) {
      if (!isa.supported) continue;
      REQUIRE(force_isa(isa.name).ok());
      for (const auto& [type, head_dim] : kTypes) {
        const Case c{1, 1, head_dim, 300};
        const Data data(c);
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

  TEST_CASE("a position that a window hides may hold anything") {
    const Case c{1, 1, 32, 300, 20};
    const Data data(c);
    Data damaged = data;
    std::fill_n(damaged.k.data(), 270 * c.head_dim, NAN);
    std::fill_n(damaged.v.data(), 270 * c.head_dim, INFINITY);
    for (const KvType type : {KvType::kF16, KvType::kInt8}) {
      const std::vector<float> whole = run(type, c, data, 0.2f), out = run(type, c, damaged, 0.2f);
      for (size_t i = 289 * c.head_dim; i < out.size(); i++) CHECK(out[i] == whole[i]);
    }
  }

  TEST_CASE("a state keeps the pages that may still be seen") {
    const auto type = cpu::make_kv_type("f16", {1, 16});
    for (const size_t window : {size_t(1), size_t(7), size_t(256), size_t(300), cpu::kNoWindow}) {
      CAPTURE(window);
      cpu::KvState state(*type, window);
      const auto pages = [&](size_t n) {  // that there are of the first n positions
        size_t count = 0;
        for (size_t i = 0; i * 256 < n; i++) count += state.shared(i) != nullptr;
        return count;
      };
      for (size_t n = 0; n < 2000; n += 10) {
        REQUIRE(state.extend(n, 10).ok());
        CHECK(pages(n + 10) <= (std::min(window, n) + 10) / 256 + 2);
        for (const size_t kept : {n, n + 3, n + 10}) CHECK(state.keeps(kept));
        CHECK(state.keeps(0));
      }
      // Going back is possible as far as what is seen from there is kept.
      for (size_t n = 1; n < 2000; n++) {
        const auto first = [&](size_t position) { return position < window ? 0 : position - window + 1; };
        const size_t seen = first(n), forgotten = first(1990);
        CHECK(state.keeps(n) == (seen / 256 >= forgotten / 256 || (n + 255) / 256 <= seen / 256));
      }
      if (window == 300) {
        CHECK(!state.keeps(1500));
        CHECK(state.keeps(1990));
      }
      cpu::KvState fork = state.fork(1990);
      REQUIRE(state.extend(0, 10).ok());  // begins again: nothing behind it stays
      CHECK(pages(10) == 1);
      CHECK(fork.keeps(1990));
    }
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

  TEST_CASE("a large dimension of a wide head costs those of other blocks nothing") {
    const Case c{1, 1, 256, 300};
    Data data(c);
    for (size_t p = 0; p < c.n_ctx; p++) data.k[p * c.head_dim] = 40, data.q[p * c.head_dim + 255] = 40;
    const std::vector<float> f16 = run(KvType::kF16, c, data, 0.0625f),
                             int8 = run(KvType::kInt8, c, data, 0.0625f);
    double error = 0, power = 0;
    for (size_t i = c.first() * c.head_dim; i < f16.size(); i++) {
      error += double(int8[i] - f16[i]) * double(int8[i] - f16[i]);
      power += double(f16[i]) * double(f16[i]);
    }
    CHECK(std::sqrt(error / power) < 0.1);
  }

  TEST_CASE("a page takes memory where positions are stored, not where they may be") {
    for (KvType t : {KvType::kF16, KvType::kInt8}) {
      constexpr size_t kLayers = 200, kPositions = 16;
      const auto type = cpu::make_kv_type(name(t), {8, 128});
      const size_t per_head = t == KvType::kF16 ? 4 * 128 : 2 * 128 + 4 + 8 + 4;
      CHECK(type->page_bytes() == 256 * 8 * per_head);
      const std::vector<float> x(8 * 128, 1.0f);
      const size_t before = resident_bytes();
      std::vector<cpu::KvState> layers(kLayers, cpu::KvState(*type));
      for (cpu::KvState& s : layers) {
        REQUIRE(s.extend(0, kPositions).ok());
        for (size_t p = 0; p < kPositions; p++) type->store(s.page(0), p, x.data(), x.data());
      }
      // 1/16 of it is stored, in pages of 4 KB of which V's of int8 are all touched; an emulator takes more.
      if (before) CHECK(resident_bytes() - before < kLayers * type->page_bytes() * 3 / 4);
    }
  }

  TEST_CASE("the KV type is checked") {
    CHECK(cpu::check_kv_type("int8").ok());
    CHECK(cpu::check_kv_type("q4").code() == Code::kInvalidArgument);
    CHECK(cpu::check_kv_type("q4").message() == "[load] kv_type, got 'q4', expected 'f16' or 'int8'");
  }

  TEST_CASE("a fork shares pages until one of the two changes them") {
    for (const auto& [t, head_dim] : kTypes) {
      const Case c{2, 1, head_dim, 600};
      const Data data(c);
      Cache cache(t, c);
      for (size_t p = 0; p < c.n_ctx; p++) cache.store(data, p);
      cpu::KvState fork = cache.state.fork(300);
      CHECK(fork.page(0) == cache.state.page(0));
      CHECK(fork.page(1) == cache.state.page(1));
      REQUIRE(fork.extend(300, 1).ok());
      CHECK(fork.page(0) == cache.state.page(0));
      CHECK(fork.page(1) != cache.state.page(1));
      // What is kept before the change is the same, byte for byte; behind it is nothing.
      const size_t bytes = cache.type->page_bytes();
      std::vector<uint8_t> first(bytes), second(bytes);
      cache.type->copy(cache.state.page(1), 300 - 256, first.data());
      cache.type->copy(fork.page(1), 256, second.data());
      CHECK(first == second);
      const uint8_t* const own = fork.page(1);
      REQUIRE(fork.extend(301, 1).ok());
      CHECK(fork.page(1) == own);  // nobody else has it now
    }
  }
}

}  // namespace sterna
