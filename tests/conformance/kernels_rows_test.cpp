// The product of chosen rows equals its plain loop, on every instruction set, for every number of pairs and
// panels.
#include <algorithm>
#include <numeric>

#include "conformance/kernel_cases.h"
#include "kernels/contract/rows.h"
#include "reference/rows.h"

namespace sterna::testing {
namespace {

struct Case {
  size_t depth, n_panels, n_pairs, acc_rows, x_stride, acc_stride;
  std::vector<float> x, w, acc;
  std::vector<int32_t> input, row;
  static constexpr int32_t kFirst = 1000;

  Case(size_t depth_, size_t n_panels_, size_t n_pairs_, Floats kind)
      : depth(depth_),
        n_panels(n_panels_),
        n_pairs(n_pairs_),
        acc_rows(n_pairs_ + 3),
        x_stride(depth_ + n_pairs_ % 3),
        acc_stride(16 * n_panels_ + n_pairs_ % 5) {
    const size_t n_inputs = 5;
    x = floats(kind, n_inputs * x_stride, depth), w = floats(kind, 16 * n_panels * depth, n_pairs + 1);
    acc = floats(kind, acc_rows * acc_stride, n_panels);
    row.resize(acc_rows);
    std::iota(row.begin(), row.end(), kFirst);
    Random rng(depth * 100 + n_pairs);
    for (size_t i = acc_rows; i-- > 1;) std::swap(row[i], row[size_t(rng.between(0, int(i)))]);
    row.resize(n_pairs);
    for (size_t i = 0; i < n_pairs; i++) input.push_back(rng.between(0, int(n_inputs) - 1));
  }

  std::vector<float> want() const {
    std::vector<float> y = acc;
    for (size_t j = 0; j < n_pairs; j++)
      reference::rows(&x[size_t(input[j]) * x_stride], depth, w.data(), n_panels,
                      &y[size_t(row[j] - kFirst) * acc_stride]);
    return y;
  }
};

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: rows equals the reference") {
  KernelsOf<kernels::Family::rows> all;
  Guarded<float> x(4096), w(16 * 5 * 100), acc(64 * 96);
  Guarded<int32_t> input(64), row(64);
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(variant == "f32", "no conformance test for rows " << variant);
    for (const size_t depth : {1, 3, 16, 33})
      for (const size_t n_panels : {1, 2, 3, 5})
        for (size_t n_pairs = 0; n_pairs <= 25; n_pairs += fast() && n_pairs > 9 ? 5 : 1)
          for (const Floats kind : kComparableFloats) {
            const Case c(depth, n_panels, n_pairs, kind);
            const std::vector<float> want = c.want();
            const Side side = n_pairs % 2 ? Side::kStart : Side::kEnd;
            const std::string what = std::to_string(n_pairs) + " pairs, depth " + std::to_string(depth) +
                                     ", " + std::to_string(n_panels) + " panels, " + name(kind);
            all.run(variant, what, [&](const kernels::Kernel& k) -> std::string {
              float* const out = acc.fit(c.acc.data(), c.acc.size(), side);
              kernels::as<kernels::RowsFn>(k)(
                  {x.fit(c.x.data(), c.x.size(), side), c.x_stride, depth,
                   w.fit(c.w.data(), c.w.size(), side), n_panels, input.fit(c.input.data(), n_pairs, side),
                   row.fit(c.row.data(), n_pairs, side), n_pairs, Case::kFirst, out, c.acc_stride});
              const std::string error = compare(out, want.data(), want.size());
              return !error.empty() || acc.intact() ? error : "wrote outside acc";
            });
          }
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
