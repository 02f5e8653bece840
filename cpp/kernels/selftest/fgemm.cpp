// The self-test of matmul with float weights: a depth with a tail, one token and then many.
#include "kernels/selftest/families.h"

namespace sterna::kernels::selftest {

std::vector<float> fgemm(FGemmFn* fn, std::string_view variant) {
  Random r(2);
  const bool wide = variant == "f32";
  const auto w32 = floats(r, kRows * kDepth);
  const auto w16 = halves(r, kRows * kDepth);
  const auto x = floats(r, kTokens * kDepth);
  std::vector<float> out(kTokens * kRows);
  const void* w = wide ? static_cast<const void*>(w32.data()) : w16.data();
  for (size_t t = 0, n = 1; t < kTokens; t += n, n = kTokens - t)
    fn({w, kDepth * (wide ? 4 : 2), kDepth - 5, x.data() + t * kDepth, kDepth, out.data() + t * kRows, kRows,
        kRows, n});
  return out;
}

}  // namespace sterna::kernels::selftest
