// Random numbers that are the same on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace sterna {

/// xoshiro256** seeded by splitmix64 (Blackman & Vigna, https://prng.di.unimi.it).
class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& s : s_) {
      uint64_t z = (seed += 0x9e3779b97f4a7c15);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      s = z ^ (z >> 31);
    }
  }
  uint64_t next() {
    const uint64_t result = std::rotl(s_[1] * 5, 7) * 9, t = s_[1] << 17;
    s_[2] ^= s_[0], s_[3] ^= s_[1], s_[1] ^= s_[2], s_[0] ^= s_[3];
    s_[2] ^= t, s_[3] = std::rotl(s_[3], 45);
    return result;
  }
  double uniform() { return double(next() >> 11) * 0x1p-53; }  ///< [0, 1)

 private:
  uint64_t s_[4];
};

}  // namespace sterna
