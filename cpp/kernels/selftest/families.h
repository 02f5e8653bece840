// The self-test of each family, one file for each contract header: a function that runs a kernel on a fixed
// input and returns all that it computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "kernels/contract/attention.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/fgemm.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/rows.h"
#include "kernels/contract/tables.h"

namespace sterna::kernels::selftest {

#define STERNA_FAMILY(name, function, what) std::vector<float> name(function* fn, std::string_view variant);
#include "kernels/contract/families.inc"
#undef STERNA_FAMILY

constexpr size_t kRows = 37, kDepth = 512, kTokens = 19;

inline std::vector<float> floats(Random& r, size_t n) {
  std::vector<float> v(n);
  for (float& x : v) x = float(r.uniform() * 8 - 4);
  return v;
}
inline std::vector<uint16_t> halves(Random& r, size_t n) {  // f16 in +-[0.0625, 0.125): also small as bf16
  std::vector<uint16_t> v(n);
  for (uint16_t& x : v) x = uint16_t(0x2c00 | (r.next() & 0x83ff));
  return v;
}
template <class T>
std::vector<T> bytes(Random& r, size_t n, int mask) {
  std::vector<T> v(n);
  for (T& x : v) x = T(r.next() & uint64_t(mask));
  return v;
}

/// Of a vector's storage, which is then aligned to 64 bytes.
struct alignas(64) Line {
  uint8_t bytes[64];
};

}  // namespace sterna::kernels::selftest
