// Screening of the output matrix: the bounds hold for every row of every format, are tight, and no row that a
// query asks for is left out, whatever its neighbours are.
#include "backends/cpu/screen.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/half.h"
#include "reference/softcap.h"

namespace sterna {
namespace {

using cpu::Candidate;
using cpu::Query;

/// An output matrix with its screen and the activations that are multiplied with it.
struct Head {
  const formats::Format& format;
  size_t rows, depth;
  std::vector<uint8_t> file;
  std::unique_ptr<ThreadPool> pool;
  Buffer panels;
  cpu::Linear linear;
  cpu::Activations acts;
  std::unique_ptr<cpu::Screen> screen;

  Head(const char* name, size_t n_rows, size_t n_depth)
      : format(*formats::by_name(name)), rows(n_rows), depth(n_depth), file(rows * row_bytes()) {
    pool = std::move(ThreadPool::create(2).value());
  }
  size_t row_bytes() const { return formats::row_bytes(format, depth); }
  uint8_t* row(size_t r) { return file.data() + r * row_bytes(); }

  void set(size_t r, const std::vector<float>& w) {
    for (size_t k = 0; k < depth; k++) {
      const uint16_t h = format.name == std::string("F16") ? f32_to_f16(w[k]) : f32_to_bf16(w[k]);
      if (format.encode) continue;
      if (format.name == std::string("F32"))
        std::memcpy(row(r) + 4 * k, &w[k], 4);
      else
        std::memcpy(row(r) + 2 * k, &h, 2);
    }
    if (format.encode) format.encode(w.data(), depth, row(r));
  }
  std::vector<float> values(size_t r) {
    std::vector<float> w(depth);
    format.decode(row(r), depth, 1, w.data());
    return w;
  }

  Status build() {
    const cpu::TensorRows source{&format, file.data(), rows, depth, &format};
    const cpu::TermKind& kind = cpu::term_kind(source);
    panels = Buffer::allocate(kind.bytes({&source, 1}));
    auto term = kind.make({&source, 1}, panels.data(), *pool);
    REQUIRE_MESSAGE(term.ok(), term.status().message());
    linear = cpu::Linear(std::move(term.value()));
    REQUIRE(cpu::Screen::refusal(source, linear) == "");
    auto s = cpu::Screen::make(source, linear, *pool);
    if (!s.ok()) return s.status();
    screen = std::move(s.value());
    REQUIRE(linear.bind(acts, 4).ok());
    REQUIRE(acts.reserve().ok());
    return {};
  }

  void multiply(size_t token, const std::vector<float>& x, std::vector<float>& logits) {
    const cpu::Linear* const reader[] = {&linear};
    cpu::begin(acts, reader);
    std::copy(x.begin(), x.end(), acts.row(token));
    acts.quantize(token);
    logits.resize(rows);
    const cpu::Product product = cpu::Product::whole(linear, token, 1, logits.data());
    cpu::matmul(*pool, acts, {&product, 1});
    REQUIRE(screen->scan(acts, token, 1).ok());
  }

  /// The largest |exact - estimate| / error over all rows, after plane 1 and after plane 2.
  std::pair<double, double> check_bounds(const std::vector<float>& x) {
    std::vector<float> logits;
    multiply(1, x, logits);
    if (!screen->usable(0)) return {0, 0};
    std::vector<uint32_t> all;
    for (size_t p = 0; p < (rows + 15) / 16; p++) all.push_back(uint32_t(p));
    screen->refine(0, all);
    double worst[2] = {};
    for (size_t r = 0; r < rows; r++) {
      const cpu::Screen::Estimate e[2] = {screen->coarse(0, r), screen->fine(0, r)};
      for (int i = 0; i < 2; i++)
        worst[i] = std::max(worst[i], std::fabs(logits[r] - e[i].value) / e[i].error);
    }
    CHECK(worst[0] <= 1);
    CHECK(worst[1] <= 1);
    return {worst[0], worst[1]};
  }

  /// Compares what the screen gives with the full product.
  bool check(size_t token, const std::vector<float>& x, const Query& q) {
    std::vector<float> logits;
    multiply(token, x, logits);
    std::vector<Candidate> got;
    ScreenStats stats;
    if (!screen->candidates(0, q, got, stats)) return false;
    std::vector<float> mapped;
    for (const float x : logits) {
      const float scaled = x * q.map.scale;
      mapped.push_back(q.map.cap != 0 ? reference::softcap(scaled, q.map.cap) : scaled);
    }
    std::vector<float> sorted(mapped.begin(), mapped.begin() + ptrdiff_t(q.rows));
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::vector<uint8_t> seen(rows);
    for (size_t i = 0; i < got.size(); i++) {
      CHECK((i == 0 || got[i - 1].id < got[i].id));
      REQUIRE(size_t(got[i].id) < q.rows);
      CHECK(got[i].logit == logits[size_t(got[i].id)]);
      seen[size_t(got[i].id)] = 1;
    }
    size_t missing = 0;
    for (size_t r = 0; r < q.rows; r++)
      missing += !seen[r] && (q.top_k == 0 || mapped[r] >= sorted[q.top_k - 1]) &&
                 double(mapped[r]) >= double(sorted[0]) - q.gap;
    CHECK(missing == 0);
    CHECK(stats.after_8 == got.size());
    CHECK(stats.after_8 <= stats.after_4);
    return true;
  }
};

std::vector<float> normal(std::mt19937& random, size_t n, float deviation = 1) {
  std::normal_distribution<float> d(0, deviation);
  std::vector<float> x(n);
  for (float& v : x) v = d(random);
  return x;
}

/// Rows of all kinds: normal, of heavy tails, with one huge element, tiny, zero; of block formats, any bytes.
void fill(Head& h, std::mt19937& random) {
  for (size_t r = 0; r < h.rows; r++) {
    std::vector<float> w = normal(random, h.depth, 0.05f);
    if (r % 7 == 1)
      for (float& v : w) v = v * v * v * 4000;
    if (r % 7 == 2) w[r % h.depth] = 30;
    if (r % 7 == 3)
      for (float& v : w) v *= 1e-6f;
    if (r % 7 == 4) std::fill(w.begin(), w.end(), 0.0f);
    const bool floats = h.format.codes.fold == Fold::kFloat;
    if (floats || (h.format.encode && r % 7 != 5)) {
      h.set(r, w);
      continue;
    }
    for (double size = NAN; !(size < 1e30);) {
      for (size_t i = 0; i < h.row_bytes(); i++) h.row(r)[i] = uint8_t(random());
      size = 0;
      for (float v : h.values(r)) size += std::fabs(v);
    }
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the bounds of screening hold for every format and are tight") {
    std::mt19937 random(7);
    for (const char* name : {"F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_0", "Q4_0", "IQ4_NL", "Q3_K", "TQ1_0",
                             "TQ2_0", "IQ4_XS", "IQ2_XXS", "Q2_0", "Q1_0"}) {
      CAPTURE(name);
      for (const size_t depth : {size_t(256), size_t(2048)}) {
        Head h(name, 83, depth);
        fill(h, random);
        REQUIRE(h.build().ok());
        double coarse = 0, fine = 0;
        const auto check = [&](const std::vector<float>& x) {
          const auto [c, f] = h.check_bounds(x);
          coarse = std::max(coarse, c), fine = std::max(fine, f);
        };
        for (int i = 0; i < 8; i++) {
          std::vector<float> x = normal(random, depth, i < 4 ? 1.0f : 1e3f);
          if (i % 2) x[size_t(i) * 11] = 500;  // a massive activation
          check(x);
          for (float& v : x) v *= 1e-12f;
          check(x);
        }
        for (size_t r = 0; r < h.rows; r += 3) check(h.values(r));
        // Along the rest of a row after plane 1 the bound is reached: found by multiplying with unit vectors.
        if (depth != 256) continue;
        for (const size_t r : {size_t(0), size_t(8), size_t(82)}) {
          std::vector<float> rest = h.values(r), logits;
          for (size_t k = 0; k < depth; k++) {
            std::vector<float> unit(depth);
            unit[k] = 1;
            h.multiply(0, unit, logits);
            rest[k] = float(double(rest[k]) - h.screen->coarse(0, r).value);
          }
          check(rest);
        }
        CHECK(coarse > 0.9);
        CHECK(fine > 0.1);
      }
    }
  }

  TEST_CASE("screening finds every row that a query asks for, near ties included") {
    std::mt19937 random(11);
    for (const char* name : {"F16", "F32", "Q8_0", "Q6_K"}) {
      CAPTURE(name);
      const size_t depth = 256, rows = 1030;
      Head h(name, rows, depth);
      fill(h, random);
      // Groups of rows that are equal, differ in a last bit, or by less than the planes can tell.
      std::vector<std::vector<float>> leaders;
      for (size_t group = 0; group < 6; group++) {
        const std::vector<float> leader = normal(random, depth, 0.1f);
        leaders.push_back(leader);
        for (size_t i = 0; i < 20; i++) {
          std::vector<float> w = leader;
          if (i % 4 == 1) w[i] = std::nextafter(w[i], 10.0f);
          if (i % 4 == 2)
            for (float& v : w) v *= 1 + 1e-3f * float(i);
          if (i % 4 == 3)
            for (float& v : w) v += 1e-4f * normal(random, 1)[0];
          h.set((i * 173 + group * 29) % rows, w);
        }
      }
      REQUIRE(h.build().ok());
      size_t screened = 0, asked = 0, mapped = 0;
      for (int i = 0; i < 60; i++) {
        // Half of the hidden states point at a leader.
        std::vector<float> x = normal(random, depth);
        if (i % 2)
          for (size_t k = 0; k < depth; k++) x[k] = 0.3f * x[k] + 20 * leaders[size_t(i / 2) % 6][k];
        for (const Query q : {Query{rows, 0, 0}, Query{rows, 1}, Query{rows, 40}, Query{rows - 9, 7, 2.5},
                              Query{rows, 0, 3}, Query{rows, 0, 25}, Query{rows, 40, 0},
                              // Maps under which products that differ tie, most with the second cap.
                              Query{rows, 0, 0, {1 / 3.0f, 0}}, Query{rows, 0, 0, {1, 8}},
                              Query{rows, 0, 0, {1, 2}}, Query{rows, 7, 0.5, {0.7f, 30}},
                              Query{rows, 40, 1, {3, 60}}, Query{rows - 9, 1, 1e9, {1, 10}}}) {
          const bool done = h.check(size_t(i) % 4, x, q);
          (q.map.identity() ? screened : mapped) += done;
          asked += q.map.identity();
        }
      }
      CHECK(screened > asked / 4);
      CHECK(mapped > 0);
    }
  }

  TEST_CASE("screening gives up where it does not pay or cannot be proven") {
    std::mt19937 random(3);
    Head h("Q8_0", 4096, 2048);
    for (size_t r = 0; r < h.rows; r++) h.set(r, normal(random, h.depth));
    REQUIRE(h.build().ok());
    // Nothing stands out: all rows survive plane 1, and both planes are as large as the matrix.
    CHECK(h.screen->worthwhile(1));
    CHECK_FALSE(h.check(0, normal(random, h.depth), {h.rows, 0, 0}));
    CHECK_FALSE(h.screen->worthwhile(1));
    CHECK_FALSE(h.screen->worthwhile(62));
    CHECK_FALSE(h.screen->worthwhile(8));
    CHECK(h.screen->worthwhile(8));
    CHECK_FALSE(h.check(0, h.values(5), {h.rows}));                               // everything is asked for
    CHECK_FALSE(h.check(0, h.values(5), {h.rows, h.rows / 2}));                   // too much is
    CHECK_FALSE(h.check(0, std::vector<float>(h.depth), {h.rows, 0, 0}));         // no bound for zeros,
    CHECK_FALSE(h.check(0, std::vector<float>(h.depth, 1e25f), {h.rows, 0, 0}));  // nor near overflow
    CHECK(h.check(0, h.values(5), {h.rows, 0, 0}));
    CHECK(h.screen->worthwhile(1));
  }

  TEST_CASE("rows that tie exactly stay") {
    std::mt19937 random(13);
    Head h("F16", 800, 64);
    const std::vector<float> x = normal(random, h.depth);
    for (size_t r = 0; r < h.rows; r++) {  // -x, but for some zeros: their logits and errors are 0
      std::vector<float> w = x;
      for (float& v : w) v *= r % 90 == 7 ? 0.0f : -1.0f;
      h.set(r, w);
    }
    REQUIRE(h.build().ok());
    CHECK(h.check(0, x, {h.rows, 0, 0}));
    CHECK(h.check(0, x, {h.rows, 2}));
  }

  TEST_CASE("several tokens are screened together") {
    std::mt19937 random(5);
    Head h("F16", 500, 128);
    for (size_t r = 0; r < h.rows; r++) h.set(r, normal(random, h.depth));
    REQUIRE(h.build().ok());
    std::vector<std::vector<float>> logits(4);
    for (size_t t = 0; t < 4; t++) h.multiply(t, h.values(100 * t), logits[t]);
    REQUIRE(h.screen->scan(h.acts, 1, 3).ok());
    for (size_t t = 1; t < 4; t++) {
      std::vector<Candidate> got;
      ScreenStats stats;
      REQUIRE(h.screen->candidates(t - 1, {h.rows, 0, 0}, got, stats));
      REQUIRE(got.size() < 10);
      const auto at =
          std::find_if(got.begin(), got.end(), [&](Candidate c) { return c.id == int32_t(100 * t); });
      REQUIRE(at != got.end());
      CHECK(at->logit == logits[t][100 * t]);
    }
  }

  TEST_CASE("rows that are not finite are refused") {
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
      Head h("F16", 40, 64);
      std::vector<float> w(64, 0.5f);
      for (size_t r = 0; r < h.rows; r++) h.set(r, w);
      w[63] = bad;
      h.set(37, w);
      CHECK(h.build().code() == Code::kCorrupt);
    }
  }
}

}  // namespace sterna
