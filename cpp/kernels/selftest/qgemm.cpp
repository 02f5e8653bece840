// The self-test of low-bit matmul: a matrix whose rows end inside a panel, one token and then many.
#include "base/checked_math.h"
#include "kernels/names.h"
#include "kernels/registry.h"
#include "kernels/selftest/families.h"
#include "packing/example.h"

namespace sterna::kernels::selftest {
namespace {

size_t n_blocks(const formats::CodeSpec& s) { return s.block ? kDepth / s.block : 1; }
size_t n_scales(const formats::CodeSpec& s) { return s.block ? kDepth / s.scale_span() : 1; }
size_t n_subs(const formats::CodeSpec& s) { return s.sub ? kDepth / s.sub : n_blocks(s); }

/// Arbitrary codes and scales, packed.
std::vector<Line> pack(const cpu::PackedLayout& l, Random& r) {
  const formats::CodeSpec& s = l.spec;
  std::vector<Line> panels(l.bytes() / sizeof(Line));
  for (size_t p = 0; p < l.n_panels; p++) {
    auto codes = bytes<uint8_t>(r, 16 * kDepth, (1 << s.bits) - 1);
    for (uint8_t& c : codes)
      if (s.ternary && c == 3) c = 1;
    if (s.grid) cpu::to_patterns(s, codes.data(), codes.size());
    const auto d = halves(r, 16 * n_scales(s)), m = halves(r, 16 * n_scales(s));
    const auto row_scales = floats(r, 16), wide = floats(r, s.f32_scales ? 16 * n_scales(s) : 0);
    const auto sc = bytes<int8_t>(r, 16 * n_subs(s), s.has_min ? 15 : 127);
    const auto mn = bytes<uint8_t>(r, 16 * n_subs(s), 15);
    const void* scale = d.data();
    if (s.fold == Fold::kRow) scale = row_scales.data();
    if (s.f32_scales) scale = wide.data();
    cpu::pack_panel(l, {codes.data(), scale, m.data(), sc.data(), mn.data()},
                    panels[0].bytes + p * l.panel_bytes);
  }
  return panels;
}

}  // namespace

std::vector<float> qgemm(QGemmFn* fn, std::string_view variant) {
  const QGemmVariant* typed = qgemm_variant(variant);
  if (!typed) return {};
  const formats::CodeSpec s = cpu::example_spec(*typed);
  const cpu::PackedLayout l = cpu::packing_of(*typed).layout(s, kRows, kDepth);
  Random r(1);
  const std::vector<Line> panels = pack(l, r);
  const auto act = bytes<int8_t>(r, kTokens * kDepth, 255);
  const auto a_scale = floats(r, kTokens * n_blocks(s));
  std::vector<int32_t> sums(kTokens * n_subs(s));
  const size_t span = kDepth / n_subs(s);
  for (size_t i = 0; i < sums.size(); i++)
    for (size_t j = 0; j < span; j++) sums[i] += act[i * span + j];
  const size_t tables = s.bits <= 2 ? table_bytes(l.n_chunks, s.bits) : 0;
  std::vector<Line> lines(kTokens * tables / sizeof(Line) + 1);
  uint8_t* const room = lines[0].bytes;
  if (tables)
    for (size_t t = 0; t < kTokens; t++)
      make_tables(act.data() + t * kDepth, l.n_chunks, s.bits, room + t * tables);
  std::vector<float> out(kTokens * kRows);
  for (size_t t = 0, n = 1; t < kTokens; t += n, n = kTokens - t)  // one token, then the rest together
    fn(l.args(panels[0].bytes,
              {act.data() + t * kDepth, kDepth, a_scale.data() + t * n_blocks(s), n_blocks(s),
               sums.data() + t * n_subs(s), n_subs(s), n, tables ? room + t * tables : nullptr, tables},
              {out.data() + t * kRows, kRows, kRows}));
  return out;
}

}  // namespace sterna::kernels::selftest
