// The list of packings, and what a layout tells kernels.
#include "packing/packing.h"

namespace sterna::cpu {

std::span<const Packing* const> packings() {
#define STERNA_PACKING(name) &packing::name,
  static constexpr const Packing* kList[] = {
#include "packing/packings.inc"
  };
#undef STERNA_PACKING
  return kList;
}

kernels::QGemmArgs PackedLayout::args(const uint8_t* panels, const kernels::QGemmRows& of_rows,
                                      const kernels::QGemmOut& out) const {
  return {{panels, panel_bytes, group_blocks, group_bytes, codes_offset, n_chunks, spec.block / 32u,
           spec.zero, spec.codebook, spec.f32_scales, spec.grid ? spec.grid->magnitudes : nullptr},
          of_rows,
          out};
}

kernels::QGemmVariant PackedLayout::variant() const { return packing->variant(spec); }

}  // namespace sterna::cpu
