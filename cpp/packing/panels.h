// Weights in the panels that qgemm kernels read (kernels/contract/qgemm.h), made from any format's codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/format.h"
#include "kernels/contract/qgemm.h"

namespace sterna::cpu {

/// Everything about a packed matrix but its bytes.
struct PackedLayout {
  formats::CodeSpec spec;
  size_t rows = 0, depth = 0;
  bool f32_scales = false;
  bool trits = false;  ///< Five ternary digits a byte (kernels/contract/trits.h).
  size_t n_chunks = 0, n_panels = 0, panel_bytes = 0;
  size_t code_bytes = 0, meta_bytes = 0;                       ///< Of a block; row fold: of a panel.
  size_t group_blocks = 0, group_bytes = 0, codes_offset = 0;  ///< As in QGemmArgs.

  size_t bytes() const { return n_panels * panel_bytes; }
  /// From a panel's start to the scales and to the codes of block b; row fold: b is 0.
  size_t meta_at(size_t b) const { return b / group_blocks * group_bytes + b % group_blocks * meta_bytes; }
  size_t codes_at(size_t b) const {
    return b / group_blocks * group_bytes + codes_offset + b % group_blocks * code_bytes;
  }
  /// What a kernel is told about the weights: all panels from `panels` on, with activations, output and
  /// numbers of rows and tokens to be added.
  kernels::QGemmArgs args(const uint8_t* panels) const;
  /// The kernels that read this.
  kernels::QGemmVariant variant() const;
};

/// `trits`: spec.ternary codes, row or block fold, packed five in a byte.
PackedLayout packed_layout(const formats::CodeSpec& spec, size_t rows, size_t depth, bool f32_scales,
                           bool trits = false);

/// The kernels that read codes like these.
kernels::QGemmVariant variant_of(const formats::CodeSpec& spec, bool trits = false);

/// A spec that the kernels of a variant read, with made-up zero point, block and codebook: for measurements
/// and the self-test. Codes that it calls ternary are to be packed as trits.
formats::CodeSpec example_spec(const kernels::QGemmVariant& variant);

/// One panel's source: 16 rows of decoded codes and scales, missing rows zero. Strides are row-major by
/// `depth` etc.
struct PanelSource {
  const uint8_t* codes;     ///< [16][depth]
  const void* d;            ///< f16 or f32 [16][depth/block]; f32 [16] for the row fold
  const void* m;            ///< as d, or null
  const int8_t* sub_scale;  ///< [16][depth/sub], or null
  const uint8_t* sub_min;   ///< [16][depth/sub], or null
};
/// Writes one panel (layout.panel_bytes at `panel`, zeroed before).
void pack_panel(const PackedLayout& layout, const PanelSource& source, uint8_t* panel);

/// Makes the tables that kernels for codes of `bits` bits, 1 or 2, look up for a row of activations:
/// kernels::table_bytes() at `to`.
void make_tables(const int8_t* act, size_t n_chunks, int bits, uint8_t* to);

}  // namespace sterna::cpu
