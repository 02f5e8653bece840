// The data of qgemm_cases.h, and a check that the oracle itself computes the product it claims to compute.
#include <cmath>
#include <cstdio>
#include <set>

#include "conformance/qgemm_cases.h"

namespace sterna::testing {

namespace {

/// The zero of the formats that have these codes, first; then another one that a kernel must honour as well.
std::pair<int, int> zeros(const QGemmVariant& v) {
  if (v.index) return {(v.codebook + 1) / 2, (v.codebook + 1) / 2};
  if (v.codebook) return {(v.codebook + 1) / 2, 7};
  if (v.fold == Fold::kSuper && v.has_min) return {0, 0};
  if (v.bits == 1) return {1, 0};
  if (v.bits == 2) return v.has_min ? std::pair{0, 1} : std::pair{1, 2};
  return v.has_min ? std::pair{0, 3} : std::pair{1 << (v.bits - 1), -5};
}

float f16_value(float x) { return f16_to_f32(f32_to_f16(x)); }

float scale(Random& rng, Scales kind, bool as_f32) {
  constexpr float kExtreme[] = {0.0f, -0.0f, 0x1p-24f, -0x1p-24f, 0x1.ff8p-15f, 65504.0f, -65504.0f, -1.0f};
  const float normal = rng.uniform(0.001f, 0.1f);
  float x = normal;
  if (kind == Scales::kDenormal) x = float(rng.between(-1023, 1023)) * 0x1p-24f;
  if (kind == Scales::kMixed)
    x = rng.between(0, 1) ? kExtreme[rng.between(0, 7)] : rng.between(0, 1) ? -normal : normal;
  if (!as_f32) return f16_value(x);
  return kind == Scales::kDenormal ? x * 0x1p-118f : x;
}

uint8_t code(Random& rng, Codes kind, const QGemmVariant& v) {
  const int max = v.trits ? 2 : (1 << v.bits) - 1;
  switch (kind) {
    case Codes::kMax:
      return uint8_t(max);
    case Codes::kZero:
      return 0;
    case Codes::kTernary:
      return uint8_t(rng.between(0, max < 2 ? max : 2));
    case Codes::kRandom:
      break;
  }
  return uint8_t(rng.between(0, max));
}

int8_t act(Random& rng, Acts kind) {
  switch (kind) {
    case Acts::kMax:
      return 127;
    case Acts::kMin:
      return -127;
    case Acts::kLowest:
      return -128;
    case Acts::kSparse:
      return int8_t(rng.between(0, 9) ? 0 : rng.between(-128, 127));
    case Acts::kRandom:
      break;
  }
  return int8_t(rng.between(-128, 127));
}

}  // namespace

std::vector<QShape> qgemm_shapes(const QGemmVariant& v) {
  const auto [usual, other] = zeros(v);
  std::vector<QShape> shapes;
  if (v.fold == Fold::kRow) {
    for (size_t depth : {96, 1, 31, 32, 33, 64, 160, 256, 288, 1056, 1088, 2560})
      shapes.push_back({depth, 0, usual, false});
    shapes.push_back({161, 0, other, false});
    return shapes;
  }
  const bool super = v.fold == Fold::kSuper;
  for (size_t block : {32, 64, 96, 128, 256}) {
    if (super && block != 256 && (block != 64 || v.index)) continue;
    for (size_t n : {1, 2, 3, 5}) {
      if (fast() && n == 2) continue;
      shapes.push_back({block * n, block, usual, false});
    }
    shapes.push_back({block * 3, block, other, false});
    shapes.push_back({block, block, usual, true});
    shapes.push_back({block * 4, block, other, true});
  }
  for (size_t block : {64, 96, 544})
    if (!super) shapes.push_back({block == 544 ? 1088u : 576u, block, usual, false});
  shapes.push_back({2560, size_t(super ? 256 : 32), usual, false});
  return shapes;
}

namespace {

/// Patterns, a codebook of magnitudes up to the largest, and the codes of numbers and signs.
void make_patterns(reference::QMatrix& w, const QGemmVariant& v, Codes kind, Random& rng) {
  const int most = v.codebook - w.zero;
  w.index = v.index;
  w.codebook.assign(16, uint8_t(w.zero));
  for (size_t i = 0; i < 3; ++i) {
    const int magnitude = i == 2 ? most : rng.between(0, most);
    w.codebook[i] = uint8_t(w.zero + magnitude);
    w.codebook[i + 4] = uint8_t(w.zero - magnitude);
  }
  std::set<uint16_t> distinct{0xaaaa};  // eight times the largest
  while (distinct.size() < size_t(1) << v.index) {
    int p = 0;
    for (int j = 0; j < 8; ++j) p |= rng.between(0, 2) << 2 * j;
    distinct.insert(uint16_t(p));
  }
  w.patterns.assign(distinct.begin(), distinct.end());
  for (size_t i = 0; i < w.rows * w.depth / 8; ++i) {
    const int last = int(w.patterns.size()) - 1;
    w.numbers.push_back(uint16_t(kind == Codes::kMax    ? last
                                 : kind == Codes::kZero ? 0
                                                        : rng.between(0, last)));
    for (int j = 0; j < 8; ++j) {
      const int negative = kind == Codes::kMax ? int(i / 3 % 2) : rng.between(0, 1);
      w.codes.push_back(uint8_t((w.patterns[w.numbers.back()] >> 2 * j & 3) + 4 * negative));
    }
  }
}

}  // namespace

reference::QMatrix make_matrix(const QGemmVariant& v, const QShape& s, const QData& data, size_t rows,
                               uint64_t seed) {
  Random rng(seed);
  reference::QMatrix w;
  w.fold = v.fold, w.bits = v.bits, w.zero = s.zero, w.has_min = v.has_min;
  w.trits = v.trits;
  w.rows = rows, w.depth = s.depth, w.block = s.block, w.sub = size_t(v.sub);
  if (v.index) {
    make_patterns(w, v, data.codes, rng);
  } else if (v.codebook) {
    // The largest value is that of the largest code.
    const int most = v.codebook, last = (1 << v.bits) - 1;
    for (int i = 0; i < 16; ++i) w.codebook.push_back(uint8_t(i == last ? most : rng.between(0, most)));
  }
  for (size_t i = w.codes.size(); i < rows * s.depth; ++i) w.codes.push_back(code(rng, data.codes, v));
  const bool f32 = s.f32_scales || v.fold == Fold::kRow;
  for (size_t i = 0; i < rows * w.n_scales(); ++i) {
    w.d.push_back(scale(rng, data.scales, f32));
    if (v.has_min) w.m.push_back(scale(rng, data.scales, f32));
  }
  const bool nibbles = v.sub == 16 && v.has_min, extreme = data.codes == Codes::kMax;
  const int sc_low = nibbles ? 0 : -128, sc_high = nibbles ? 15 : 127, mn_high = nibbles ? 15 : 255;
  for (size_t i = 0; i < rows * w.n_subs(); ++i) {
    // One extreme per row, so that nothing cancels within its sums.
    const int at_limit = (i / w.n_subs()) % 2 ? sc_low : sc_high;
    w.sc.push_back(extreme ? at_limit : rng.between(sc_low, sc_high));
    if (v.index) w.sc.back() = extreme ? 31 : 2 * rng.between(0, 15) + 1;
    if (v.has_min) w.mn.push_back(extreme ? mn_high : rng.between(0, mn_high));
  }
  return w;
}

reference::QActivations make_activations(const reference::QMatrix& w, const QData& data, size_t tokens,
                                         uint64_t seed) {
  Random rng(seed + 1);
  reference::QActivations x;
  x.tokens = tokens;
  for (size_t i = 0; i < tokens * w.depth; ++i) x.codes.push_back(act(rng, data.acts));
  for (size_t i = 0; i < tokens * w.n_blocks(); ++i) {
    const float normal = rng.uniform(0.0001f, 0.1f);
    const int pick = data.scales == Scales::kMixed ? rng.between(0, 5) : 5;
    x.scale.push_back(pick == 0 ? 0.0f : pick == 1 ? 1e-41f : pick == 2 ? 1e30f : normal);
    if (data.scales != Scales::kNan || rng.between(0, 2 * int(w.n_blocks()))) continue;
    x.scale.back() = NAN;
    std::fill_n(&x.codes[i * (w.depth / w.n_blocks())], w.depth / w.n_blocks(), int8_t(0));
  }
  return x;
}

std::string describe(const QShape& s, const QData& data) {
  char text[128];
  std::snprintf(text, sizeof text, "depth %zu, block %zu, zero %d, f32 scales %d, data kinds %d/%d/%d",
                s.depth, s.block, s.zero, int(s.f32_scales), int(data.codes), int(data.acts),
                int(data.scales));
  return text;
}

namespace {

/// The product in double, from the value that a format assigns to each element.
double product(const reference::QMatrix& w, const reference::QActivations& x, size_t r, size_t t,
               double* magnitude) {
  double sum = 0;
  *magnitude = 0;
  for (size_t k = 0; k < w.depth; ++k) {
    const size_t b = r * w.n_scales() + k / (w.depth / w.n_scales());
    const int c = w.codebook.empty() ? w.codes[r * w.depth + k] : w.codebook[w.codes[r * w.depth + k]];
    double value = double(w.d[b]) * (w.mul() * c - w.zero), offset = w.has_min ? double(w.m[b]) : 0;
    if (w.fold == Fold::kSuper) {
      value *= w.sc[r * w.n_subs() + k / w.sub];
      offset *= w.has_min ? -w.mn[r * w.n_subs() + k / w.sub] : 0;
    }
    const double a = double(x.codes[t * w.depth + k]) *
                     double(x.scale[t * w.n_blocks() + (w.fold == Fold::kRow ? 0 : k / w.block)]);
    sum += (value + offset) * a;
    *magnitude += (std::fabs(value) + std::fabs(offset)) * std::fabs(a);
  }
  return sum;
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("reference qgemm is the product of the decoded matrices") {
  for (const char* name :
       {"w1_block", "w2_row", "w4m_block", "w4c_block", "w4q_block16", "w8_row", "w2m_super16", "w5m_super32",
        "w6_super16", "w3s_super16", "w4c_super32", "g8s_super32", "g10s_super16"}) {
    const QGemmVariant* v = kernels::qgemm_variant(name);
    REQUIRE(v);
    for (const QShape& s : qgemm_shapes(*v)) {
      const auto w = make_matrix(*v, s, kQData[0], 3, 5);
      const auto x = make_activations(w, kQData[0], 2, 5);
      for (size_t r = 0; r < w.rows; ++r) {
        for (size_t t = 0; t < x.tokens; ++t) {
          double magnitude;
          const double want = product(w, x, r, t, &magnitude);
          // Four roundings of each scale's terms, relative to them: integer to float, scale product, two fma.
          const double bound = 4 * double(w.n_scales() + 1) * 0x1p-24 * magnitude;
          CHECK(std::fabs(double(reference::qgemm(w, x, r, t)) - want) <= bound);
        }
      }
    }
  }
}

TEST_CASE("names of variants: one for each, both ways, and those of qgemm say what they stand for") {
  std::set<std::string> seen;
  for (const kernels::Variant& v : kernels::all_variants()) {
    CAPTURE(v.name);
    CHECK(seen.insert(std::string(kernels::family_name(v.family)) + "_" + v.name).second);
    if (v.family == kernels::Family::tables) CHECK(kernels::name_of(v.tables) == std::string(v.name));
    if (v.family != kernels::Family::qgemm) continue;
    const QGemmVariant& q = v.qgemm;
    CHECK(kernels::name_of(q) == std::string(v.name));
    CHECK(*kernels::qgemm_variant(v.name) == q);
    std::string law = q.trits ? "t5" : q.index ? "g" + std::to_string(q.index) : "w" + std::to_string(q.bits);
    law += std::string(!q.codebook         ? ""
                       : q.codebook == 255 ? "c"
                       : q.codebook == 127 ? "s"
                       : q.codebook == 63  ? "h"
                                           : "q") +
           (q.has_min ? "m" : "");
    law += q.fold == Fold::kRow ? "_row" : q.fold == Fold::kBlock ? "_block" : "_super";
    if (q.sub) law += std::to_string(q.sub);
    CHECK(law == v.name);
  }
  for (const char* bad : {"", "w7_row", "w2m_row", "w2_super", "w2_rows", "w1", "f32"})
    CHECK(kernels::qgemm_variant(bad) == nullptr);
  CHECK(kernels::tables_variant("w3") == nullptr);
  CHECK(kernels::name_of(QGemmVariant{7, Fold::kRow}) == nullptr);
  CHECK(kernels::name_of(kernels::TablesVariant{3}) == nullptr);
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
