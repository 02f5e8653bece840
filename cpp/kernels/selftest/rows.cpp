// The self-test of the product of chosen rows: every size of tile, an odd depth, rows out of order.
#include "kernels/selftest/families.h"

namespace sterna::kernels::selftest {

std::vector<float> rows(RowsFn* fn, std::string_view) {
  constexpr size_t kInputs = 19, kPairs = 17, kPanels = 3, kInner = 37, kWidth = 16 * kPanels;
  Random r(11);
  const auto x = floats(r, kInputs * kInner), w = floats(r, kWidth * kInner);
  auto acc = floats(r, kRows * kWidth);
  std::vector<int32_t> input(kPairs), row(kPairs);
  for (size_t j = 0; j < kPairs; j++) {
    input[j] = int32_t(j * 7 % kInputs);
    row[j] = int32_t(100 + j * 2);
  }
  fn({x.data(), kInner, kInner, w.data(), kPanels, input.data(), row.data(), kPairs, 100, acc.data(),
      kWidth});
  return acc;
}

}  // namespace sterna::kernels::selftest
