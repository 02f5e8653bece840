// libFuzzer target: any activations, codes and scales, however hostile, through quantization and matmul of
// every instruction set of this machine. The same bits as the scalar kernels give; a NaN equals any NaN.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "fuzz/input.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "kernels/registry.h"
#include "machine/memory.h"
#include "packing/example.h"

namespace sterna::fuzz {
namespace {

using kernels::Family;
using kernels::Isa;
using kernels::Kernel;

bool same(float a, float b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0 || (std::isnan(a) && std::isnan(b));
}

const std::vector<std::string>& variants() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    for (const Kernel* k : kernels::isas().back().kernels)
      if (k->family == Family::qgemm) names.push_back(k->variant);
    return names;
  }();
  return all;
}

/// The kernel of an instruction set or, where it has none, of the next one that has.
const Kernel* kernel_of(size_t isa, Family family, std::string_view variant) {
  for (; isa < kernels::isas().size(); isa++)
    for (const Kernel* k : kernels::isas()[isa].kernels)
      if (k->family == family && variant == k->variant) return k;
  return nullptr;
}

struct Weights {
  cpu::PackedLayout layout;
  Buffer panels;
};

Weights make_weights(Input& in, const std::string& variant) {
  const kernels::QGemmVariant* typed = kernels::qgemm_variant(variant);
  formats::CodeSpec spec = cpu::example_spec(*typed);
  const size_t rows = in.between(1, 40);
  const size_t depth = spec.block ? spec.block * in.between(1, 3) : in.between(1, 300);
  if (spec.fold == Fold::kBlock) spec.f32_scales = in.byte() % 2;
  Weights w{cpu::packing_of(*typed).layout(spec, rows, depth), {}};
  const cpu::PackedLayout& l = w.layout;
  w.panels = Buffer::allocate(l.bytes());
  require(!w.panels.empty());
  const size_t n_scales = spec.block ? depth / spec.scale_span() : 1;
  const size_t n_subs = spec.sub ? depth / spec.sub : 0;
  const bool nibbles = spec.sub == 16 && spec.has_min, wide = spec.f32_scales || !spec.block;
  std::vector<uint8_t> codes(16 * depth), sub_min(16 * n_subs);
  std::vector<int8_t> sub_scale(16 * n_subs);
  std::vector<float> d(16 * n_scales), m(16 * n_scales);
  const auto scale = [&](float& to) {  // as f16 in the lower half where the layout says so
    if (wide) {
      to = in.number();
    } else {
      const uint16_t half[2] = {in.bits<uint16_t>(), in.bits<uint16_t>()};
      std::memcpy(&to, half, sizeof(to));
    }
  };
  const int n_codes = spec.ternary ? 3 : 1 << spec.bits;
  for (size_t p = 0; p < l.n_panels; p++) {
    const size_t live = std::min<size_t>(16, rows - 16 * p);
    std::fill(codes.begin(), codes.end(), 0);
    for (size_t i = 0; i < live * depth; i++) codes[i] = uint8_t(in.byte() % n_codes);
    if (spec.grid) cpu::to_patterns(spec, codes.data(), codes.size());
    for (size_t i = 0; i < 16 * n_scales; i++) scale(d[i]), scale(m[i]);
    for (int8_t& s : sub_scale) s = nibbles ? int8_t(in.byte() & 15) : int8_t(in.byte());
    for (uint8_t& s : sub_min) s = nibbles ? in.byte() & 15 : in.byte();
    cpu::pack_panel(
        l, {codes.data(), d.data(), spec.has_min ? m.data() : nullptr, sub_scale.data(), sub_min.data()},
        w.panels.data() + p * l.panel_bytes);
  }
  return w;
}

/// Products of all tokens by the kernels of one instruction set, quantization included.
std::vector<float> products(const Weights& w, const std::vector<float>& x, size_t n_tokens, size_t isa,
                            const Kernel& qgemm, size_t n_streams) {
  const cpu::PackedLayout& l = w.layout;
  const formats::CodeSpec& spec = l.spec;
  const size_t n_blocks = spec.block ? l.depth / spec.block : 1,
               n_sums = spec.block ? l.depth / spec.sum_span() : 1, stride = l.n_chunks * 32;
  const Buffer act = Buffer::allocate(n_tokens * round_up(stride, 64));
  std::vector<float> scale(n_tokens * n_blocks);
  std::vector<int32_t> sum(n_tokens * n_sums);
  const Kernel* quantize = kernel_of(isa, Family::quantize, spec.block ? "block" : "row");
  require(quantize && !act.empty());
  for (size_t t = 0; t < n_tokens; t++) {
    kernels::QuantizeArgs q{};
    q.x = x.data() + t * l.depth, q.n = l.depth;
    q.block = spec.block, q.sum_block = spec.block ? l.depth / n_sums : 0;
    q.codes = act.as<int8_t>() + t * stride, q.scale = &scale[t * n_blocks], q.sum = &sum[t * n_sums];
    kernels::as<kernels::QuantizeFn> (*quantize)(q);
  }
  kernels::QGemmArgs args = l.args(w.panels.data());
  args.act = act.as<int8_t>(), args.act_stride = stride;
  args.a_scale = scale.data(), args.a_scale_stride = n_blocks;
  args.a_sum = sum.data(), args.a_sum_stride = n_sums;
  const size_t table_bytes = spec.bits <= 2 ? kernels::table_bytes(l.n_chunks, spec.bits) : 0;
  const Buffer tables = Buffer::allocate(n_tokens * table_bytes);
  if (kernels::looks_up(qgemm)) {
    for (size_t t = 0; t < n_tokens; t++)
      kernels::make_tables(args.act + t * stride, l.n_chunks, spec.bits, tables.data() + t * table_bytes);
    args.tables = tables.data(), args.table_bytes = table_bytes;
  }
  std::vector<float> out(n_tokens * l.rows);
  args.out = out.data(), args.out_stride = l.rows;
  args.n_rows = l.rows, args.n_tokens = n_tokens, args.n_streams = n_streams;
  kernels::as<kernels::QGemmFn>(qgemm)(args);
  return out;
}

}  // namespace
}  // namespace sterna::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sterna;
  fuzz::Input in(data, size);
  const std::string& variant = fuzz::variants()[in.byte() % fuzz::variants().size()];
  const size_t n_tokens = in.between(1, 5), n_streams = in.byte() % 2 ? 2 : 4;
  const fuzz::Weights w = fuzz::make_weights(in, variant);
  std::vector<float> x(n_tokens * w.layout.depth);
  for (float& value : x) value = in.number();

  const size_t scalar = kernels::isas().size() - 1;
  const kernels::Kernel* plain = fuzz::kernel_of(scalar, kernels::Family::qgemm, variant);
  const std::vector<float> want = fuzz::products(w, x, n_tokens, scalar, *plain, n_streams);
  for (size_t isa = 0; isa < scalar; isa++) {
    if (!kernels::isas()[isa].supported()) continue;
    for (const kernels::Kernel* k : kernels::isas()[isa].kernels) {
      if (k->family != kernels::Family::qgemm || variant != k->variant) continue;
      const std::vector<float> got = fuzz::products(w, x, n_tokens, isa, *k, n_streams);
      for (size_t i = 0; i < want.size(); i++) fuzz::require(fuzz::same(got[i], want[i]));
    }
  }
  return 0;
}
