// Packings: how the codes of a matrix lie in memory for the kernels that read them. Each is a descriptor in a
// file of its own, listed in packings.inc; neither formats nor kernels know them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/format.h"
#include "kernels/contract/qgemm.h"

namespace sterna::cpu {

struct Packing;

/// Everything about a packed matrix but its bytes.
struct PackedLayout {
  const Packing* packing = nullptr;
  formats::CodeSpec spec;
  size_t rows = 0, depth = 0;
  size_t n_chunks = 0, n_panels = 0, panel_bytes = 0;
  size_t code_bytes = 0, meta_bytes = 0;                       ///< Of a block; row fold: of a panel.
  size_t group_blocks = 0, group_bytes = 0, codes_offset = 0;  ///< As in QGemmPanels.

  size_t bytes() const { return n_panels * panel_bytes; }
  /// From a panel's start to the scales and to the codes of block b; row fold: b is 0.
  size_t meta_at(size_t b) const { return b / group_blocks * group_bytes + b % group_blocks * meta_bytes; }
  size_t codes_at(size_t b) const {
    return b / group_blocks * group_bytes + codes_offset + b % group_blocks * code_bytes;
  }
  /// What kernels are given: all panels from `panels` on, the activations, and where the products go.
  kernels::QGemmArgs args(const uint8_t* panels, const kernels::QGemmRows& rows = {},
                          const kernels::QGemmOut& out = {}) const;
  /// The kernels that read this.
  kernels::QGemmVariant variant() const;
};

/// One panel's source: 16 rows of decoded codes and scales, missing rows zero. Strides are row-major by
/// `depth` etc.
struct PanelSource {
  const uint8_t* codes;  ///< [16][depth]
  const void* d;         ///< f16 or, with f32_scales, f32 [16][depth/scale_span()]; f32 [16] for the row fold
  const void* m;         ///< as d, or null
  const int8_t* sub_scale;  ///< [16][depth/sub] (super fold), or null
  const uint8_t* sub_min;   ///< [16][depth/sub], or null
};

struct Packing {
  const char* name;
  bool (*accepts)(const formats::CodeSpec&);
  /// Of `depth` a multiple of the spec's block.
  PackedLayout (*layout)(const formats::CodeSpec&, size_t rows, size_t depth);
  /// Writes one panel (layout.panel_bytes at `panel`, zeroed before).
  void (*pack_panel)(const PackedLayout&, const PanelSource&, uint8_t* panel);
  /// The kernels of qgemm that read it.
  kernels::QGemmVariant (*variant)(const formats::CodeSpec&);
};

/// All packings, in the order of packings.inc.
std::span<const Packing* const> packings();
namespace packing {
#define STERNA_PACKING(name) extern const Packing name;
#include "packing/packings.inc"
#undef STERNA_PACKING
}  // namespace packing

/// By packing::panels, which accepts every spec with codes.
inline PackedLayout packed_layout(const formats::CodeSpec& spec, size_t rows, size_t depth) {
  return packing::panels.layout(spec, rows, depth);
}
/// By the layout's packing.
inline void pack_panel(const PackedLayout& layout, const PanelSource& source, uint8_t* panel) {
  layout.packing->pack_panel(layout, source, panel);
}

}  // namespace sterna::cpu
