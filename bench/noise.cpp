// The made-up numbers of the benchmarks.
#include <cstring>

#include "work.h"

namespace sterna::bench {
namespace {

/// By xorshift.
const std::vector<uint8_t>& noise() {
  static const std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> b(65536);
    uint64_t x = 88172645463325252u;
    for (uint8_t& v : b) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      v = uint8_t(x >> 32);
    }
    return b;
  }();
  return bytes;
}

}  // namespace

void fill_noise(uint8_t* p, size_t n) {
  for (size_t i = 0; i < n; i += noise().size())
    std::memcpy(p + i, noise().data(), std::min(noise().size(), n - i));
}

float noise_float(size_t i) { return float(int(noise()[i * 7 % noise().size()]) - 128) / 128.0f; }

std::vector<float> noise_floats(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = noise_float(i);
  return v;
}

}  // namespace sterna::bench
