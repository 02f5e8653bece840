// What Sterna knows about a weight format: how its bytes become floats (decode) and how they become integer
// codes with scales (unpack), which is what kernels eat. One file per format; formats.inc lists them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/fold.h"

namespace sterna::formats {

/// A table of patterns, of the codes of 8 elements at once but their signs. The packing `grid` stores their
/// numbers.
struct Grid {
  uint16_t size;              ///< Patterns; at most 1024.
  const uint16_t* patterns;   ///< [size], no two equal; element j's code, 0, 1 or 2, in bits 2j and 2j + 1.
  const uint8_t* magnitudes;  ///< [size][8]: |codebook[code] - zero|.
};

/// The shape of a format's codes; everything a kernel is chosen by.
struct CodeSpec {
  Fold fold = Fold::kFloat;
  uint8_t bits = 0;      ///< 1, 2, 3, 4, 5, 6 or 8; codes are 0 .. 2^bits - 1.
  uint8_t mul = 1;       ///< 2 for 1-bit codes (value 2b - 1), else 1.
  int16_t zero = 0;      ///< Subtracted after `mul`.
  uint16_t block = 0;    ///< Elements per scale of activations, a multiple of 32; 0 for kRow and kFloat.
  uint8_t sub = 0;       ///< kSuper: 16 or 32 elements per integer sub-scale. kBlock: 16 per d, or 0.
  bool has_min = false;  ///< Whether m (kBlock) or m and mn (kSuper) exist.
  bool ternary = false;  ///< Codes are 0, 1 and 2 (2 bits).
  /// 16 bytes (3 and 4 bits), or null: then the fold's code is codebook[code]. Its values are below 2 *
  /// zero, which is 128, 64, 32 or 16: the smaller they are, the fewer instructions kernels without 8-bit
  /// products need.
  const uint8_t* codebook = nullptr;
  /// Null, or: each 8 codes (3 bits) are a pattern of this with signs, their highest bits; sub-scales are 1,
  /// 3, 5 .. 31.
  const Grid* grid = nullptr;
  bool f32_scales = false;  ///< d and m are f32 instead of f16; no format has such m.
  float act_floor = 0;  ///< kRow only: the least amax of an activation row (kernels/contract/elementwise.h).
  bool operator==(const CodeSpec&) const = default;

  /// Elements per d, and per m; 0 for kRow and kFloat.
  constexpr size_t scale_span() const { return fold == Fold::kBlock && sub ? sub : block; }
  /// Elements per sum of activations; the same.
  constexpr size_t sum_span() const { return sub ? sub : block; }
};

/// Where unpack writes one row of n elements; pointers to members that the CodeSpec lacks are ignored.
struct RowCodes {
  uint8_t* codes;        ///< [n]
  uint16_t* d;           ///< f16 [n / scale_span()]; null with f32_scales.
  uint16_t* m;           ///< f16 [n / scale_span()]
  int8_t* sub_scale;     ///< kSuper: sc [n / sub]
  uint8_t* sub_min;      ///< mn [n / sub]
  float* d32 = nullptr;  ///< With f32_scales: d.
};

struct Format {
  const char* name;      ///< As GGUF tools print it: "Q4_0".
  int32_t ggml_type;     ///< Type id in the file; -1 if the file's id is ambiguous (Q2_0 with group 128).
  uint32_t block_elems;  ///< A row is a multiple of this.
  uint32_t block_bytes;  ///< Bytes per block_elems elements.
  uint32_t tail_bytes;   ///< Bytes after the last row of a tensor (I2_S: 32, f32 scale and padding), else 0.
  CodeSpec codes;
  /// Decodes one row of n elements (n % block_elems == 0) to floats, exactly as the format defines the value.
  /// `tensor_scale` is used by formats with one scale per tensor (I2_S) and ignored by the others.
  void (*decode)(const uint8_t* row, size_t n, float tensor_scale, float* out);
  /// Splits one row into codes and scales; null for kFloat. For kRow the scale is the tensor's (see below).
  void (*unpack)(const uint8_t* row, size_t n, const RowCodes& out);
  /// Quantizes a row of finite floats, by the largest magnitude of each block (their files say how); null for
  /// the formats that nothing here is quantized to.
  void (*encode)(const float* row, size_t n, uint8_t* out) = nullptr;
};

/// All formats, in the order of formats.inc.
std::span<const Format* const> all();
/// The format of a type id, or null. Ids that several forks share are resolved by the GGUF reader, not here.
const Format* by_ggml_type(int32_t id);
/// By name, case-sensitive; null if unknown.
const Format* by_name(const char* name);
/// Why a known but refused id (TL1, Q8_K, IQ1_BN, ...) cannot be loaded and what to use instead; null if the
/// id is unknown, too.
const char* refusal(int32_t id);

/// Bytes of a tensor of `rows` rows of `row_elems` elements; false on overflow, or without whole blocks.
bool tensor_bytes(const Format& f, uint64_t row_elems, uint64_t rows, uint64_t* bytes);
inline size_t row_bytes(const Format& f, size_t row_elems) {
  return row_elems / f.block_elems * f.block_bytes;
}
/// The scale of a tensor with one f32 scale after its codes (tail_bytes > 0); 1 for other formats.
float tensor_scale(const Format& f, const uint8_t* tensor, size_t row_elems, size_t rows);

}  // namespace sterna::formats
