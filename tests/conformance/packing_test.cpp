// The library's packer against the reference packer: the same bytes for every variant of qgemm.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "conformance/qgemm_cases.h"
#include "kernels/registry.h"
#include "packing/example.h"

namespace sterna {

TEST_SUITE("kernels") {
  TEST_CASE("packing equals the reference packer") {
    size_t checked = 0;
    for (const kernels::Kernel* k : kernels::isas().back().kernels) {
      if (k->family != kernels::Family::qgemm) continue;
      const kernels::QGemmVariant* v = kernels::qgemm_variant(k->variant);
      REQUIRE(v);
      for (const testing::QShape& shape : testing::qgemm_shapes(*v)) {
        const size_t rows = 37;
        const reference::QMatrix w = testing::make_matrix(*v, shape, testing::kQData[0], rows, 11);
        const reference::Packed want = reference::pack(w, shape.f32_scales);

        formats::CodeSpec spec;
        spec.fold = w.fold, spec.bits = uint8_t(w.bits), spec.block = uint16_t(w.block),
        spec.sub = uint8_t(w.sub);
        spec.has_min = w.has_min, spec.f32_scales = shape.f32_scales;
        const std::vector<uint8_t> table(16);
        if (v->codebook) spec.codebook = table.data(), spec.zero = int16_t((v->codebook + 1) / 2);
        const formats::Grid grid{uint16_t(w.patterns.size()), w.patterns.data(), nullptr};
        if (v->index) spec.grid = &grid;
        const cpu::Packing& packing = cpu::packing_of(*v);
        CHECK(packing.variant(spec) == *v);
        CHECK((&packing == &cpu::packing::trits) == v->trits);
        CHECK((&packing == &cpu::packing::grid) == (v->index != 0));
        const cpu::PackedLayout layout = packing.layout(spec, rows, w.depth);
        CHECK(layout.variant() == *v);
        REQUIRE(layout.bytes() == want.bytes.size());
        CHECK(layout.group_blocks == want.group_blocks);
        CHECK(layout.group_bytes == want.group_bytes);
        CHECK(layout.codes_offset == want.codes_offset);

        std::vector<uint8_t> got(layout.bytes());
        const size_t n_scales = w.n_scales(), n_subs = w.n_subs();
        for (size_t p = 0; p < layout.n_panels; p++) {
          const size_t n = std::min<size_t>(16, rows - 16 * p);
          std::vector<uint8_t> codes(16 * w.depth), mn(16 * n_subs);
          std::vector<int8_t> sc(16 * n_subs);
          std::vector<float> d32(16 * n_scales), m32(16 * n_scales);
          std::vector<uint16_t> d16(16 * n_scales), m16(16 * n_scales);
          std::copy_n(w.codes.begin() + ptrdiff_t(16 * p * w.depth), n * w.depth, codes.begin());
          for (size_t i = 0; i < n * n_subs; i++) {
            sc[i] = int8_t(w.sc[16 * p * n_subs + i]);
            if (w.has_min) mn[i] = uint8_t(w.mn[16 * p * n_subs + i]);
          }
          for (size_t i = 0; i < n * n_scales; i++) {
            d16[i] = f32_to_f16(d32[i] = w.d[16 * p * n_scales + i]);
            if (w.has_min) m16[i] = f32_to_f16(m32[i] = w.m[16 * p * n_scales + i]);
          }
          const bool wide = shape.f32_scales || w.fold == Fold::kRow;
          cpu::pack_panel(layout,
                          {codes.data(), wide ? static_cast<const void*>(d32.data()) : d16.data(),
                           wide ? static_cast<const void*>(m32.data()) : m16.data(), sc.data(), mn.data()},
                          got.data() + p * layout.panel_bytes);
        }
        CAPTURE(k->variant);
        CAPTURE(shape.depth);
        CHECK(std::memcmp(got.data(), want.bytes.data(), got.size()) == 0);
        checked++;
      }
    }
    CHECK(checked > 19);
  }
}

}  // namespace sterna
