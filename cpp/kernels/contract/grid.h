// Codes that are numbers of patterns: the magnitudes of 8 elements are an entry of a table, a bit each their
// signs. The packing of the g variants (contract/qgemm.h), a block of 256 k being
//   d: f32[16] or f16[16];
//   sub-scales sc = 2n + 1: lines of 16 bytes, byte r of line i with n of row r's sub-blocks 2i in its low
//   and 2i + 1 in its high four bits;
//   4 strips of codes, each of 64 k, which are 8 patterns of each row:
//     8 lines of 16 bytes, byte r of line i the low 8 bits of the number of row r's pattern i;
//     128 bytes of signs, bit i of byte 8r + j set if element j of row r's pattern i is negative;
//     with numbers of 10 bits 2 lines of 16 bytes, the high bits of pattern i in bits 2 (i % 4) and up of
//     byte r of line i / 4.
#pragma once

#include "kernels/contract/qgemm.h"

namespace sterna::kernels {

/// Elements of a block, and strips in it.
constexpr size_t kGridBlock = 256, kGridStrips = 4;
/// Where signs and high bits of a strip are, from its start; bytes.
constexpr size_t kGridSigns = 128, kGridHigh = 256;
constexpr size_t grid_strip_bytes(const QGemmVariant& w) { return w.index > 8 ? 288 : 256; }

}  // namespace sterna::kernels
