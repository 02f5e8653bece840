// Packing: per row, 32 codes are eight 32-bit quads; a line's lane is a few of them shifted together.
#include "packing/panels.h"

#include <cstring>

#include "base/checked_math.h"
#include "kernels/contract/tables.h"
#include "kernels/contract/trits.h"
#include "kernels/registry.h"

namespace sterna::cpu {
namespace {

size_t meta_bytes_per_block(const PackedLayout& l) {
  const formats::CodeSpec& s = l.spec;
  size_t n = (l.f32_scales ? 64 : 32) * (s.has_min ? 2 : 1);
  if (s.fold == Fold::kSuper) n += s.block / s.sub * (s.has_min && s.sub == 32 ? 32 : 16);
  return n;
}

/// The lines of one 32-code chunk of one row; line i of row r is the 32-bit word at lines + 64*i + 4*r.
void pack_chunk(int bits, const uint8_t* codes, uint8_t* lane) {
  uint32_t q[8];
  std::memcpy(q, codes, 32);
  const auto put = [&](int line, uint32_t word) { std::memcpy(lane + 64 * line, &word, 4); };
  const auto part = [&](int i, int from, uint32_t mask) { return (q[i] >> from) & (mask * 0x01010101u); };
  const auto ones = [&](int line, int from) {
    uint32_t w = 0;
    for (int i = 0; i < 8; i++) w |= part(i, from, 1) << i;
    put(line, w);
  };
  const auto twos = [&](int line, int from) {
    for (int h = 0; h < 2; h++)
      put(line + h, part(4 * h, from, 3) | part(4 * h + 1, from, 3) << 2 | part(4 * h + 2, from, 3) << 4 |
                        part(4 * h + 3, from, 3) << 6);
  };
  const auto fours = [&] {
    for (int i = 0; i < 4; i++) put(i, part(2 * i, 0, 15) | part(2 * i + 1, 0, 15) << 4);
  };
  switch (bits) {
    case 1:
      ones(0, 0);
      break;
    case 2:
      twos(0, 0);
      break;
    case 3:
      twos(0, 0), ones(2, 2);
      break;
    case 4:
      fours();
      break;
    case 5:
      fours(), ones(4, 4);
      break;
    case 6:
      fours(), twos(4, 4);
      break;
    default:
      for (int i = 0; i < 8; i++) put(i, q[i]);
  }
}

/// The lines of n codes of one row, padded with zeros to a multiple of 16: five digits a byte.
void pack_trits(const uint8_t* codes, size_t n, size_t padded, uint8_t* lane) {
  const auto digit = [&](size_t k) { return k < n ? codes[k] : 0; };
  for (size_t k = 0; k < padded;) {
    const bool whole = padded - k >= 80;
    for (size_t l = 0; l < (whole ? 4 : 1); l++, lane += 64)
      for (size_t j = 0; j < 4; j++) {
        const size_t first = k + 16 * l + j;
        lane[j] = kernels::encode_trits(digit(first), digit(first + 4), digit(first + 8), digit(first + 12),
                                        whole ? digit(k + 64 + 4 * l + j) : 0);
      }
    k += whole ? 80 : 16;
  }
}

/// Copies column b of a [16][n] array of T into 16 consecutive T.
template <class T>
uint8_t* put_column(const void* from, size_t n, size_t b, uint8_t* to) {
  const uint8_t* p = static_cast<const uint8_t*>(from);
  for (size_t r = 0; r < 16; r++) std::memcpy(to + r * sizeof(T), p + (r * n + b) * sizeof(T), sizeof(T));
  return to + 16 * sizeof(T);
}

}  // namespace

PackedLayout packed_layout(const formats::CodeSpec& spec, size_t rows, size_t depth, bool f32_scales,
                           bool trits) {
  PackedLayout l{spec, rows, depth, f32_scales, trits};
  l.n_chunks = ceil_div(depth, 32);
  l.n_panels = ceil_div(rows, 16);
  const size_t span = spec.block ? spec.block : 32 * l.n_chunks, n_blocks = spec.block ? depth / span : 1;
  l.code_bytes = 64 * (trits ? kernels::trit_lines(span / 16) : span / 32 * spec.bits);
  l.meta_bytes = spec.fold == Fold::kRow ? 64 : meta_bytes_per_block(l);
  l.group_blocks = l.meta_bytes % 64 ? 2 : 1;
  l.codes_offset = l.group_blocks * l.meta_bytes;
  l.group_bytes = l.codes_offset + l.group_blocks * l.code_bytes;
  l.panel_bytes = l.codes_at(n_blocks - 1) + l.code_bytes;
  return l;
}

kernels::QGemmArgs PackedLayout::args(const uint8_t* panels) const {
  kernels::QGemmArgs g{};
  g.panels = panels, g.panel_bytes = panel_bytes;
  g.group_blocks = group_blocks, g.group_bytes = group_bytes, g.codes_offset = codes_offset;
  g.n_chunks = n_chunks, g.block_chunks = spec.block / 32u;
  g.zero = spec.zero, g.codebook = spec.codebook, g.f32_scales = f32_scales;
  return g;
}

kernels::QGemmVariant PackedLayout::variant() const { return variant_of(spec, trits); }

kernels::QGemmVariant variant_of(const formats::CodeSpec& s, bool trits) {
  return {s.bits, s.fold, s.sub, s.has_min, s.codebook != nullptr, trits};
}

formats::CodeSpec example_spec(const kernels::QGemmVariant& variant) {
  static constexpr uint8_t kCodebook[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                            129, 141, 153, 166, 181, 197, 217, 241};
  formats::CodeSpec s;
  s.fold = variant.fold, s.bits = uint8_t(variant.bits), s.sub = uint8_t(variant.sub);
  s.has_min = variant.has_min, s.ternary = variant.trits;
  s.mul = s.bits == 1 ? 2 : 1;
  if (variant.codebook) s.codebook = kCodebook;
  s.zero = s.codebook ? 128 : s.fold == Fold::kSuper && s.has_min ? 0 : int16_t((1 << s.bits) / 2);
  if (s.fold != Fold::kRow) s.block = s.fold == Fold::kSuper || s.ternary ? 256 : 64;
  return s;
}

void pack_panel(const PackedLayout& l, const PanelSource& source, uint8_t* panel) {
  const formats::CodeSpec& s = l.spec;
  const size_t span = s.block ? s.block : l.depth, n_blocks = l.depth / span;
  for (size_t r = 0; r < 16; r++)
    for (size_t b = 0; b < n_blocks; b++) {
      const uint8_t* codes = source.codes + r * l.depth + b * span;
      uint8_t* lane = panel + l.codes_at(b) + 4 * r;
      if (l.trits) {
        pack_trits(codes, span, round_up(span, 32), lane);
        continue;
      }
      for (size_t k = 0; k < span; k += 32, lane += s.bits * 64)
        if (span - k < 32) {
          uint8_t padded[32] = {};
          std::memcpy(padded, codes + k, span - k);
          pack_chunk(s.bits, padded, lane);
        } else {
          pack_chunk(s.bits, codes + k, lane);
        }
    }
  if (s.fold == Fold::kRow) {
    std::memcpy(panel, source.d, 64);
    return;
  }
  for (size_t b = 0; b < n_blocks; b++) {
    uint8_t* meta = panel + l.meta_at(b);
    for (const void* scale : {source.d, s.has_min ? source.m : nullptr})
      if (scale)
        meta = l.f32_scales ? put_column<float>(scale, n_blocks, b, meta)
                            : put_column<uint16_t>(scale, n_blocks, b, meta);
    if (s.fold != Fold::kSuper) continue;
    const size_t subs = s.block / s.sub, n_subs = n_blocks * subs;
    for (size_t i = b * subs; i < (b + 1) * subs; i++) {
      meta = put_column<uint8_t>(source.sub_scale, n_subs, i, meta);
      if (!s.has_min) continue;
      if (s.sub == 32) {
        meta = put_column<uint8_t>(source.sub_min, n_subs, i, meta);
      } else {  // both have 4 bits: one byte
        for (size_t r = 0; r < 16; r++) meta[int(r) - 16] |= uint8_t(source.sub_min[r * n_subs + i] << 4);
      }
    }
  }
}

void make_tables(const int8_t* act, size_t n_chunks, int bits, uint8_t* to) {
  kernels::find_fn(kernels::TablesVariant{bits})({act, n_chunks, kernels::tables_at(to, n_chunks, bits)});
}

}  // namespace sterna::cpu
