// Tables for matmul by lookup: what the four code bits of a nibble can add to a product, for each of their 16
// values. Made once per row of activations, read by every row of every matrix (the "table" kernels of qgemm).
//
// Codes of 1 and 2 bits lie as contract/qgemm.h says, so that all low nibbles of a line (and all high ones)
// of bytes 4r+j hold the same k for one j: four groups, and 4 * 16 entries of one byte are a vector of 64
// bytes that serves 16 rows. A chunk of 32 k has 2 * bits vectors, in the order of its lines, low nibbles
// first:
//   1 bit : vector v of a chunk has k = 16v + 4i + j; bit i of the nibble is the code of that k
//   2 bits: vector v of a chunk has k = 8v + 4i + j; bits 2i and 2i + 1 are the code (i = 0, 1)
// Entry 16j + n = sum of code * activation over the group's k, less the smallest such sum of the group: not
// negative and at most 768. Its low byte is in `low`, the rest in `high`. Most activations are small: `wide`
// is 1 for vectors in which a group's largest sum is 255 or more; where it is 0, `high` would be zero and is
// not written. Source: T-MAC (arXiv 2407.00088) for tables in place of products; the split keeps sums exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

/// The tables of one row of n_chunks * 32 activations.
struct Tables {
  uint8_t* low;    ///< [n_chunks][2 * bits][4][16]
  uint8_t* high;   ///< The same.
  int32_t* least;  ///< [n_chunks]: the smallest sums of the chunk's groups, added up.
  uint8_t* wide;   ///< [n_chunks][2 * bits]
};

/// Bytes of the tables of a row, a multiple of 64, and where the parts begin; `base` is 64-byte aligned.
constexpr size_t table_bytes(size_t n_chunks, int bits) {
  return (n_chunks * (size_t(bits) * (256 + 2) + 4) + 63) / 64 * 64;
}
inline Tables tables_at(uint8_t* base, size_t n_chunks, int bits) {
  const size_t n = n_chunks * size_t(bits) * 128;
  uint8_t* const least = base + 2 * n;
  return {base, base + n, reinterpret_cast<int32_t*>(least), least + 4 * n_chunks};
}

struct TablesVariant {
  int bits;  ///< Of the codes, 1 or 2.
  bool operator==(const TablesVariant&) const = default;
};

/// The tables of `act`, n_chunks * 32 int8 (any value).
struct TablesArgs {
  const int8_t* act;
  size_t n_chunks;
  Tables to;
};
using TablesFn = void(const TablesArgs&);

}  // namespace sterna::kernels
