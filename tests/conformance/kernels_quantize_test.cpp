// Conformance of the activation quantization kernels: codes, scales and sums equal to reference/quantize.h.
#include <cmath>

#include "conformance/kernel_cases.h"
#include "kernels/contract/elementwise.h"
#include "reference/quantize.h"

namespace sterna::testing {
namespace {

struct Case {
  std::vector<float> x;
  size_t block, sum_block;
  Side side;
  float floor = 0;  // of a row
};

void run_case(Kernels& all, const std::string& variant, const std::string& what, const Case& c) {
  const size_t n = c.x.size();
  const bool row = variant == "row";
  const reference::Quantized want = row ? reference::quantize_row(c.x.data(), n, c.floor)
                                        : reference::quantize_block(c.x.data(), n, c.block, c.sum_block);
  Guarded<float> x(n), scale(want.scale.size());
  Guarded<int8_t> codes(want.codes.size());
  Guarded<int32_t> sum(want.sum.size());
  const std::string name = what + ", n " + std::to_string(n) + ", block " + std::to_string(c.block) +
                           ", sums of " + std::to_string(c.sum_block) + ", floor " + std::to_string(c.floor);
  all.run(variant, name, [&](const kernels::Kernel& k) -> std::string {
    kernels::QuantizeArgs args{};
    args.x = x.fit(c.x.data(), n, c.side);
    args.n = n;
    args.block = c.block;
    args.sum_block = c.sum_block;
    args.floor = c.floor;
    args.codes = codes.fit(want.codes.size(), c.side);
    args.scale = scale.fit(want.scale.size(), c.side);
    args.sum = sum.fit(want.sum.size(), c.side);
    kernels::as<kernels::QuantizeFn>(k)(args);
    if (!x.intact() || !codes.intact() || !scale.intact() || !sum.intact()) return "wrote outside a buffer";
    std::string error = compare_ints("codes", args.codes, want.codes.data(), want.codes.size());
    if (error.empty()) error = compare(args.scale, want.scale.data(), want.scale.size());
    if (error.empty()) error = compare_ints("sum", args.sum, want.sum.data(), want.sum.size());
    return error;
  });
}

/// Inputs whose x * q lies on and beside the ties of rounding: `top`, then j + 0.5 and its neighbours.
std::vector<float> ties(size_t n, float top) {
  std::vector<float> x(n, top);
  for (size_t i = 1; i < n; ++i) {
    const float tie = (float(int(i / 3 % 255)) - 127.0f + 0.5f) * (top / 127.0f);
    x[i] = i % 3 == 0 ? tie : std::nextafterf(tie, i % 3 == 1 ? -1e30f : 1e30f);
  }
  if (n > 1) x[n / 2] = -top;
  return x;
}

std::vector<std::vector<float>> inputs(size_t n) {
  std::vector<std::vector<float>> all;
  for (Floats kind : kComparableFloats) all.push_back(floats(kind, n, n));
  for (float top : {127.0f, 1.0f, 0.3f, 1e-5f, 0.9e-5f, 1e-6f, 1e-30f, 0x1p-120f, 0x1.fcp-122f, 3e38f}) {
    all.push_back(ties(n, top));
  }
  all.push_back(ties(n, std::nextafterf(0x1.fcp-122f, 0)));  // 127 / amax is just infinite
  return all;
}

/// Rows with one element that is not a finite number, wherever a kernel's loops may end, and of nothing else.
std::vector<std::vector<float>> damaged(size_t n) {
  std::vector<std::vector<float>> all{floats(Floats::kNan, n, n), std::vector<float>(n, NAN),
                                      std::vector<float>(n, -INFINITY)};
  const float odd[] = {NAN, -NAN, INFINITY, -INFINITY};
  size_t i = 0;
  for (const size_t at : {size_t(0), n / 2, n - n % 16, n - 1}) {
    all.push_back(floats(Floats::kRandom, n, n));
    all.back()[std::min(at, n - 1)] = odd[i++ % 4];
  }
  return all;
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("reference quantize: the codes do not know the size of the row") {
  const std::vector<float> x = floats(Floats::kRandom, 200, 3);
  const reference::Quantized want = reference::quantize_row(x.data(), x.size());
  for (const float factor : {0x1p20f, 0x1p-20f, 0x1p-100f}) {
    std::vector<float> y = x;
    for (float& v : y) v *= factor;
    const reference::Quantized got = reference::quantize_row(y.data(), y.size());
    CHECK(got.codes == want.codes);
    CHECK(got.scale[0] == want.scale[0] * factor);
    const reference::Quantized floored = reference::quantize_row(y.data(), y.size(), 1e-5f);
    CHECK((floored.scale[0] == got.scale[0]) == (factor > 1));
  }
}

TEST_CASE("kernels: quantize equals the reference") {
  KernelsOf<kernels::Family::quantize> all;
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE((variant == "row" || variant == "block"), "no conformance test for quantize " << variant);
    if (variant == "row") {
      std::vector<size_t> sizes{127, 128, 129, 255, 256, 257, 2560};
      for (size_t n = 1; n <= 70; ++n) sizes.push_back(n);
      for (size_t n : sizes) {
        size_t i = 0;
        for (const auto& x : inputs(n)) {
          run_case(all, variant, "input " + std::to_string(i),
                   {x, 0, 0, i % 2 ? Side::kStart : Side::kEnd, i % 3 ? 0.0f : 1e-5f});
          ++i;
        }
        for (const auto& x : damaged(n))
          run_case(all, variant, "damaged", {x, 0, 0, Side::kEnd, i++ % 2 ? 0.0f : 1e-5f});
      }
      continue;
    }
    for (size_t block : {32, 64, 96, 128, 256}) {
      for (size_t sum_block : {size_t(16), size_t(32), block}) {
        for (size_t n : {block, 2 * block, 3 * block, 10 * block}) {
          size_t i = 0;
          for (auto x : inputs(n)) {
            // Blocks of different size: one all zero, one tiny.
            for (size_t k = block; i % 3 == 2 && k < n && k < 2 * block; ++k) x[k] = 0;
            for (size_t k = 2 * block; i % 3 == 1 && k < n && k < 3 * block; ++k) x[k] *= 1e-36f;
            run_case(all, variant, "input " + std::to_string(i),
                     {x, block, sum_block, i % 2 ? Side::kStart : Side::kEnd});
            ++i;
          }
          for (const auto& x : damaged(n))
            run_case(all, variant, "damaged", {x, block, sum_block, Side::kEnd});
        }
      }
    }
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
