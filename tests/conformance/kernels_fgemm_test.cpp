// Conformance of the matmul kernels with floating-point weights: bit-equal to reference/fgemm.h.
#include <cstring>

#include "base/half.h"
#include "conformance/kernel_cases.h"
#include "kernels/contract/fgemm.h"
#include "reference/fgemm.h"

namespace sterna::testing {
namespace {

struct Weights {
  std::vector<uint8_t> bytes;  ///< Rows of `row_bytes`, the last without padding.
  std::vector<float> values;   ///< [rows][depth], what the bytes mean.
};

/// Random bits of 16 are numbers of all magnitudes; infinities and NaNs are replaced. Every fourth is an
/// ordinary number, so that sums are not all ruled by one term.
uint16_t random_half(Random& rng, Floats kind, bool bf16) {
  const uint16_t exponent = bf16 ? 0x7f80 : 0x7c00;
  const float ordinary = rng.uniform(-1, 1);
  uint16_t h = uint16_t(rng.next());
  if (kind == Floats::kZeros) return h & 0x8000;
  if (kind == Floats::kDenormals) return uint16_t(h & ~exponent);
  if (kind == Floats::kRandom || h % 4 == 0 || (h & exponent) == exponent) {
    h = bf16 ? f32_to_bf16(ordinary) : f32_to_f16(ordinary);
  }
  return h;
}

Weights make_weights(const std::string& variant, Floats kind, size_t rows, size_t depth, size_t pad,
                     uint64_t seed) {
  Random rng(seed);
  const size_t elem = variant == "f32" ? 4 : 2, row_bytes = (depth + pad) * elem;
  Weights w;
  w.bytes.assign((rows - 1) * row_bytes + depth * elem, kCanary);
  const std::vector<float> f32 = floats(kind, rows * depth, seed);
  for (size_t i = 0; i < rows * depth; ++i) {
    const uint16_t half = random_half(rng, kind, variant == "bf16");
    w.values.push_back(elem == 4 ? f32[i] : variant == "f16" ? f16_to_f32(half) : bf16_to_f32(half));
    uint8_t* at = &w.bytes[i / depth * row_bytes + i % depth * elem];
    if (elem == 4)
      std::memcpy(at, &f32[i], 4);
    else
      std::memcpy(at, &half, 2);
  }
  return w;
}

struct Shape {
  size_t rows, depth, tokens;
  size_t pad;  ///< Elements added to each stride.
  Side side;
};

void run_shape(Kernels& all, const std::string& variant, const Shape& s, Floats kind) {
  // A product of two mixed or huge inputs overflows soon; then only infinities and NaNs would be compared.
  const Floats x_kind = kind == Floats::kHuge || kind == Floats::kMixed ? Floats::kRandom : kind;
  const size_t elem = variant == "f32" ? 4 : 2, x_stride = s.depth + s.pad;
  const Weights w = make_weights(variant, kind, s.rows, s.depth, s.pad, s.depth);
  const std::vector<float> x = floats(x_kind, (s.tokens - 1) * x_stride + s.depth, s.depth + 1);
  std::vector<float> want;
  for (size_t t = 0; t < s.tokens; ++t) {
    for (size_t r = 0; r < s.rows; ++r) {
      want.push_back(reference::fgemm(&w.values[r * s.depth], &x[t * x_stride], s.depth));
    }
  }
  Guarded<uint8_t> weights(w.bytes.size());
  Guarded<float> activations(x.size());
  OutputRectangle out(s.tokens * (s.rows + s.pad));
  const std::string what = "rows " + std::to_string(s.rows) + ", depth " + std::to_string(s.depth) +
                           ", tokens " + std::to_string(s.tokens) + ", padding " + std::to_string(s.pad) +
                           ", " + name(kind);
  all.run(variant, what, [&](const kernels::Kernel& k) {
    kernels::FGemmArgs args{};
    args.weights = weights.fit(w.bytes.data(), w.bytes.size(), s.side);
    args.row_bytes = (s.depth + s.pad) * elem;
    args.depth = s.depth;
    args.x = activations.fit(x.data(), x.size(), s.side);
    args.x_stride = x_stride;
    args.out_stride = s.rows + s.pad;
    args.out = out.prepare(s.rows, s.tokens, args.out_stride, s.side);
    args.n_rows = s.rows;
    args.n_tokens = s.tokens;
    kernels::as<kernels::FGemmFn>(k)(args);
    return kind == Floats::kNan ? "" : out.verify([&](size_t t, size_t r) { return want[t * s.rows + r]; });
  });
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: fgemm equals the reference") {
  KernelsOf<kernels::Family::fgemm> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE((variant == "f32" || variant == "f16" || variant == "bf16"),
                    "no conformance test for fgemm " << variant);
    for (size_t depth = 1; depth <= 70; ++depth) {
      if (fast() && depth % 5 > 1) continue;
      for (size_t tokens : {1, 2, 5}) {
        run_shape(all, variant, {5, depth, tokens, depth % 3, depth % 2 ? Side::kEnd : Side::kStart},
                  Floats::kRandom);
      }
      run_shape(all, variant, {3, depth, 2, 1, Side::kEnd}, Floats::kMixed);
    }
    for (size_t depth : {127, 128, 129, 255, 256, 257, 2560}) {
      for (Floats kind : kComparableFloats) run_shape(all, variant, {9, depth, 3, 0, Side::kEnd}, kind);
    }
    for (size_t rows = 1; rows <= 69; rows += rows < 17 ? 1 : rows < 31 ? 14 : rows < 33 ? 1 : 7) {
      for (size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33}) {
        if (fast() && (rows + tokens) % 4 != 0) continue;
        run_shape(all, variant, {rows, 50, tokens, tokens % 3, rows % 2 ? Side::kEnd : Side::kStart},
                  Floats::kRandom);
      }
    }
    run_shape(all, variant, {7, 100, 3, 0, Side::kEnd}, Floats::kNan);
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
