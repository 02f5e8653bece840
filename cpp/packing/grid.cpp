// The packing of codes that are patterns of a grid with signs (kernels/contract/grid.h): about what their
// files take, where codes of 3 bits take up to 1.6 times that. Formats give codes; the patterns' numbers are
// found again, so that nothing else need know them.
#include "kernels/contract/grid.h"

#include "packing/groups.h"

namespace sterna::cpu {
namespace {

kernels::QGemmVariant variant_of(const formats::CodeSpec& s) {
  return {.bits = s.bits,
          .fold = s.fold,
          .sub = s.sub,
          .codebook = 2 * s.zero - 1,
          .index = s.grid->size > 256 ? 10 : 8};
}

/// From eight codes to the number of their pattern.
class Numbers {
 public:
  explicit Numbers(const formats::Grid& grid) {
    uint8_t codes[8];
    for (uint16_t i = 0; i < grid.size; i++) {
      for (int j = 0; j < 8; j++) codes[j] = grid.patterns[i] >> 2 * j & 3;
      numbers_[key(codes)] = i;
    }
  }
  uint16_t of(const uint8_t* codes) const { return numbers_[key(codes)]; }

 private:
  static constexpr size_t kKeys = 6561;  // 3 to the 8th

  /// The codes without sign as digits.
  static size_t key(const uint8_t* codes) {
    size_t k = 0;
    for (int j = 8; j-- > 0;) k = 3 * k + (codes[j] & 3);
    return k < kKeys ? k : 0;
  }

  uint16_t numbers_[kKeys] = {};
};

/// The codes of row r, 64 of them.
void pack_strip(bool high, const Numbers& numbers, const uint8_t* codes, size_t r, uint8_t* strip) {
  const auto put = [&](size_t at, int bits) { strip[at] = uint8_t(strip[at] | bits); };
  for (size_t i = 0; i < 8; i++, codes += 8) {
    const uint16_t number = numbers.of(codes);
    strip[16 * i + r] = uint8_t(number);
    if (high) put(kernels::kGridHigh + i / 4 * 16 + r, number >> 8 << i % 4 * 2);
    for (size_t j = 0; j < 8; j++) put(kernels::kGridSigns + 8 * r + j, (codes[j] >> 2 & 1) << i);
  }
}

void pack(const PackedLayout& l, const PanelSource& source, uint8_t* panel) {
  const formats::CodeSpec& s = l.spec;
  const kernels::QGemmVariant w = variant_of(s);
  const Numbers numbers(*s.grid);
  const size_t n_blocks = l.depth / s.block, subs = s.block / s.sub;
  for (size_t r = 0; r < 16; r++)
    for (size_t i = 0; i < l.depth / 64; i++)
      pack_strip(w.index > 8, numbers, source.codes + r * l.depth + 64 * i, r,
                 panel + l.codes_at(i / kernels::kGridStrips) +
                     i % kernels::kGridStrips * kernels::grid_strip_bytes(w));
  for (size_t b = 0; b < n_blocks; b++) {
    uint8_t* meta = panel + l.meta_at(b);
    meta = s.f32_scales ? put_column<float>(source.d, n_blocks, b, meta)
                        : put_column<uint16_t>(source.d, n_blocks, b, meta);
    for (size_t i = 0; i < subs; i += 2, meta += 16)
      for (size_t r = 0; r < 16; r++) {
        const int8_t* sc = source.sub_scale + (r * n_blocks + b) * subs + i;
        meta[r] = uint8_t((sc[0] >> 1 & 15) | (sc[1] >> 1 & 15) << 4);
      }
  }
}

}  // namespace

const Packing packing::grid{
    "grid",
    [](const formats::CodeSpec& s) { return s.grid && s.block == kernels::kGridBlock; },
    [](const formats::CodeSpec& s, size_t rows, size_t depth) {
      return layout_of_groups(packing::grid, s, rows, depth,
                              kernels::kGridStrips * kernels::grid_strip_bytes(variant_of(s)),
                              (s.f32_scales ? 64 : 32) + s.block / s.sub * 8u);
    },
    pack,
    variant_of,
};

}  // namespace sterna::cpu
