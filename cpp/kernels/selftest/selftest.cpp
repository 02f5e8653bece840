// The self-test of the kernels: fixed inputs, every supported kernel against scalar byte for byte, scalar
// against digests recorded at release (selftest_digests.inc). A difference to the record means this machine,
// a difference to scalar means this kernel.
#include "kernels/selftest/selftest.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <string_view>
#include <vector>

#include "base/checked_math.h"
#include "base/random.h"
#include "kernels/contract/attention.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/fgemm.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "kernels/registry.h"
#include "packing/panels.h"

namespace sterna::kernels {
namespace {

constexpr size_t kRows = 37, kDepth = 512, kTokens = 19;

std::vector<float> floats(Random& r, size_t n) {
  std::vector<float> v(n);
  for (float& x : v) x = float(r.uniform() * 8 - 4);
  return v;
}
std::vector<uint16_t> halves(Random& r, size_t n) {  // f16 in +-[0.0625, 0.125): also small as bf16
  std::vector<uint16_t> v(n);
  for (uint16_t& x : v) x = uint16_t(0x2c00 | (r.next() & 0x83ff));
  return v;
}
template <class T>
std::vector<T> bytes(Random& r, size_t n, int mask) {
  std::vector<T> v(n);
  for (T& x : v) x = T(r.next() & uint64_t(mask));
  return v;
}

struct alignas(64) Line {
  uint8_t bytes[64];
};

std::vector<float> run_qgemm(const Kernel& k) {
  Random r(1);
  const formats::CodeSpec s = cpu::example_spec(k.variant);
  const cpu::PackedLayout l = cpu::packed_layout(s, kRows, kDepth, false, s.ternary);
  const size_t n_blocks = s.block ? kDepth / s.block : 1, n_subs = s.sub ? kDepth / s.sub : n_blocks;
  std::vector<uint8_t> panels(l.bytes() + 64);
  uint8_t* base = panels.data() + (64 - reinterpret_cast<uintptr_t>(panels.data()) % 64) % 64;
  for (size_t p = 0; p < l.n_panels; p++) {
    auto codes = bytes<uint8_t>(r, 16 * kDepth, (1 << s.bits) - 1);
    for (uint8_t& c : codes)
      if (s.ternary && c == 3) c = 1;
    const auto d = halves(r, 16 * n_blocks), m = halves(r, 16 * n_blocks);
    const auto row_scales = floats(r, 16);
    const auto sc = bytes<int8_t>(r, 16 * n_subs, s.has_min ? 15 : 127);
    const auto mn = bytes<uint8_t>(r, 16 * n_subs, 15);
    const void* scale = s.fold == Fold::kRow ? static_cast<const void*>(row_scales.data()) : d.data();
    cpu::pack_panel(l, {codes.data(), scale, m.data(), sc.data(), mn.data()}, base + p * l.panel_bytes);
  }
  const auto act = bytes<int8_t>(r, kTokens * kDepth, 255);
  const auto a_scale = floats(r, kTokens * n_blocks);
  std::vector<int32_t> sums(kTokens * n_subs);
  for (size_t i = 0; i < sums.size(); i++)
    for (size_t j = 0; j < kDepth / n_subs; j++) sums[i] += act[i * (kDepth / n_subs) + j];
  std::vector<float> out(kTokens * kRows);
  const size_t n_chunks = kDepth / 32, tables = s.bits <= 2 ? table_bytes(n_chunks, s.bits) : 0;
  std::vector<Line> lines(kTokens * tables / 64 + 1);
  uint8_t* const room = lines[0].bytes;
  if (tables)
    for (size_t t = 0; t < kTokens; t++)
      cpu::make_tables(act.data() + t * kDepth, n_chunks, s.bits, room + t * tables);
  QGemmArgs g = l.args(base);
  g.table_bytes = tables;
  g.act_stride = kDepth, g.a_scale_stride = n_blocks, g.a_sum_stride = n_subs;
  g.out_stride = g.n_rows = kRows;
  for (size_t t = 0, n = 1; t < kTokens; t += n, n = kTokens - t) {  // one token, then the rest together
    g.act = act.data() + t * kDepth, g.a_scale = a_scale.data() + t * n_blocks;
    g.tables = tables ? room + t * tables : nullptr;
    g.a_sum = sums.data() + t * n_subs, g.out = out.data() + t * kRows, g.n_tokens = n;
    as<QGemmFn>(k)(g);
  }
  return out;
}

std::vector<float> run_fgemm(const Kernel& k) {
  Random r(2);
  const bool wide = !std::strcmp(k.variant, "f32");
  const auto w32 = floats(r, kRows * kDepth);
  const auto w16 = halves(r, kRows * kDepth);
  const auto x = floats(r, kTokens * kDepth);
  std::vector<float> out(kTokens * kRows);
  const void* w = wide ? static_cast<const void*>(w32.data()) : w16.data();
  const size_t depth = kDepth - 5;  // with a tail
  for (size_t t = 0, n = 1; t < kTokens; t += n, n = kTokens - t)
    as<FGemmFn>(k)({w, kDepth * (wide ? 4 : 2), depth, x.data() + t * kDepth, kDepth, out.data() + t * kRows,
                    kRows, kRows, n});
  return out;
}

std::vector<float> run_attention(const Kernel& k) {
  Random r(3);
  constexpr size_t kHeads = 3, kDim = 72, kPositions = 200, kRow = partial_floats(kDim);
  const auto q = floats(r, 2 * kHeads * kDim);
  const auto keys = halves(r, (kPositions + 1) * kDim), values = halves(r, (kPositions + 1) * kDim);
  std::vector<float> out(2 * kHeads * kRow);
  as<AttentionFn>(k)({q.data(), kHeads * kDim, keys.data(), values.data(), 2, kHeads, kDim, kPositions, 0.3f,
                      out.data(), kRow});
  std::vector<float> digested;  // without the padding, which is anything
  for (size_t i = 0; i < 2 * kHeads; i++) {
    digested.insert(digested.end(), &out[i * kRow], &out[i * kRow + kDim]);
    digested.push_back(out[i * kRow + partial_m(kDim)]);
    digested.push_back(out[i * kRow + partial_l(kDim)]);
  }
  return digested;
}

std::vector<float> run_tables(const Kernel& k) {
  Random r(5);
  const int bits = k.variant == std::string_view("w1") ? 1 : 2;
  const size_t n_chunks = kDepth / 32, n_vectors = n_chunks * 2 * size_t(bits);
  auto act = bytes<int8_t>(r, kDepth, 255);
  for (size_t i = 0; i < kDepth / 2; i++) act[i] /= 4;  // small ones, which need no high bytes
  std::vector<Line> lines(table_bytes(n_chunks, bits) / 64);
  const Tables t = tables_at(lines[0].bytes, n_chunks, bits);
  as<TablesFn>(k)({act.data(), n_chunks, t});
  std::vector<float> digested(t.low, t.low + 64 * n_vectors);
  for (size_t v = 0; v < n_vectors; v++) {
    digested.push_back(t.wide[v]);
    if (t.wide[v]) digested.insert(digested.end(), t.high + 64 * v, t.high + 64 * (v + 1));
  }
  for (size_t c = 0; c < n_chunks; c++) digested.push_back(float(t.least[c]));
  return digested;
}

std::vector<float> run_elementwise(const Kernel& k) {
  Random r(4);
  const size_t n = k.family == Family::quantize ? kDepth : kDepth - 5;
  auto x = floats(r, n), w = floats(r, n);
  std::vector<float> y = w;
  switch (k.family) {
    case Family::rmsnorm:
      as<RmsNormFn>(k)(x.data(), w.data(), n, 1e-5f, y.data());
      break;
    case Family::softmax:
      as<SoftmaxFn>(k)(x.data(), n, y.data());
      break;
    case Family::merge:
      as<MergeFn>(k)(x.data(), partial_floats(72), 3, 72, y.data());
      break;
    case Family::weigh:
      as<WeighFn>(k)(x.data(), w.data(), n - 2, y.data(), &y[n - 2], &y[n - 1]);
      break;
    case Family::glu:
      as<GluFn>(k)(x.data(), w.data(), n, y.data());
      break;
    case Family::add:
      as<AddFn>(k)(x.data(), n, y.data());
      break;
    case Family::rope:
      as<RopeFn>(k)(y.data(), x.data(), x.data() + n / 2, 128);
      break;
    default: {
      if (k.family != Family::quantize) return {};  // no test: equals no digest
      std::vector<int8_t> codes(kDepth);
      std::vector<float> scale(kDepth / 32);
      std::vector<int32_t> sum(kDepth / 32);
      as<QuantizeFn>(k)({x.data(), n, 64, 32, codes.data(), scale.data(), sum.data()});
      y = scale;
      y.insert(y.end(), codes.begin(), codes.end());
      y.insert(y.end(), sum.begin(), sum.end());
    }
  }
  return y;
}

std::vector<float> run(const Kernel& k) {
  switch (k.family) {
    case Family::qgemm:
      return run_qgemm(k);
    case Family::fgemm:
      return run_fgemm(k);
    case Family::attention:
      return run_attention(k);
    case Family::tables:
      return run_tables(k);
    default:
      return run_elementwise(k);
  }
}

/// FNV-1a, 64 bits.
uint64_t digest(const std::vector<float>& v) {
  uint64_t h = 0xcbf29ce484222325;
  std::vector<uint8_t> b(v.size() * sizeof(float));
  std::memcpy(b.data(), v.data(), b.size());
  for (uint8_t x : b) h = (h ^ x) * 0x100000001b3;
  return h;
}

}  // namespace

Status compare_kernels(const std::function<void(const std::string&)>& report) {
#define STERNA_DIGEST(name, value) {name, value},
  const std::map<std::string, uint64_t> recorded = {
#include "kernels/selftest/digests.inc"
  };
#undef STERNA_DIGEST
  std::map<std::string, std::vector<float>> scalar;
  std::string wrong_machine, wrong_kernels;
  const std::span<const Isa> isas = kernels::isas();
  for (size_t i = isas.size(); i-- > 0;) {  // scalar is last in the list and first here
    if (!isas[i].supported()) continue;
    for (const Kernel* k : isas[i].kernels) {
      const std::vector<float> got = run(*k);
      const std::string base = std::string(k->family_name) + "_" + k->variant, full = full_name(*k);
      const bool is_scalar = i + 1 == isas.size();
      if (is_scalar) scalar[base] = got;
      const auto record = recorded.find(base);
      char hex[20];
      std::snprintf(hex, sizeof hex, "0x%016llx", static_cast<unsigned long long>(digest(got)));
      if (is_scalar && (record == recorded.end() || record->second != digest(got))) {
        wrong_machine += (wrong_machine.empty() ? "" : ", ") + base;
        report(full + " FAILED: digest " + hex + " is not the recorded one");
      } else if (std::memcmp(got.data(), scalar[base].data(), got.size() * sizeof(float)) != 0) {
        wrong_kernels += (wrong_kernels.empty() ? "" : ", ") + full;
        report(full + " FAILED: differs from scalar");
      } else {
        report(full + " ok");
      }
    }
  }
  if (!wrong_machine.empty())
    return Status(
        Code::kCorrupt,
        "[selftest] this machine (or this build): plain scalar code gives other results than recorded: " +
            wrong_machine);
  if (!wrong_kernels.empty())
    return Status(Code::kCorrupt,
                  "[selftest] this kernel: " + wrong_kernels + "; force another instruction set");
  return {};
}

}  // namespace sterna::kernels
