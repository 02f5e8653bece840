// What the format files share: the orders of bits in which codes are packed, and the loops from one block to
// a row. Internal to cpp/formats.
//
// A quantized format is a struct
//     struct Q4_0 {
//       static constexpr uint32_t kElems = 32, kBytes = 18;                  // one block
//       static constexpr CodeSpec kSpec{.fold = Fold::kBlock, ...};
//       static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out);
//     };
// whose unpack() takes one block apart for any bytes; `codes` is out.codes, apart so that the compiler may
// assume that it does not overlap the block. make_format<> derives the rest: decode cannot disagree.
//
// Floats: d and m have at most 11 significant bits, codes times sub-scales at most 12, so every product
// below is exact in f32, and a value is rounded at most once, where an offset is added.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "formats/format.h"

namespace sterna::formats {

#define STERNA_FORMAT(name) extern const Format k##name;
#include "formats/formats.inc"
#undef STERNA_FORMAT

/// Little-endian, at any address, on any machine.
inline uint16_t load_u16(const uint8_t* b) { return uint16_t(b[0] | b[1] << 8); }
inline uint32_t load_u32(const uint8_t* b) { return load_u16(b) | uint32_t(load_u16(b + 2)) << 16; }

/// Codes of kBits in kBytes bytes, plane by plane: byte j holds elements j, j + kBytes, j + 2 kBytes ...,
/// lowest bits first. With kShift > 0 they are or-ed, as high bits, into codes that have their low kShift.
template <int kBits, int kBytes, int kShift = 0>
inline void planes(const uint8_t* __restrict b, uint8_t* __restrict codes) {
  for (int p = 0; p < 8 / kBits; ++p) {
    for (int j = 0; j < kBytes; ++j) {
      const int c = (b[j] >> (p * kBits)) & ((1 << kBits) - 1);
      codes[p * kBytes + j] = uint8_t(kShift ? codes[p * kBytes + j] | c << kShift : c);
    }
  }
}

/// The same in running order: byte j holds the elements from j * 8 / kBits on, lowest bits first.
template <int kBits, int kBytes, int kShift = 0>
inline void runs(const uint8_t* __restrict b, uint8_t* __restrict codes) {
  constexpr int kPer = 8 / kBits;
  for (int j = 0; j < kBytes; ++j) {
    for (int p = 0; p < kPer; ++p) {
      const int c = (b[j] >> (p * kBits)) & ((1 << kBits) - 1);
      codes[j * kPer + p] = uint8_t(kShift ? codes[j * kPer + p] | c << kShift : c);
    }
  }
}

/// Base-3 digits 0..2 as a fraction: a byte is ceil(256 * 0.t0 t1 t2 t3 t4), so multiplying by 3 pushes the
/// next digit out at the top. Byte j holds elements j, j + kBytes, ..., first digit first; kDigits are used.
template <int kDigits, int kBytes>
inline void trits(const uint8_t* __restrict b, uint8_t* __restrict codes) {
  int pow3 = 1;
  for (int n = 0; n < kDigits; ++n, pow3 *= 3) {
    for (int j = 0; j < kBytes; ++j) codes[n * kBytes + j] = uint8_t((uint8_t(b[j] * pow3) * 3) >> 8);
  }
}

/// Q4_K and Q5_K: eight 6-bit scales and eight 6-bit minima in 12 bytes. The first four of each are the low
/// six bits of bytes 0-3 and 4-7; the last four have their low four bits in bytes 8-11 and the high two on
/// top of bytes 0-3 and 4-7.
inline void scales6(const uint8_t* s, int8_t* scale, uint8_t* min) {
  for (int g = 0; g < 4; ++g) {
    scale[g] = int8_t(s[g] & 63);
    min[g] = s[g + 4] & 63;
    scale[g + 4] = int8_t((s[g + 8] & 15) | (s[g] >> 6) << 4);
    min[g + 4] = uint8_t((s[g + 8] >> 4) | (s[g + 4] >> 6) << 4);
  }
}

/// Numbers d in a block of the file.
template <class B>
constexpr size_t kScales = B::kSpec.scale_span() ? B::kElems / B::kSpec.scale_span() : 1;

template <class B>
void unpack_row(const uint8_t* row, size_t n, const RowCodes& out) {
  constexpr CodeSpec kS = B::kSpec;
  constexpr size_t kSubs = kS.fold == Fold::kSuper ? B::kElems / kS.sub : 0;
  for (size_t i = 0; i < n / B::kElems; ++i) {
    RowCodes block{out.codes + i * B::kElems, nullptr, nullptr, nullptr, nullptr};
    if constexpr (kS.f32_scales)
      block.d32 = out.d32 + i * kScales<B>;
    else if constexpr (kS.fold != Fold::kRow)
      block.d = out.d + i * kScales<B>;
    if constexpr (kS.has_min) block.m = out.m + i * kScales<B>;
    if constexpr (kSubs > 0) block.sub_scale = out.sub_scale + i * kSubs;
    if constexpr (kSubs > 0 && kS.has_min) block.sub_min = out.sub_min + i * kSubs;
    B::unpack(row + i * B::kBytes, block.codes, block);
  }
}

/// The integer that multiplies the scales.
inline int code_value(const CodeSpec& s, uint8_t code) {
  return s.mul * (s.codebook ? s.codebook[code] : code) - s.zero;
}

template <class B>
void decode_row(const uint8_t* row, size_t n, float tensor_scale, float* out) {
  constexpr CodeSpec kS = B::kSpec;
  constexpr size_t kPart = kS.sub ? kS.sub : B::kElems, kParts = B::kElems / kPart;
  constexpr bool kSuper = kS.fold == Fold::kSuper;
  for (size_t i = 0; i < n / B::kElems; ++i) {
    uint8_t codes[B::kElems];
    uint16_t d[kScales<B>] = {}, m = 0;
    float d32 = 0;
    int8_t sub_scale[kParts] = {};
    uint8_t sub_min[kParts] = {};
    B::unpack(row + i * B::kBytes, codes, {codes, d, &m, sub_scale, sub_min, &d32});
    const float block_m = f16_to_f32(m);
    for (size_t p = 0; p < kParts; ++p) {
      const float d_p = kS.fold == Fold::kRow ? tensor_scale
                        : kS.f32_scales       ? d32
                                              : f16_to_f32(d[p * kScales<B> / kParts]);
      const float scale = kSuper ? d_p * float(sub_scale[p]) : d_p;
      const float offset = kSuper ? -block_m * float(sub_min[p]) : block_m;
      for (size_t e = p * kPart; e < (p + 1) * kPart; ++e) {
        const float value = scale * float(code_value(kS, codes[e]));
        out[i * B::kElems + e] = kS.has_min ? value + offset : value;
      }
    }
  }
}

template <class B>
void encode_row(const float* row, size_t n, uint8_t* out) {
  for (size_t i = 0; i < n / B::kElems; ++i) B::encode(row + i * B::kElems, out + i * B::kBytes);
}

template <class B>
constexpr Format make_format(const char* name, int32_t ggml_type, uint32_t tail_bytes = 0) {
  Format f{name, ggml_type, B::kElems, B::kBytes, tail_bytes, B::kSpec, decode_row<B>, unpack_row<B>};
  if constexpr (requires { B::encode; }) f.encode = encode_row<B>;
  return f;
}

// What encoders share. A format with encoder has, besides unpack(),
//     static void encode(const float* x, uint8_t* b);   // one block of finite floats

/// The element of largest magnitude, the positive one of two; n a multiple of 4.
inline float extreme(const float* x, int n) {
  float low[4] = {}, high[4] = {};
  for (int i = 0; i < n; i += 4) {
    for (int j = 0; j < 4; ++j) low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
    for (int j = 0; j < 4; ++j) high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
  }
  const float least = *std::min_element(low, low + 4), most = *std::max_element(high, high + 4);
  return most >= -least ? most : least;
}

/// A block's scale: the nearest f16, and what elements are multiplied with to become codes (0 if it is 0).
struct F16Scale {
  uint16_t bits;
  float inverse;
  explicit F16Scale(float scale) : bits(f32_to_f16(std::clamp(scale, -65504.0f, 65504.0f))) {
    const float d = f16_to_f32(bits);
    inverse = d == 0 ? 0 : 1 / d;
  }
};

/// Round to nearest even, then to [low, high]. Written so that compilers make vectors of it.
inline int quantize(float x, float low, float high) {
  x = (x + 0x1.8p23f) - 0x1.8p23f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  return int(x);
}

inline void store_u16(uint8_t* b, uint16_t x) { b[0] = uint8_t(x), b[1] = uint8_t(x >> 8); }

}  // namespace sterna::formats
