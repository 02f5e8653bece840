// Made-up particulars: those of common formats.
#include "packing/example.h"

namespace sterna::cpu {

formats::CodeSpec example_spec(const kernels::QGemmVariant& variant) {
  if (variant.index)  // patterns are not made up; all numbers have one
    for (const formats::Format* f : formats::all())
      if (f->codes.grid && f->codes.grid->size == 1 << variant.index &&
          packing::grid.variant(f->codes) == variant)
        return f->codes;
  static constexpr uint8_t kCodebook[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                            129, 141, 153, 166, 181, 197, 217, 241};
  static constexpr uint8_t kSmall[16] = {4, 8, 10, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20, 22, 24, 28};
  formats::CodeSpec s;
  s.fold = variant.fold, s.bits = uint8_t(variant.bits), s.sub = uint8_t(variant.sub);
  s.has_min = variant.has_min, s.ternary = variant.trits;
  s.mul = s.bits == 1 ? 2 : 1;
  if (variant.codebook)
    s.codebook = variant.codebook == 255 ? kCodebook : kSmall, s.zero = int16_t((variant.codebook + 1) / 2);
  else
    s.zero = s.fold == Fold::kSuper && s.has_min ? 0 : int16_t((1 << s.bits) / 2);
  if (s.fold != Fold::kRow) s.block = s.fold == Fold::kSuper || s.ternary ? 256 : 64;
  return s;
}

void to_patterns(const formats::CodeSpec& spec, uint8_t* codes, size_t n) {
  const formats::Grid& grid = *spec.grid;
  for (uint8_t* end = codes + n; codes < end; codes += 8) {
    size_t chosen = 0;
    for (int j = 0; j < 4; j++) chosen = chosen << 3 | codes[j];
    for (int j = 0; j < 8; j++)
      codes[j] = uint8_t((codes[j] & 4) | (grid.patterns[chosen % grid.size] >> 2 * j & 3));
  }
}

const Packing& packing_of(const kernels::QGemmVariant& variant) {
  const formats::CodeSpec spec = example_spec(variant);
  for (const Packing* p : packings())
    if (p->accepts(spec) && p->variant(spec) == variant) return *p;
  return packing::panels;
}

}  // namespace sterna::cpu
