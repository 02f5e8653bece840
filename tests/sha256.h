// SHA-256 (FIPS 180-4), for digests of results that must be equal on every machine.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace sterna::testing {

inline std::string sha256(std::span<const uint8_t> data) {
  // The constants are the first 32 bits of the fractions of cube and square roots of the first primes.
  static const auto constants = [] {
    std::array<uint32_t, 72> c{};
    int n = 0;
    for (int p = 2; n < 64; p++) {
      bool prime = true;
      for (int d = 2; d * d <= p; d++) prime &= p % d != 0;
      if (!prime) continue;
      const auto fraction = [](long double x) { return uint32_t((x - std::floor(x)) * 4294967296.0L); };
      c[size_t(n)] = fraction(std::cbrt(static_cast<long double>(p)));
      if (n < 8) c[size_t(64 + n)] = fraction(std::sqrt(static_cast<long double>(p)));
      n++;
    }
    return c;
  }();
  std::vector<uint8_t> m(data.begin(), data.end());
  m.push_back(0x80);
  while (m.size() % 64 != 56) m.push_back(0);
  for (int i = 7; i >= 0; i--) m.push_back(uint8_t(uint64_t(data.size()) * 8 >> (8 * i)));
  uint32_t h[8];
  std::memcpy(h, constants.data() + 64, sizeof h);
  for (size_t b = 0; b < m.size(); b += 64) {
    uint32_t w[64];
    for (size_t i = 0; i < 16; i++)
      w[i] = uint32_t(m[b + 4 * i]) << 24 | uint32_t(m[b + 4 * i + 1]) << 16 |
             uint32_t(m[b + 4 * i + 2]) << 8 | m[b + 4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
      const uint32_t x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3) +
             (std::rotr(y, 17) ^ std::rotr(y, 19) ^ y >> 10);
    }
    uint32_t s[8];
    std::memcpy(s, h, sizeof s);
    for (size_t i = 0; i < 64; i++) {
      const uint32_t t1 = s[7] + (std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
      const uint32_t t2 = (std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      for (int j = 7; j > 0; j--) s[j] = s[j - 1];
      s[4] += t1;
      s[0] = t1 + t2;
    }
    for (int j = 0; j < 8; j++) h[j] += s[j];
  }
  std::string hex;
  for (uint32_t x : h) {
    char t[9];
    std::snprintf(t, sizeof t, "%08x", x);
    hex += t;
  }
  return hex;
}

}  // namespace sterna::testing
