// The self-test of attention over a chunk, and of the two small operations around it.
#include "kernels/selftest/families.h"

namespace sterna::kernels::selftest {

std::vector<float> attention(AttentionFn* fn, std::string_view) {
  Random r(3);
  constexpr size_t kHeads = 3, kDim = 72, kPositions = 200, kRow = partial_floats(kDim);
  const auto q = floats(r, 2 * kHeads * kDim);
  const auto keys = halves(r, (kPositions + 1) * kDim), values = halves(r, (kPositions + 1) * kDim);
  std::vector<float> out(2 * kHeads * kRow);
  fn({q.data(), kHeads * kDim, keys.data(), values.data(), 2, kHeads, kDim, kPositions, 0.3f, out.data(),
      kRow});
  std::vector<float> digested;  // without the padding, which is anything
  for (size_t i = 0; i < 2 * kHeads; i++) {
    digested.insert(digested.end(), &out[i * kRow], &out[i * kRow + kDim]);
    digested.push_back(out[i * kRow + partial_m(kDim)]);
    digested.push_back(out[i * kRow + partial_l(kDim)]);
  }
  return digested;
}

std::vector<float> merge(MergeFn* fn, std::string_view) {
  Random r(4);
  auto x = floats(r, kDepth - 5), y = floats(r, kDepth - 5);
  fn(x.data(), partial_floats(72), 3, 72, y.data());
  return y;
}

std::vector<float> weigh(WeighFn* fn, std::string_view) {
  Random r(4);
  constexpr size_t n = kDepth - 7;
  const auto x = floats(r, n + 2), w = floats(r, n + 2);
  std::vector<float> y = w;
  fn(x.data(), w.data(), n, 0, y.data(), &y[n], &y[n + 1]);
  return y;
}

}  // namespace sterna::kernels::selftest
