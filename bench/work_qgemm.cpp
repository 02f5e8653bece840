// Low-bit matmul, with the tables of its activations made beforehand; and the making of these.
#include <cstring>
#include <memory>

#include "backends/cpu/choice.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "kernels/registry.h"
#include "packing/example.h"
#include "work.h"

namespace sterna::bench {

Work work_qgemm(const kernels::Kernel& kernel, const Case& c) {
  const size_t tokens = c.tokens;
  Weights& weights = c.weights;
  const kernels::QGemmVariant variant = *kernels::qgemm_variant(kernel.variant);
  const cpu::Packing& packing = cpu::packing_of(variant);
  formats::CodeSpec spec = cpu::example_spec(variant);
  // The block sizes of the usual formats: Q1_0 128, TQ2_0 and the K formats 256, all others 32.
  if (spec.fold == Fold::kBlock) spec.block = spec.bits == 1 ? 128 : spec.bits == 2 ? 256 : 32;
  const size_t block = spec.block ? spec.block : 32,
               depth = std::max<size_t>(1, c.shape.depth / block) * block;
  const size_t n_blocks = spec.block ? depth / block : 1, n_sums = spec.sub ? depth / spec.sub : n_blocks;
  const size_t panel_bytes = packing.layout(spec, 16, depth).panel_bytes;
  const size_t n_rows = std::min(c.shape.rows, kMaxMatrixBytes / panel_bytes * 16);
  const cpu::PackedLayout layout = packing.layout(spec, n_rows, depth);

  weights.resize(layout.bytes(), c.cold_mb);
  for (size_t i = 0; i < weights.copies() * layout.n_panels; ++i) {
    uint8_t* panel = weights.copy(i / layout.n_panels) + i % layout.n_panels * panel_bytes;
    fill_noise(panel, panel_bytes);
    for (size_t b = 0; b < n_blocks; b++)  // ordinary scales as f16, f32 and int8 alike
      std::memset(panel + layout.meta_at(b), 0x2c, layout.meta_bytes);
  }
  struct Inputs {
    std::vector<int8_t> act;
    std::vector<float> a_scale, out;
    std::vector<int32_t> a_sum;
    Buffer tables;
  };
  auto in = std::make_shared<Inputs>();
  in->act.resize(tokens * depth);
  cpu::example_activations(in->act.data(), in->act.size());
  in->a_scale.assign(tokens * n_blocks, 0.01f);
  in->a_sum.assign(tokens * n_sums, 5);
  in->out.resize(tokens * n_rows);

  kernels::QGemmArgs a = layout.args(
      nullptr, {in->act.data(), depth, in->a_scale.data(), n_blocks, in->a_sum.data(), n_sums, tokens},
      {in->out.data(), n_rows, n_rows, c.streams});
  if (kernels::looks_up(kernel)) {  // made once for all matrices: not part of the time
    a.table_bytes = kernels::table_bytes(a.n_chunks, spec.bits);
    in->tables = Buffer::allocate(tokens * a.table_bytes);
    for (size_t t = 0; t < tokens; ++t)
      kernels::make_tables(in->act.data() + t * depth, a.n_chunks, spec.bits,
                           in->tables.data() + t * a.table_bytes);
    a.tables = in->tables.data();
  }
  const auto fn = kernels::as<kernels::QGemmFn>(kernel);
  return {double(n_rows) * double(depth) * double(tokens), double(layout.bytes()),
          [=, &weights](size_t call) mutable {
            a.panels = weights.copy(call);
            fn(a);
            (void)in;
          }};
}

/// Those of one row.
Work work_tables(const kernels::Kernel& kernel, const Case& c) {
  const int bits = kernels::tables_variant(kernel.variant)->bits;
  const size_t n_chunks = (c.shape.depth + 31) / 32, bytes = kernels::table_bytes(n_chunks, bits);
  auto act = std::make_shared<std::vector<int8_t>>(32 * n_chunks);
  cpu::example_activations(act->data(), act->size());
  auto tables = std::make_shared<Buffer>(Buffer::allocate(bytes));
  const auto fn = kernels::as<kernels::TablesFn>(kernel);
  return {0, double(bytes), [=](size_t) {
            fn({act->data(), n_chunks, kernels::tables_at(tables->data(), n_chunks, bits)});
          }};
}

}  // namespace sterna::bench
