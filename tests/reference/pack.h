// An independent packer, from decoded codes to the panels of kernels/contract/qgemm.h: every field is placed
// by the formula of its address, one element at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "reference/qgemm.h"

namespace sterna::reference {

struct Packed {
  std::vector<uint8_t> bytes;  ///< n_panels * panel_bytes
  size_t n_panels, panel_bytes, group_blocks, group_bytes, codes_offset, n_chunks;
};

/// Puts the low `bits` (1, 2, 4 or 8) of `code` of row r, element k of a chunk, into the lines at `lines`.
inline void put_bits(uint8_t* lines, int bits, int code, int r, int k) {
  const int quad = k / 4, per_line = 8 / bits;  // quads that share a line
  uint8_t& byte = lines[quad / per_line * 64 + 4 * r + k % 4];
  byte = uint8_t(byte | code << (bits * (quad % per_line)));
}

/// Puts digit `code` of row r, element k of a span (a row or block) of `padded` codes, into the lines that
/// start at `lines`: 80 codes in 4 lines of five digits a byte, the rest 16 a line.
/// With c = t0 + 3 t1 + 9 t2 + 27 t3 a byte is 64*t4 + c if c < 64, else 192 + 17*t4 + (c - 64).
inline void put_trit(uint8_t* lines, int code, size_t r, size_t k, size_t padded) {
  const size_t group = k / 80, in = k % 80, whole = padded / 80;
  const bool fifth = group < whole && in >= 64;
  const size_t line = fifth ? (in - 64) / 4 : in / 16, digit = fifth ? 4 : in % 16 / 4;
  uint8_t& byte = lines[(group * 4 + line) * 64 + 4 * r + k % 4];
  int c = byte < 192 ? byte % 64 : 64 + (byte - 192) % 17, t4 = byte < 192 ? byte / 64 : (byte - 192) / 17;
  constexpr int kPower[] = {1, 3, 9, 27};
  if (fifth)
    t4 = code;
  else
    c += code * kPower[digit];
  byte = uint8_t(c < 64 ? 64 * t4 + c : 192 + 17 * t4 + c - 64);
}

inline void put_code(uint8_t* lines, int bits, int code, int r, int k) {
  switch (bits) {
    case 3:
      put_bits(lines, 2, code & 3, r, k);
      put_bits(lines + 2 * 64, 1, code >> 2, r, k);
      break;
    case 5:
      put_bits(lines, 4, code & 15, r, k);
      put_bits(lines + 4 * 64, 1, code >> 4, r, k);
      break;
    case 6:
      put_bits(lines, 4, code & 15, r, k);
      put_bits(lines + 4 * 64, 2, code >> 4, r, k);
      break;
    default:
      put_bits(lines, bits, code, r, k);
  }
}

/// Puts pattern i of 8, of row r, into their strip: 16 bytes with the low bits of each number, then the bytes
/// of each element's 8 signs, then each number's high two bits, if any.
inline void put_pattern(uint8_t* strip, const uint8_t* codes, int number, size_t r, size_t i) {
  strip[16 * i + r] = uint8_t(number % 256);
  for (size_t j = 0; j < 8; ++j)
    if (codes[j] >= 4) strip[128 + 8 * r + j] |= uint8_t(1u << i);
  if (number >= 256) strip[256 + i / 4 * 16 + r] |= uint8_t(number / 256 << i % 4 * 2);
}

/// `f32_scales`: d and m as f32 (row fold: always). d and m must otherwise be f16 values. `gap` bytes, a
/// multiple of 64, are left between scales and codes of each group, filled with ones.
inline Packed pack(const QMatrix& w, bool f32_scales = false, size_t gap = 0) {
  const bool f32 = f32_scales || w.fold == Fold::kRow;
  const bool nibbles = w.fold == Fold::kSuper && w.has_min && w.sub == 16;
  const size_t strip_bytes = w.index ? 128 + 16 * size_t(w.index) : 0;  // of 8 patterns
  const size_t lane16 = 16 * (f32 ? 4 : 2);                             // bytes of d[16]
  const size_t subs = w.fold == Fold::kSuper ? w.block / w.sub : 0;
  const size_t per_sub = w.index ? 8 : w.has_min && !nibbles ? 32 : 16;
  const size_t scales = w.n_scales() / w.n_blocks();  // d of a block
  const size_t block_bytes = scales * lane16 * (w.has_min ? 2 : 1) + subs * per_sub;

  Packed p;
  p.n_panels = (w.rows + 15) / 16;
  p.n_chunks = (w.depth + 31) / 32;
  const size_t span = w.fold == Fold::kRow ? 32 * p.n_chunks : w.block;  // of trits
  const size_t span_bytes = (span / 80 * 4 + span % 80 / 16) * 64;
  const size_t code_bytes = w.trits   ? span_bytes
                            : w.index ? span / 64 * strip_bytes
                                      : span / 32 * size_t(w.bits) * 64;  // of a span
  p.group_blocks = block_bytes % 64 == 0 ? 1 : 2;
  p.codes_offset = p.group_blocks * block_bytes + gap;
  p.group_bytes = p.codes_offset + p.group_blocks * code_bytes;
  const size_t rest = w.n_blocks() % p.group_blocks;
  p.panel_bytes =
      w.n_blocks() / p.group_blocks * p.group_bytes + (rest ? p.codes_offset + rest * code_bytes : 0);
  p.bytes.assign(p.n_panels * p.panel_bytes, 0);

  for (size_t panel = 0; panel < p.bytes.size(); panel += p.panel_bytes)
    for (size_t group = 0; group < p.panel_bytes; group += p.group_bytes)
      std::memset(&p.bytes[panel + group + p.codes_offset - gap], 0xff, gap);
  const auto put_scale = [&](uint8_t* at, size_t lane, float v) {
    const uint16_t half = f32_to_f16(v);
    if (f32)
      std::memcpy(at + 4 * lane, &v, 4);
    else
      std::memcpy(at + 2 * lane, &half, 2);
  };
  for (size_t r = 0; r < w.rows; ++r) {
    uint8_t* const panel = &p.bytes[r / 16 * p.panel_bytes];
    const size_t lane = r % 16;
    for (size_t k = 0; k < w.depth; ++k) {
      const size_t b = k / span, in = k % span;
      uint8_t* const codes =
          panel + b / p.group_blocks * p.group_bytes + p.codes_offset + b % p.group_blocks * code_bytes;
      if (w.index) {
        const size_t at = r * w.depth + k, i = in / 8;
        if (k % 8 == 0)
          put_pattern(codes + i / 8 * strip_bytes, &w.codes[at], w.numbers[at / 8], lane, i % 8);
      } else if (w.trits)
        put_trit(codes, w.codes[r * w.depth + k], lane, in, span);
      else
        put_code(codes + in / 32 * size_t(w.bits) * 64, w.bits, w.codes[r * w.depth + k], int(lane),
                 int(in % 32));
    }
    for (size_t b = 0; b < w.n_blocks(); ++b) {
      uint8_t* const meta = panel + b / p.group_blocks * p.group_bytes + b % p.group_blocks * block_bytes;
      for (size_t i = 0; i < scales; ++i)
        put_scale(meta + i * lane16, lane, w.d[r * w.n_scales() + b * scales + i]);
      if (w.has_min) put_scale(meta + lane16, lane, w.m[r * w.n_blocks() + b]);
      for (size_t s = 0; s < subs; ++s) {
        uint8_t* const at = meta + lane16 * (w.has_min ? 2 : 1) + s * per_sub;
        const size_t i = r * w.n_subs() + b * subs + s;
        if (w.index) {  // sc = 2n + 1
          uint8_t& two = meta[lane16 + s / 2 * 16 + lane];
          two = uint8_t(two | w.sc[i] / 2 << 4 * (s % 2));
        } else if (nibbles) {
          at[lane] = uint8_t(w.sc[i] | w.mn[i] << 4);
        } else {
          at[lane] = uint8_t(w.sc[i]);  // two's complement i8
          if (w.has_min) at[16 + lane] = uint8_t(w.mn[i]);
        }
      }
    }
  }
  return p;
}

}  // namespace sterna::reference
