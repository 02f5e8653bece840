// Vectors of the NEON kernels: four 128-bit registers each. With the dot-product extension sdot, else
// widening multiplies whose 16-bit sums of four quads cannot overflow for codes of 6 bits or less.
#pragma once

#ifndef __ARM_NEON
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

constexpr int kTile = 4;        // accumulators of a qgemm tile: half of the 32 registers, four each
constexpr int kDotBias8 = 128;  // there is no unsigned-times-signed product: dot4 computes with code - 128
constexpr bool kPlanes = false;

template <class T, class Fn>
inline T quarters(Fn f) {
  T t;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) t.v[i] = f(i);
  return t;
}

struct I {
  int32x4_t v[4];
  static I zero() { return set1(0); }
  static I set1(int32_t x) {
    return quarters<I>([&](int) { return vdupq_n_s32(x); });
  }
  static I load_i8(const int8_t* p) {
    const int8x16_t x = vld1q_s8(p);
    const int16x8_t lo = vmovl_s8(vget_low_s8(x)), hi = vmovl_s8(vget_high_s8(x));
    return {{vmovl_s16(vget_low_s16(lo)), vmovl_s16(vget_high_s16(lo)), vmovl_s16(vget_low_s16(hi)),
             vmovl_s16(vget_high_s16(hi))}};
  }
  static I load_u8(const uint8_t* p) {
    const uint8x16_t x = vld1q_u8(p);
    const int16x8_t lo = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x))),
                    hi = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(x)));
    return {{vmovl_s16(vget_low_s16(lo)), vmovl_s16(vget_high_s16(lo)), vmovl_s16(vget_low_s16(hi)),
             vmovl_s16(vget_high_s16(hi))}};
  }
  void store(int32_t* p) const {
    for (int i = 0; i < 4; i++) vst1q_s32(p + 4 * i, v[i]);
  }
  friend I operator+(I a, I b) {
    return quarters<I>([&](int i) { return vaddq_s32(a.v[i], b.v[i]); });
  }
  friend I operator-(I a, I b) {
    return quarters<I>([&](int i) { return vsubq_s32(a.v[i], b.v[i]); });
  }
  friend I operator*(I a, I b) {
    return quarters<I>([&](int i) { return vmulq_s32(a.v[i], b.v[i]); });
  }
  friend I operator&(I a, I b) {
    return quarters<I>([&](int i) { return vandq_s32(a.v[i], b.v[i]); });
  }
};
template <int n>
inline I shift_right(I a) {
  return quarters<I>(
      [&](int i) { return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v[i]), n)); });
}
template <int n>
inline I shift_right_signed(I a) {
  return quarters<I>([&](int i) { return vshrq_n_s32(a.v[i], n); });
}
inline I low16(I a) { return a; }  // multiply_add16 takes any a
inline I multiply_add16(I acc, I a, int32_t x) {
  return quarters<I>([&](int i) { return vmlaq_n_s32(acc.v[i], a.v[i], x); });
}
template <int mul>
inline I scaled(I a) {
  return mul == 1 ? a : a + a;
}

struct F {
  float32x4_t v[4];
  static F zero() { return set1(0); }
  static F set1(float x) {
    return quarters<F>([&](int) { return vdupq_n_f32(x); });
  }
  static F load(const float* p) {
    return quarters<F>([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  static F load_f16(const uint16_t* p) {
    return quarters<F>([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
  }
  static F load_bf16(const uint16_t* p) {
    return quarters<F>([&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
  }
  void store(float* p) const {
    for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, v[i]);
  }
  friend F operator+(F a, F b) {
    return quarters<F>([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
  }
  friend F operator-(F a, F b) {
    return quarters<F>([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
  }
  friend F operator*(F a, F b) {
    return quarters<F>([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
  }
  friend F operator/(F a, F b) {
    return quarters<F>([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
  }
};
inline F fma(F a, F b, F c) {
  return quarters<F>([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
inline F max(F a, F b) {  // a > b ? a : b, as x86 does for NaN and zeros
  return quarters<F>([&](int i) { return vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]); });
}
inline F min(F a, F b) {
  return quarters<F>([&](int i) { return vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]); });
}
inline F abs(F a) {
  return quarters<F>([&](int i) { return vabsq_f32(a.v[i]); });
}
inline F sqrt(F a) {
  return quarters<F>([&](int i) { return vsqrtq_f32(a.v[i]); });
}
inline F rne(F a) {
  return quarters<F>([&](int i) { return vrndnq_f32(a.v[i]); });
}
inline F to_float(I a) {
  return quarters<F>([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}
inline I to_int(F a) {
  return quarters<I>([&](int i) { return vcvtnq_s32_f32(a.v[i]); });
}
/// The lanes of a, within int8, as bytes.
inline void store_i8(I a, int8_t* p) {
  const int16x8_t lo = vcombine_s16(vmovn_s32(a.v[0]), vmovn_s32(a.v[1])),
                  hi = vcombine_s16(vmovn_s32(a.v[2]), vmovn_s32(a.v[3]));
  vst1q_s8(p, vcombine_s8(vmovn_s16(lo), vmovn_s16(hi)));
}
/// out[i] = v[i]'s 16 lanes added as the lane rule's tree.
inline void sum_trees(const F v[4], float* out) {
  const auto quarter = [](F a) {  // +8, +4
    return vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  };
  const auto pair = [](float32x4_t a, float32x4_t b) {  // +2
    return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                     vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
  };
  vst1q_f32(out, vpaddq_f32(pair(quarter(v[0]), quarter(v[1])), pair(quarter(v[2]), quarter(v[3]))));
}
inline F exp2i(F n) {
  return quarters<F>([&](int i) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23));
  });
}

struct B {
  uint8x16_t v[4];
  static B zero() {
    return quarters<B>([](int) { return vdupq_n_u8(0); });
  }
  static B load(const uint8_t* p) {
    return quarters<B>([&](int i) { return vld1q_u8(p + 16 * i); });
  }
  void store(uint8_t* p) const {
    for (int i = 0; i < 4; i++) vst1q_u8(p + 16 * i, v[i]);
  }
  friend B operator|(B a, B b) {
    return quarters<B>([&](int i) { return vorrq_u8(a.v[i], b.v[i]); });
  }
  friend B operator&(B a, B b) {
    return quarters<B>([&](int i) { return vandq_u8(a.v[i], b.v[i]); });
  }
  friend B operator^(B a, B b) {
    return quarters<B>([&](int i) { return veorq_u8(a.v[i], b.v[i]); });
  }
};
inline B add_bytes(B a, B b) {
  return quarters<B>([&](int i) { return vaddq_u8(a.v[i], b.v[i]); });
}
inline B add_saturated(B a, B b) {
  return quarters<B>([&](int i) { return vqaddq_u8(a.v[i], b.v[i]); });
}
inline bool any_full(B a) {
  return vmaxvq_u8(vmaxq_u8(vmaxq_u8(a.v[0], a.v[1]), vmaxq_u8(a.v[2], a.v[3]))) == 255;
}
/// |x| of signed bytes, and all ones where x is negative.
inline B magnitude(B x) {
  return quarters<B>([&](int i) { return vreinterpretq_u8_s8(vabsq_s8(vreinterpretq_s8_u8(x.v[i]))); });
}
inline B sign_mask(B x) {
  return quarters<B>([&](int i) { return vcltzq_s8(vreinterpretq_s8_u8(x.v[i])); });
}
/// `count` bits of each byte starting at bit `from`, moved to bit `to`; the other bits zero.
template <int from, int count, int to>
inline B move_bits(B a) {
  const uint8x16_t mask = vdupq_n_u8(uint8_t(((1 << count) - 1) << to));
  return quarters<B>([&](int i) {
    if constexpr (to == 0 && from > 0 && from + count == 8) return vshrq_n_u8(a.v[i], from);
    if constexpr (from > to) return vandq_u8(vshrq_n_u8(a.v[i], from - to), mask);
    if constexpr (from < to) return vandq_u8(vshlq_n_u8(a.v[i], to - from), mask);
    return vandq_u8(a.v[i], mask);
  });
}
inline B broadcast16(const uint8_t* table) {
  return quarters<B>([&](int) { return vld1q_u8(table); });
}
inline B lookup16(B table, B index) {
  return quarters<B>([&](int i) { return vqtbl1q_u8(table.v[i], index.v[i]); });
}

/// acc[p] += sum over 4 quads of code * activation (code - 128 if codes have 8 bits); lane r takes bytes
/// 4r..4r+3 of each quad of panel p with a[4i..4i+3].
template <int max_code, int P>
inline void dot4(I acc[P], const B q[P][4], const int8_t* a) {
  const auto code = [&](int p, int i, int r) {
    if constexpr (max_code == 255) return vreinterpretq_s8_u8(veorq_u8(q[p][i].v[r], vdupq_n_u8(0x80)));
    return vreinterpretq_s8_u8(q[p][i].v[r]);
  };
#ifdef __ARM_FEATURE_DOTPROD
  const int8x16_t x = vld1q_s8(a);
  for (int p = 0; p < P; p++)
    acc[p] = quarters<I>([&](int r) {
      int32x4_t s = acc[p].v[r];
      s = vdotq_laneq_s32(s, code(p, 0, r), x, 0);
      s = vdotq_laneq_s32(s, code(p, 1, r), x, 1);
      s = vdotq_laneq_s32(s, code(p, 2, r), x, 2);
      return vdotq_laneq_s32(s, code(p, 3, r), x, 3);
    });
#else
  int8x16_t x[4];
  for (int i = 0; i < 4; i++) {
    int32_t quad;
    std::memcpy(&quad, a + 4 * i, 4);
    x[i] = vreinterpretq_s8_s32(vdupq_n_s32(quad));
  }
  for (int p = 0; p < P; p++)
    acc[p] = quarters<I>([&](int r) {
      int32x4_t lo = vdupq_n_s32(0), hi = lo;  // pair sums of rows 0,1 and 2,3
      if constexpr (max_code > 63) {
        for (int i = 0; i < 4; i++) {
          lo = vpadalq_s16(lo, vmull_s8(vget_low_s8(code(p, i, r)), vget_low_s8(x[i])));
          hi = vpadalq_s16(hi, vmull_high_s8(code(p, i, r), x[i]));
        }
      } else {
        static_assert(max_code * 128 * 4 <= 32767);
        int16x8_t l = vmull_s8(vget_low_s8(code(p, 0, r)), vget_low_s8(x[0])),
                  h = vmull_high_s8(code(p, 0, r), x[0]);
        for (int i = 1; i < 4; i++) {
          l = vmlal_s8(l, vget_low_s8(code(p, i, r)), vget_low_s8(x[i]));
          h = vmlal_high_s8(h, code(p, i, r), x[i]);
        }
        lo = vpaddlq_s16(l);
        hi = vpaddlq_s16(h);
      }
      return vaddq_s32(acc[p].v[r], vpaddq_s32(lo, hi));
    });
#endif
}

}  // namespace
