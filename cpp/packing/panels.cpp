// The packing of codes of 1 to 8 bits: per row, 32 codes are eight 32-bit quads; a line's lane is a few of
// them shifted together. It takes whatever has codes.
#include <cstring>

#include "packing/groups.h"

namespace sterna::cpu {
namespace {

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

void pack_codes(int bits, const uint8_t* codes, size_t n, uint8_t* lane) {
  for (size_t k = 0; k < n; k += 32, lane += bits * 64)
    if (n - k < 32) {
      uint8_t padded[32] = {};
      std::memcpy(padded, codes + k, n - k);
      pack_chunk(bits, padded, lane);
    } else {
      pack_chunk(bits, codes + k, lane);
    }
}

}  // namespace

const Packing packing::panels{
    "panels",
    [](const formats::CodeSpec& s) { return s.fold != Fold::kFloat; },
    [](const formats::CodeSpec& s, size_t rows, size_t depth) {
      return layout_of_groups(packing::panels, s, rows, depth, 64 * (codes_of_span(s, depth) / 32 * s.bits));
    },
    [](const PackedLayout& l, const PanelSource& source, uint8_t* panel) {
      pack_groups(l, source, pack_codes, panel);
    },
    [](const formats::CodeSpec& s) {
      return kernels::QGemmVariant{s.bits, s.fold, s.sub, s.has_min, s.codebook ? 2 * s.zero - 1 : 0};
    },
};

}  // namespace sterna::cpu
