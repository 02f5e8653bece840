// A 64-bit number for bytes, the same on every machine: tells files apart, protects from nobody.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sterna {

constexpr uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

/// Little-endian words in four lanes, each as FNV would take them.
inline uint64_t fingerprint(const void* data, size_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  const auto word = [](const uint8_t* at, size_t n) {
    uint64_t w = 0;
    std::memcpy(&w, at, n);
    if constexpr (std::endian::native == std::endian::big) w = __builtin_bswap64(w);
    return w;
  };
  uint64_t lanes[4] = {1, 2, 3, 4};
  size_t i = 0;
  for (; i + 32 <= bytes; i += 32)
    for (size_t l = 0; l < 4; l++) lanes[l] = mix(lanes[l], word(p + i + 8 * l, 8));
  uint64_t h = mix(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]));
  for (; i < bytes; i += 8) h = mix(h, word(p + i, bytes - i < 8 ? bytes - i : 8));
  return mix(h, bytes);
}

}  // namespace sterna
