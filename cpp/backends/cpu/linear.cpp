// Packing of whole tensors, quantized activations, and the split of a matmul into tasks. Splitting never
// changes a result: every output element is computed by one kernel call, alone.
#include "backends/cpu/linear.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/checked_math.h"
#include "base/half.h"
#include "kernels/registry.h"

namespace sterna::cpu {
namespace {

using kernels::Family;

bool finite_f16(const uint16_t* x, size_t n) {
  return std::none_of(x, x + n, [](uint16_t h) { return (h & 0x7c00) == 0x7c00; });
}

size_t sum_block(const formats::CodeSpec& s) { return s.fold == Fold::kSuper ? s.sub : s.block; }

bool reads(const formats::CodeSpec& s, const Activations::Form& f) {
  return f.block == s.block && f.sum_block == sum_block(s) && f.floor == s.act_floor;
}

}  // namespace

size_t packed_bytes(const formats::Format& f, size_t rows, size_t depth) {
  return f.codes.fold == Fold::kFloat ? round_up(rows * formats::row_bytes(f, depth), 64)
                                      : choose_packing(f.codes).layout(f.codes, rows, depth, false).bytes();
}

Result<Weight> weight_of_panels(const PackedLayout& layout, const uint8_t* panels) {
  STERNA_ASSIGN(const Choice choice, choose(layout));
  Weight w;
  w.rows = layout.rows, w.depth = layout.depth, w.data = panels, w.layout = layout;
  for (size_t i = 0; i < kTokenCases; i++) {
    w.qgemm.of[i] = kernels::as<kernels::QGemmFn>(*choice.kernel[i]);
    w.qgemm.looks_up[i] = kernels::looks_up(*choice.kernel[i]);
  }
  w.kernel = choice.names(), w.why = choice.why;
  return w;
}

size_t TensorRows::scratch_bytes() const {
  return encoded() ? depth * sizeof(float) + formats::row_bytes(*format, depth) : 0;
}

const uint8_t* TensorRows::row(size_t r, uint8_t* scratch) const {
  const uint8_t* bytes = data + r * formats::row_bytes(*stored, depth);
  if (!encoded()) return bytes;
  float* values = reinterpret_cast<float*>(scratch);
  stored->decode(bytes, depth, scale(), values);
  for (size_t k = 0; k < depth; k++)
    if (values[k] - values[k] != 0) return nullptr;
  uint8_t* codes = scratch + depth * sizeof(float);
  format->encode(values, depth, codes);
  return codes;
}

Result<Weight> make_weight(const TensorRows& tensor, uint8_t* storage, ThreadPool& pool) {
  STERNA_RETURN_IF_ERROR(kernels::first_active_isa().status());
  const formats::Format& f = *tensor.format;
  const size_t rows = tensor.rows, depth = tensor.depth;
  if (f.codes.fold == Fold::kFloat) {
    const std::string variant = f.name == std::string_view("F32")   ? "f32"
                                : f.name == std::string_view("F16") ? "f16"
                                                                    : "bf16";
    const kernels::Kernel* k = kernels::find(Family::fgemm, variant);
    if (!k) return Status(Code::kUnsupported, "no kernel for weights of the kind " + variant);
    Weight w;
    w.rows = rows, w.depth = depth, w.data = storage, w.row_bytes = formats::row_bytes(f, depth);
    const size_t group = std::max<size_t>(1, rows / (size_t(pool.size()) * 8));
    pool.run(ceil_div(rows, group), [&](size_t task) {
      const size_t first = task * group * w.row_bytes;
      std::memcpy(storage + first, tensor.data + first,
                  std::min(group * w.row_bytes, rows * w.row_bytes - first));
    });
    w.fgemm = kernels::as<kernels::FGemmFn>(*k);
    w.kernel = kernels::full_name(*k);
    return w;
  }

  const formats::CodeSpec& spec = f.codes;
  const PackedLayout layout = choose_packing(spec).layout(spec, rows, depth, false);
  const size_t n_blocks = spec.block ? depth / spec.block : 0, n_subs = spec.sub ? depth / spec.sub : 0;
  const float scale = tensor.encoded() ? 1.0f : tensor.scale();
  if (!(scale - scale == 0)) return Status(Code::kCorrupt, "its scale is not a finite number");
  const size_t group = std::max<size_t>(1, layout.n_panels / (size_t(pool.size()) * 8));
  std::atomic<bool> finite{true}, memory{true};
  pool.run(ceil_div(layout.n_panels, group), [&](size_t task) {
    // One panel's decoded rows; sizes bounded by depth.
    const size_t panel = round_up(16 * (depth + 4 * n_blocks + 2 * n_subs), 64);
    Buffer scratch = Buffer::allocate(panel + tensor.scratch_bytes());
    if (scratch.empty()) {
      memory = false;
      return;
    }
    uint8_t* codes = scratch.data();
    auto* d = reinterpret_cast<uint16_t*>(codes + 16 * depth);
    uint16_t* m = d + 16 * n_blocks;
    auto* sub_scale = reinterpret_cast<int8_t*>(m + 16 * n_blocks);
    auto* sub_min = reinterpret_cast<uint8_t*>(sub_scale + 16 * n_subs);
    float row_scales[16];
    for (size_t p = task * group; p < std::min(layout.n_panels, (task + 1) * group); p++) {
      if (rows - 16 * p < 16) std::memset(scratch.data(), 0, panel);
      for (size_t r = 0; r < 16; r++) {
        row_scales[r] = 16 * p + r < rows ? scale : 0.0f;
        if (16 * p + r >= rows) continue;
        const uint8_t* row = tensor.row(16 * p + r, scratch.data() + panel);
        if (!row) {
          finite = false;
          return;
        }
        f.unpack(row, depth,
                 {codes + r * depth, d + r * n_blocks, m + r * n_blocks, sub_scale + r * n_subs,
                  sub_min + r * n_subs});
      }
      if (!finite_f16(d, 16 * n_blocks) || (spec.has_min && !finite_f16(m, 16 * n_blocks))) finite = false;
      const void* scales = spec.fold == Fold::kRow ? static_cast<const void*>(row_scales) : d;
      pack_panel(layout, {codes, scales, m, sub_scale, sub_min}, storage + p * layout.panel_bytes);
    }
  });
  if (!memory) return Status(Code::kOutOfMemory, "no memory to pack it");
  if (!finite) return Status(Code::kCorrupt, "one of its scales or elements is not a finite number");
  return weight_of_panels(layout, storage);
}

Status Activations::reserve(size_t n_tokens, size_t max_depth, std::span<const Weight* const> weights) {
  const Status oom(Code::kOutOfMemory, "[activations] no memory for " + std::to_string(n_tokens) +
                                           " rows of " + std::to_string(max_depth) +
                                           " elements; use a smaller n_batch");
  floats_ = Buffer::allocate(n_tokens * max_depth * sizeof(float));
  if (floats_.empty()) return oom;
  forms_.clear();
  for (const Weight* w : weights) {
    if (!w->qgemm) continue;
    const formats::CodeSpec& s = w->layout.spec;
    if (std::any_of(forms_.begin(), forms_.end(), [&](const Form& f) { return reads(s, f); })) continue;
    Form f;
    f.block = s.block, f.sum_block = sum_block(s), f.floor = s.act_floor;
    f.quantize = kernels::find_fn<kernels::QuantizeFn>(Family::quantize, f.block ? "block" : "row");
    f.code_stride = round_up(max_depth, 64) + 64;  // not a multiple of 4096: rows would share cache sets
    f.scale_stride = s.block ? max_depth / s.block : 1;
    f.sum_stride = s.block ? max_depth / f.sum_block : 1;
    f.codes = Buffer::allocate(n_tokens * f.code_stride);
    f.scales = Buffer::allocate(n_tokens * f.scale_stride * sizeof(float));
    f.sums = Buffer::allocate(n_tokens * f.sum_stride * sizeof(int32_t));
    if (f.codes.empty() || f.scales.empty() || f.sums.empty()) return oom;
    forms_.push_back(std::move(f));
  }
  for (const Weight* w : weights) {
    const auto& l = w->qgemm.looks_up;
    if (std::none_of(l.begin(), l.end(), [](bool x) { return x; })) continue;
    const int bits = w->layout.spec.bits;
    Form::Tables& tables = forms_[index(*w)].tables[bits - 1];
    if (tables.make) continue;
    tables.make = kernels::find_fn(kernels::TablesVariant{bits});
    tables.bytes = Buffer::allocate(std::min(n_tokens, kTokenBlock) *
                                    kernels::table_bytes(ceil_div(max_depth, 32), bits));
    if (tables.bytes.empty()) return oom;
  }
  active_.assign(forms_.size(), false);
  return {};
}

size_t Activations::index(const Weight& w) const {
  const formats::CodeSpec& s = w.layout.spec;
  return size_t(std::find_if(forms_.begin(), forms_.end(), [&](const Form& f) { return reads(s, f); }) -
                forms_.begin());
}

void Activations::begin(size_t depth, std::span<const Weight* const> weights) {
  depth_ = depth;
  active_.assign(forms_.size(), false);
  for (const Weight* w : weights)
    if (w->qgemm) active_[index(*w)] = true;
}

void Activations::quantize(size_t token) {
  for (size_t i = 0; i < forms_.size(); i++) {
    if (!active_[i]) continue;
    const Form& f = forms_[i];
    f.quantize({row(token), depth_, f.block, f.sum_block, f.codes.as<int8_t>() + token * f.code_stride,
                f.scales.as<float>() + token * f.scale_stride, f.sums.as<int32_t>() + token * f.sum_stride,
                f.floor});
  }
}

void Activations::make_tables(ThreadPool& pool, size_t first, size_t n, const Weight& w) {
  if (!w.qgemm || !w.qgemm.looks_up[token_case(n)]) return;
  const int bits = w.layout.spec.bits;
  Form& f = forms_[index(w)];
  Form::Tables& t = f.tables[bits - 1];
  if (t.n == n && t.first == first) return;  // made for another weight
  const size_t n_chunks = w.layout.n_chunks, bytes = kernels::table_bytes(n_chunks, bits);
  const auto row = [&](size_t i) {
    t.make({f.codes.as<int8_t>() + (first + i) * f.code_stride, n_chunks,
            kernels::tables_at(t.bytes.data() + i * bytes, n_chunks, bits)});
  };
  if (n == 1)
    row(0);  // shorter than waking the other threads
  else
    pool.run(n, row);
  t.first = first, t.n = n;
}

void Activations::forget_tables() {
  for (Form& f : forms_)
    for (Form::Tables& t : f.tables) t.n = 0;
}

namespace {

/// Rows first .. first + n_tokens - 1 of a form, with tables if the kernel for so many reads them and they
/// are made.
kernels::QGemmRows rows_of(const Activations::Form& f, const Weight& w, size_t first, size_t n_tokens) {
  kernels::QGemmRows rows{f.codes.as<int8_t>() + first * f.code_stride,
                          f.code_stride,
                          f.scales.as<float>() + first * f.scale_stride,
                          f.scale_stride,
                          f.sums.as<int32_t>() + first * f.sum_stride,
                          f.sum_stride,
                          n_tokens};
  if (w.qgemm.looks_up[token_case(n_tokens)]) {
    const int bits = w.layout.spec.bits;
    const Activations::Form::Tables& t = f.tables[bits - 1];
    rows.table_bytes = kernels::table_bytes(w.layout.n_chunks, bits);
    if (first >= t.first && first + n_tokens <= t.first + t.n)
      rows.tables = t.bytes.data() + (first - t.first) * rows.table_bytes;
  }
  return rows;
}

}  // namespace

void multiply_rows(const Weight& w, const Activations& acts, size_t first, size_t n_tokens, size_t row,
                   size_t rows, float* out, size_t stride) {
  if (w.fgemm) {
    w.fgemm({w.data + row * w.row_bytes, w.row_bytes, w.depth, acts.row(first), w.depth, out, stride, rows,
             n_tokens});
  } else {
    const PackedLayout& l = w.layout;
    w.qgemm(l.args(w.data + row / 16 * l.panel_bytes, rows_of(acts.form(w), w, first, n_tokens),
                   {out, stride, rows, kStreams}));
  }
  if (w.out_scale == 1.0f && !w.bias) return;
  for (size_t i = 0; i < n_tokens; i++)
    for (size_t r = 0; r < rows; r++) {
      float& y = out[i * stride + r];
      y *= w.out_scale;
      if (w.bias) y += w.bias[row + r];
    }
}

void matmul(ThreadPool& pool, Activations& acts, size_t first, size_t n_tokens,
            std::span<const Product> products) {
  bool looks_up = false;
  for (const Product& p : products) {
    const std::array<bool, kTokenCases>& of = p.weight->qgemm.looks_up;
    looks_up |= of[token_case(std::min(n_tokens, kTokenBlock))];
    if (n_tokens > kTokenBlock && n_tokens % kTokenBlock) looks_up |= of[token_case(n_tokens % kTokenBlock)];
  }
  // Rows per task: a few tasks per thread so that a slow core can take fewer; a multiple of 64 keeps four
  // panels together.
  size_t total_rows = 0;
  for (const Product& p : products) total_rows += p.weight->rows;
  const size_t per_task = round_up(std::clamp<size_t>(total_rows / (size_t(pool.size()) * 6), 64, 512), 64);
  size_t n_tasks = 0;
  for (const Product& p : products) n_tasks += ceil_div(p.weight->rows, per_task);
  // Tables are as large as what they are made from is small: there is room for those of one block of tokens.
  const size_t per_region = looks_up ? kTokenBlock : n_tokens;
  for (size_t begin = 0; begin < n_tokens; begin += per_region) {
    const size_t end = std::min(n_tokens, begin + per_region);
    if (looks_up)
      for (const Product& p : products) acts.make_tables(pool, first + begin, end - begin, *p.weight);
    pool.run(n_tasks, [&](size_t task) {
      const Product* p = products.data();
      for (; task >= ceil_div(p->weight->rows, per_task); p++) task -= ceil_div(p->weight->rows, per_task);
      const Weight& w = *p->weight;
      const size_t row = task * per_task, rows = std::min(per_task, w.rows - row);
      for (size_t t = begin; t < end; t += kTokenBlock) {
        const size_t n = std::min(kTokenBlock, end - t);
        multiply_rows(w, acts, first + t, n, row, rows, p->out + t * p->stride + row, p->stride);
      }
    });
  }
  acts.forget_tables();
}

}  // namespace sterna::cpu
