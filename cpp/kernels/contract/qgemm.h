// The contract of low-bit matmul: out[t][r] = sum over k of weight[r][k] * activation[t][k], for weights of 1
// to 8 bits with scales and int8 activations with scales. The arithmetic is base/fold.h, bit for bit.
//
// Packed weights. 16 rows form a panel; panel p holds rows 16p .. 16p+15 (missing rows are zero bytes). A
// panel is a sequence of groups of group_bytes, and a group is the scales of group_blocks blocks followed, at
// codes_offset, by their codes: read in this order they are one memory stream, where scales far from their
// codes cost a third of the bandwidth for one token. A group has 2 blocks if the scales of one are no
// multiple of 64 bytes, else 1; the last one ends with the codes that there are. With the row fold a panel is
// one group of one block. group_bytes and panel_bytes are multiples of 64 and panels start 64-byte aligned.
//   Codes: chunks of 32 k, `bits` lines of 64 bytes each; byte 4r+j of a line belongs to row r. A "quad" is
//   k = 4i .. 4i+3 of the chunk (i = 0..7), byte j holding k = 4i+j. Where quad i's code bits live:
//     1 bit : line 0, bit i                          2 bits: line i/4, bits 2(i%4) and up
//     4 bits: line i/2, bits 4(i%2) and up           8 bits: line i
//     3 bits: low 2 as 2 bits (lines 0,1), high 1 as 1 bit (line 2)
//     5 bits: low 4 as 4 bits (lines 0-3), high 1 as 1 bit (line 4)
//     6 bits: low 4 as 4 bits (lines 0-3), high 2 as 2 bits (lines 4,5)
//   Ternary codes of the variants t5_row and t5_block: not chunks but, for each 80 k of the row (t5_block: of
//   the block), 4 lines of bytes with five digits (trits.h); byte 4r+j of line l (l = 0..3) has row r's
//   k = 16l+j, 16l+4+j, 16l+8+j, 16l+12+j and 64+4l+j. The last 16, 32, 48 or 64 k of a row or block that is
//   no multiple of 80 are 1 to 4 lines with a zero fifth digit.
//   Codes that are patterns of a grid, the variants g<index bits>: blocks of 256; where and how, their
//   sub-scales included, is in grid.h.
//   Scales ("meta"); with f32_scales d and m are f32[16] instead of f16[16]:
//     row fold: f32[16].
//     block fold: per block f16 d[16], then f16 m[16] if has_min; with sub 16 per block f16 d[16] for its
//     first 16 k, then for its second ... super fold: per block f16 d[16], f16 m[16] if has_min, then for
//     each sub-block of the block i8 sc[16], u8 mn[16] if has_min; except sub 16 with min (Q2_K): one u8[16],
//     sc in the low nibble, mn in the high.
//
// Activations: int8 rows, padded with zeros to a multiple of 32; a_scale per token (row fold) or per token
// and block; a_sum per token (row), per block (block), or per sub-block (super, and block with sub 16).
// Bounds: |code| * 128 * depth < 2^31, checked by the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fold.h"

namespace sterna::kernels {

/// What a qgemm kernel is chosen by. variants.inc lists the variants that there are, with their names.
struct QGemmVariant {
  int bits;
  Fold fold;
  int sub = 0;  ///< kSuper: 16 or 32; kBlock: 16 if d is per 16, not per block; else 0.
  bool has_min = false;
  int codebook = 0;    ///< Codes pass through a 16-byte table (3 or 4 bits) of bytes up to this; 0: none.
  bool trits = false;  ///< Ternary codes, five in a byte.
  int index = 0;       ///< Codes are patterns of 8 with signs, their numbers of 8 or 10 bits; 0: not so.
  bool operator==(const QGemmVariant&) const = default;
};

/// The weights: what a packing says (PackedLayout::args()).
struct QGemmPanels {
  const uint8_t* panels;  ///< First panel.
  size_t panel_bytes;
  size_t group_blocks;            ///< 1 or 2; row fold: 1.
  size_t group_bytes;             ///< Between groups of a panel.
  size_t codes_offset;            ///< From a group's start, where its scales are, to its codes; bytes.
  size_t n_chunks;                ///< ceil(depth / 32).
  size_t block_chunks;            ///< block / 32 (block and super folds).
  int32_t zero;                   ///< 0 if the super fold has minima.
  const uint8_t* codebook;        ///< 16 bytes, or null.
  bool f32_scales;                ///< d, m are f32 (block and super folds).
  const uint8_t* grid = nullptr;  ///< Eight magnitudes of each pattern; g variants only.
};

/// The activations, one row per token.
struct QGemmRows {
  const int8_t* act;  ///< First token's row.
  size_t act_stride;  ///< Bytes between tokens.
  const float* a_scale;
  size_t a_scale_stride;  ///< Elements between tokens.
  const int32_t* a_sum;
  size_t a_sum_stride;  ///< Elements between tokens.
  size_t n_tokens;
  const uint8_t* tables = nullptr;  ///< Of the first token's row (tables.h); null: all kernels multiply.
  size_t table_bytes = 0;           ///< Between tokens.
};

/// What to compute: rows of the matrix from the first panel's first row on.
struct QGemmOut {
  float* out;  ///< out[t * out_stride + r].
  size_t out_stride;
  size_t n_rows;         ///< The last panel may be cut.
  size_t n_streams = 4;  ///< One token: panels walked side by side, 2 or 4; what this machine's memory likes.
};

struct QGemmArgs : QGemmPanels, QGemmRows, QGemmOut {};

using QGemmFn = void(const QGemmArgs&);

}  // namespace sterna::kernels
