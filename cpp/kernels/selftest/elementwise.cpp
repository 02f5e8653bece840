// The self-test of the small operations around the matmuls, on vectors with a tail.
#include "kernels/selftest/families.h"

namespace sterna::kernels::selftest {
namespace {

constexpr size_t kN = kDepth - 5;

/// Two inputs and an output, which starts as the second input.
struct Vectors {
  std::vector<float> x, w, y;
  explicit Vectors(size_t n = kN) {
    Random r(4);
    x = floats(r, n), w = floats(r, n), y = w;
  }
};

}  // namespace

std::vector<float> rmsnorm(RmsNormFn* fn, std::string_view) {
  Vectors v;
  fn(v.x.data(), v.w.data(), kN, 1e-5f, v.y.data());
  return v.y;
}

std::vector<float> softmax(SoftmaxFn* fn, std::string_view) {
  Vectors v;
  fn(v.x.data(), kN, v.y.data());
  return v.y;
}

std::vector<float> glu(GluFn* fn, std::string_view) {
  Vectors v;
  fn(v.x.data(), v.w.data(), kN, v.y.data());
  return v.y;
}

std::vector<float> add(AddFn* fn, std::string_view) {
  Vectors v;
  fn(v.x.data(), kN, v.y.data());
  return v.y;
}

std::vector<float> rope(RopeFn* fn, std::string_view) {
  Vectors v;
  fn(v.y.data(), v.x.data(), v.x.data() + kN / 2, 128);
  return v.y;
}

std::vector<float> quantize(QuantizeFn* fn, std::string_view) {
  const Vectors v(kDepth);
  std::vector<int8_t> codes(kDepth);
  std::vector<float> scale(kDepth / 32);
  std::vector<int32_t> sum(kDepth / 32);
  fn({v.x.data(), kDepth, 64, 32, codes.data(), scale.data(), sum.data()});
  std::vector<float> all = scale;
  all.insert(all.end(), codes.begin(), codes.end());
  all.insert(all.end(), sum.begin(), sum.end());
  return all;
}

}  // namespace sterna::kernels::selftest
