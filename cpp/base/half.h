// IEEE binary16 and bfloat16 to and from float, by integer arithmetic only: the same bits on every compiler
// and CPU. Conversions to 16 bits round to nearest even and keep denormals, infinities and (quiet) NaNs.
#pragma once

#include <bit>
#include <cstdint>

namespace sterna {

inline float f16_to_f32(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16;
  const uint32_t exp = (h >> 10) & 31, man = h & 1023;
  if (exp == 31) return std::bit_cast<float>(sign | 0x7f800000u | (man << 13) | (man ? 0x400000u : 0u));
  if (exp) return std::bit_cast<float>(sign | ((exp + 112) << 23) | (man << 13));
  const float f = float(man) * 0x1p-24f;  // denormal: exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(f));
}

inline uint16_t f32_to_f16(float f) {  // without branches, so that compilers vectorize loops over it
  const uint32_t x = std::bit_cast<uint32_t>(f), sign = (x >> 16) & 0x8000, a = x & 0x7fffffff;
  const uint32_t nan = 0x7e00 | ((a >> 13) & 0x1ff), infinity = 0x7c00;
  // Below 2^-14: denormal or zero. 0.5f has its last bit at 2^-24; the addition rounds to nearest even there.
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(a) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (a + 0xfff + ((a >> 13) & 1) - 0x38000000u) >> 13;  // 65520..65535 give infinity
  const uint32_t finite = a < 0x38800000 ? small : normal;
  return uint16_t(sign | (a > 0x7f800000 ? nan : a >= 0x47800000 ? infinity : finite));
}

inline float bf16_to_f32(uint16_t b) { return std::bit_cast<float>(uint32_t(b) << 16); }

inline uint16_t f32_to_bf16(float f) {
  const uint32_t x = std::bit_cast<uint32_t>(f);
  if ((x & 0x7fffffff) > 0x7f800000) return uint16_t((x >> 16) | 0x40);
  return uint16_t((x + 0x7fff + ((x >> 16) & 1)) >> 16);
}

}  // namespace sterna
