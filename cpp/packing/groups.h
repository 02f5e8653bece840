// What the packings of qgemm share: a panel is groups of scales and codes (kernels/contract/qgemm.h),
// whatever the codes look like.
#pragma once

#include <cstring>

#include "packing/packing.h"

namespace sterna::cpu {

/// Codes that lie together: those of a block or, the row fold, of a row padded to a multiple of 32.
size_t codes_of_span(const formats::CodeSpec& spec, size_t depth);

/// A layout in which the codes of a span take `code_bytes`, and its scales what pack_groups() writes or, if
/// given, `meta_bytes`.
PackedLayout layout_of_groups(const Packing& packing, const formats::CodeSpec& spec, size_t rows,
                              size_t depth, size_t code_bytes, size_t meta_bytes = 0);

/// Copies column b of a [16][n] array of T into 16 consecutive T; returns their end.
template <class T>
uint8_t* put_column(const void* from, size_t n, size_t b, uint8_t* to) {
  const uint8_t* p = static_cast<const uint8_t*>(from);
  for (size_t r = 0; r < 16; r++) std::memcpy(to + r * sizeof(T), p + (r * n + b) * sizeof(T), sizeof(T));
  return to + 16 * sizeof(T);
}

/// Writes the codes of one row and span, n of them; the first line's lane is at `lane`, the next 64 bytes on.
using PackCodes = void(int bits, const uint8_t* codes, size_t n, uint8_t* lane);
/// Writes a panel of such a layout.
void pack_groups(const PackedLayout& layout, const PanelSource& source, PackCodes* pack_codes,
                 uint8_t* panel);

}  // namespace sterna::cpu
