// Vectors of the scalar kernels: plain arrays and loops, for any CPU; what every other instruction set must
// equal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/half.h"
#include "kernels/contract/trits.h"

// Of the parts of a qgemm tile. Not forced: there are no registers to keep 16 lanes in, and the code is half
// as large.
#define STERNA_INLINE inline

namespace {

constexpr int kTile = 4;
constexpr int kDotBias8 = 0;  // dot4 takes unsigned codes of 8 bits as they are
constexpr bool kPlanes = false;

template <class T, class Fn>
inline T lanes(Fn f) {
  T t;
  for (int i = 0; i < 16; i++) t.v[i] = f(i);
  return t;
}

struct I {
  int32_t v[16];
  static I zero() { return set1(0); }
  static I set1(int32_t x) {
    return lanes<I>([&](int) { return x; });
  }
  static I load_i8(const int8_t* p) {
    return lanes<I>([&](int i) { return p[i]; });
  }
  static I load_u8(const uint8_t* p) {
    return lanes<I>([&](int i) { return p[i]; });
  }
  void store(int32_t* p) const {
    for (int i = 0; i < 16; i++) p[i] = v[i];
  }
  friend I operator+(I a, I b) {
    return lanes<I>([&](int i) { return a.v[i] + b.v[i]; });
  }
  friend I operator-(I a, I b) {
    return lanes<I>([&](int i) { return a.v[i] - b.v[i]; });
  }
  friend I operator*(I a, I b) {
    return lanes<I>([&](int i) { return a.v[i] * b.v[i]; });
  }
  friend I operator&(I a, I b) {
    return lanes<I>([&](int i) { return a.v[i] & b.v[i]; });
  }
};
template <int n>
inline I shift_right(I a) {
  return lanes<I>([&](int i) { return int32_t(uint32_t(a.v[i]) >> n); });
}
template <int n>
inline I shift_right_signed(I a) {
  return lanes<I>([&](int i) { return a.v[i] >> n; });
}
inline I low16(I a) { return a; }  // multiply_add16 takes any a
inline I multiply_add16(I acc, I a, int32_t x) {
  return lanes<I>([&](int i) { return acc.v[i] + a.v[i] * x; });
}
template <int mul>
inline I scaled(I a) {
  return lanes<I>([&](int i) { return a.v[i] * mul; });
}

struct F {
  float v[16];
  static F zero() { return set1(0); }
  static F set1(float x) {
    return lanes<F>([&](int) { return x; });
  }
  static F load(const float* p) {
    return lanes<F>([&](int i) { return p[i]; });
  }
  static F load_f16(const uint16_t* p) {
    return lanes<F>([&](int i) { return sterna::f16_to_f32(p[i]); });
  }
  static F load_bf16(const uint16_t* p) {
    return lanes<F>([&](int i) { return sterna::bf16_to_f32(p[i]); });
  }
  void store(float* p) const {
    for (int i = 0; i < 16; i++) p[i] = v[i];
  }
  friend F operator+(F a, F b) {
    return lanes<F>([&](int i) { return a.v[i] + b.v[i]; });
  }
  friend F operator-(F a, F b) {
    return lanes<F>([&](int i) { return a.v[i] - b.v[i]; });
  }
  friend F operator*(F a, F b) {
    return lanes<F>([&](int i) { return a.v[i] * b.v[i]; });
  }
  friend F operator/(F a, F b) {
    return lanes<F>([&](int i) { return a.v[i] / b.v[i]; });
  }
};
inline F fma(F a, F b, F c) {
  return lanes<F>([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
inline F max(F a, F b) {
  return lanes<F>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F min(F a, F b) {
  return lanes<F>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline F abs(F a) {
  return lanes<F>([&](int i) { return __builtin_fabsf(a.v[i]); });
}
inline F sqrt(F a) {
  return lanes<F>([&](int i) { return __builtin_sqrtf(a.v[i]); });
}
inline F rne(F a) {  // |a| < 2^22
  return lanes<F>([&](int i) { return (a.v[i] + 0x1.8p23f) - 0x1.8p23f; });
}
inline F to_float(I a) {
  return lanes<F>([&](int i) { return float(a.v[i]); });
}
inline I to_int(F a) {
  const F r = rne(a);
  return lanes<I>([&](int i) { return int32_t(r.v[i]); });
}
/// The lanes of a, within int8, as bytes.
inline void store_i8(I a, int8_t* p) {
  for (int i = 0; i < 16; i++) p[i] = int8_t(a.v[i]);
}
/// out[i] = v[i]'s 16 lanes added as the lane rule's tree.
inline void sum_trees(const F v[4], float* out) {
  for (int i = 0; i < 4; i++) {
    F s = v[i];
    for (int w = 8; w; w /= 2)
      for (int j = 0; j < w; j++) s.v[j] += s.v[j + w];
    out[i] = s.v[0];
  }
}
inline F exp2i(F n) {
  return lanes<F>([&](int i) { return std::bit_cast<float>(uint32_t(int32_t(n.v[i]) + 127) << 23); });
}

struct B {
  uint8_t v[64];
  static B zero() { return {}; }
  static B load(const uint8_t* p) {
    B b;
    __builtin_memcpy(b.v, p, 64);
    return b;
  }
  void store(uint8_t* p) const {
    for (int i = 0; i < 64; i++) p[i] = v[i];
  }
  friend B operator|(B a, B b) {
    for (int i = 0; i < 64; i++) a.v[i] |= b.v[i];
    return a;
  }
  friend B operator&(B a, B b) {
    for (int i = 0; i < 64; i++) a.v[i] &= b.v[i];
    return a;
  }
  friend B operator^(B a, B b) {
    for (int i = 0; i < 64; i++) a.v[i] ^= b.v[i];
    return a;
  }
};
inline B add_bytes(B a, B b) {
  for (int i = 0; i < 64; i++) a.v[i] = uint8_t(a.v[i] + b.v[i]);
  return a;
}
inline B add_saturated(B a, B b) {
  for (int i = 0; i < 64; i++) a.v[i] = uint8_t(a.v[i] + b.v[i] > 255 ? 255 : a.v[i] + b.v[i]);
  return a;
}
inline bool any_full(B a) {
  bool full = false;
  for (int i = 0; i < 64; i++) full |= a.v[i] == 255;
  return full;
}
/// |x| of signed bytes, and all ones where x is negative.
inline B magnitude(B x) {
  for (int i = 0; i < 64; i++) x.v[i] = uint8_t(int8_t(x.v[i]) < 0 ? -x.v[i] : x.v[i]);
  return x;
}
inline B sign_mask(B x) {
  for (int i = 0; i < 64; i++) x.v[i] = int8_t(x.v[i]) < 0 ? 255 : 0;
  return x;
}
/// `count` bits of each byte starting at bit `from`, moved to bit `to`; the other bits zero.
template <int from, int count, int to>
inline B move_bits(B a) {
  for (int i = 0; i < 64; i++) a.v[i] = uint8_t(((a.v[i] >> from) & ((1 << count) - 1)) << to);
  return a;
}
inline B broadcast16(const uint8_t* table) {
  B b;
  for (int i = 0; i < 64; i++) b.v[i] = table[i % 16];
  return b;
}
inline B lookup16(B table, B index) {
  for (int i = 0; i < 64; i++) index.v[i] = table.v[index.v[i] & 15];
  return index;
}

/// Digits 0..3 of each byte in its bit pairs, and digit 4 in its bits 6 and 7 (the other bits zero).
struct Trits {
  B four, fifth;
};
inline Trits decode_trits(B line) {
  using sterna::kernels::kTritTables;
  Trits t;
  for (int i = 0; i < 64; i++) {
    const uint8_t b = line.v[i];
    t.four.v[i] = b < 192 ? kTritTables.low[b & 63] : kTritTables.high[b & 63];
    t.fifth.v[i] = b < 192 ? b & 192 : kTritTables.high_fifth[b & 63];
  }
  return t;
}

/// acc + code * activation of one quad.
inline I dot(I acc, B q, const int8_t* a) {
  for (int r = 0; r < 16; r++)
    for (int j = 0; j < 4; j++) acc.v[r] += q.v[4 * r + j] * a[j];
  return acc;
}

/// acc[p] += sum over 4 quads of code * activation; lane r takes bytes 4r..4r+3 of each quad of panel p with
/// a[4i..4i+3].
template <int max_code, int P>
inline void dot4(I acc[P], const B q[P][4], const int8_t* a) {
  for (int p = 0; p < P; p++)
    for (int i = 0; i < 4; i++) acc[p] = dot(acc[p], q[p][i], a + 4 * i);
}

}  // namespace
