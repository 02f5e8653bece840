// Where scales and codes lie, and the scales themselves: columns of what formats give row by row.
#include "packing/groups.h"

#include "base/checked_math.h"

namespace sterna::cpu {
namespace {

size_t meta_bytes_per_block(const PackedLayout& l) {
  const formats::CodeSpec& s = l.spec;
  size_t n = s.block / s.scale_span() * (s.f32_scales ? 64 : 32) * (s.has_min ? 2 : 1);
  if (s.fold == Fold::kSuper) n += s.block / s.sub * (s.has_min && s.sub == 32 ? 32 : 16);
  return n;
}

/// The scales of block b of n_blocks, in the order of the contract.
void pack_scales(const PackedLayout& l, const PanelSource& source, size_t b, size_t n_blocks, uint8_t* meta) {
  const formats::CodeSpec& s = l.spec;
  const size_t per_block = s.block / s.scale_span(), n_scales = n_blocks * per_block;
  for (const void* scale : {source.d, s.has_min ? source.m : nullptr})
    for (size_t i = b * per_block; scale && i < (b + 1) * per_block; i++)
      meta = s.f32_scales ? put_column<float>(scale, n_scales, i, meta)
                          : put_column<uint16_t>(scale, n_scales, i, meta);
  if (s.fold != Fold::kSuper) return;
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

}  // namespace

size_t codes_of_span(const formats::CodeSpec& spec, size_t depth) {
  return spec.block ? spec.block : round_up(depth, 32);
}

PackedLayout layout_of_groups(const Packing& packing, const formats::CodeSpec& spec, size_t rows,
                              size_t depth, size_t code_bytes, size_t meta_bytes) {
  PackedLayout l{&packing, spec, rows, depth};
  l.n_chunks = ceil_div(depth, 32);
  l.n_panels = ceil_div(rows, 16);
  l.code_bytes = code_bytes;
  l.meta_bytes = meta_bytes ? meta_bytes : spec.fold == Fold::kRow ? 64 : meta_bytes_per_block(l);
  l.group_blocks = l.meta_bytes % 64 ? 2 : 1;
  l.codes_offset = l.group_blocks * l.meta_bytes;
  l.group_bytes = l.codes_offset + l.group_blocks * l.code_bytes;
  const size_t n_blocks = spec.block ? depth / spec.block : 1;
  l.panel_bytes = l.codes_at(n_blocks - 1) + l.code_bytes;
  return l;
}

void pack_groups(const PackedLayout& l, const PanelSource& source, PackCodes* pack_codes, uint8_t* panel) {
  const size_t span = l.spec.block ? l.spec.block : l.depth, n_blocks = l.depth / span;
  for (size_t r = 0; r < 16; r++)
    for (size_t b = 0; b < n_blocks; b++)
      pack_codes(l.spec.bits, source.codes + r * l.depth + b * span, span, panel + l.codes_at(b) + 4 * r);
  if (l.spec.fold == Fold::kRow)
    std::memcpy(panel, source.d, 64);
  else
    for (size_t b = 0; b < n_blocks; b++) pack_scales(l, source, b, n_blocks, panel + l.meta_at(b));
}

}  // namespace sterna::cpu
