// Packed codes times integer forms of the activations. With 16 bits a row of activations is two rows of int8,
// whose products are added: the high one first.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "backends/cpu/choice.h"
#include "backends/cpu/terms/term.h"
#include "base/checked_math.h"

namespace sterna::cpu {
namespace {

class Codes : public Term {
 public:
  Codes(const PackedLayout& layout, const uint8_t* panels, const Choice& choice, int act_bits)
      : layout_(layout), panels_(panels) {
    const formats::CodeSpec& s = layout_.spec;
    rows = layout.rows, depth = layout.depth, unit = 16, unit_bytes = layout.panel_bytes;
    kernel = choice.names();
    why = std::to_string(s.bits) + "-bit codes, " +
          (s.fold == Fold::kRow ? std::string("one scale a row") : "scales per " + std::to_string(s.block)) +
          "; packed in panels of 16 rows; choice " + choice.why;
    spec_ = {s.block, s.sum_span(), s.act_floor, act_bits};
    for (size_t i = 0; i < kTokenCases; i++) {
      kernels_[i] = kernels::as<kernels::QGemmFn>(*choice.kernel[i]);
      looks_up_[i] = kernels::looks_up(*choice.kernel[i]);
    }
  }

  Status bind(Activations& acts, size_t n_rows) override {
    form_ = acts.want(n_rows, depth, spec_);
    if (std::find(looks_up_.begin(), looks_up_.end(), true) != looks_up_.end())
      acts.want_tables(form_, layout_.spec.bits);
    return {};
  }

  bool prepares(size_t n) const override { return looks_up_[token_case(n * spec_.planes())]; }

  void prepare(ThreadPool& pool, Activations& acts, size_t first, size_t n) const override {
    acts.make_tables(pool, form_, layout_.spec.bits, first, n);
  }

  void multiply(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows, float* out,
                size_t stride) const override {
    if (spec_.planes() == 1) return kernel_of(acts, first, n, row, n_rows, out, stride);
    float parts[kParts];
    for (size_t i = 0, n_now; i < n; i += n_now) {
      n_now = std::min(n - i, kTokenBlock / 2);
      const size_t width = kParts / (2 * n_now) / 16 * 16;
      for (size_t r = 0; r < n_rows; r += width) {
        const size_t now = std::min(width, n_rows - r);
        kernel_of(acts, first + i, n_now, row + r, now, parts, now);
        for (size_t t = 0; t < n_now; t++)
          for (size_t j = 0; j < now; j++)
            out[(i + t) * stride + r + j] = parts[2 * t * now + j] + parts[(2 * t + 1) * now + j];
      }
    }
  }

 private:
  static constexpr size_t kParts = 8192;  ///< Four panels of rows for kTokenBlock int8 rows.

  void kernel_of(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows, float* out,
                 size_t stride) const {
    const size_t i = token_case(n * spec_.planes());
    kernels_[i](layout_.args(panels_ + row / 16 * layout_.panel_bytes,
                             acts.rows(form_, first, n, looks_up_[i] ? layout_.spec.bits : 0),
                             {out, stride, n_rows, kStreams}));
  }

  PackedLayout layout_;
  const uint8_t* panels_;
  FormSpec spec_;
  std::array<kernels::QGemmFn*, kTokenCases> kernels_{};  ///< By token_case().
  std::array<bool, kTokenCases> looks_up_{};              ///< Whether that kernel reads tables.
};

bool finite_f16(const uint16_t* x, size_t n) {
  return std::none_of(x, x + n, [](uint16_t h) { return (h & 0x7c00) == 0x7c00; });
}
bool finite_f32(const float* x, size_t n) {
  return std::all_of(x, x + n, [](float f) { return f - f == 0; });
}

/// One panel's decoded rows. Sizes are bounded by depth.
class PanelScratch {
 public:
  PanelScratch(const formats::CodeSpec& s, size_t depth, size_t more)
      : depth_(depth),
        n_scales_(s.block ? depth / s.scale_span() : 0),
        n_subs_(s.sub ? depth / s.sub : 0),
        panel_(round_up(16 * (depth + 4 * n_scales_ + 2 * n_subs_), 64)),
        buffer_(Buffer::allocate(panel_ + more)) {}
  bool empty() const { return buffer_.empty(); }
  void clear() { std::memset(buffer_.data(), 0, panel_); }
  uint8_t* more() const { return buffer_.data() + panel_; }
  formats::RowCodes row(size_t r) const {
    uint8_t* const codes = buffer_.data();
    auto* const d = reinterpret_cast<uint16_t*>(codes + 16 * depth_);
    uint16_t* const m = d + 16 * n_scales_;
    auto* const sub_scale = reinterpret_cast<int8_t*>(m + 16 * n_scales_);
    auto* const sub_min = reinterpret_cast<uint8_t*>(sub_scale + 16 * n_subs_);
    auto* const d32 = reinterpret_cast<float*>(d);  // instead of d and m
    return {codes + r * depth_,      d + r * n_scales_,     m + r * n_scales_,
            sub_scale + r * n_subs_, sub_min + r * n_subs_, d32 + r * n_scales_};
  }
  /// What the packing reads as d.
  const void* scales(const formats::CodeSpec& s) const {
    return s.f32_scales ? static_cast<const void*>(row(0).d32) : row(0).d;
  }
  bool finite(const formats::CodeSpec& s) const {
    if (s.f32_scales) return finite_f32(row(0).d32, 16 * n_scales_);
    return finite_f16(row(0).d, 16 * n_scales_) && (!s.has_min || finite_f16(row(0).m, 16 * n_scales_));
  }

 private:
  size_t depth_, n_scales_, n_subs_, panel_;
  Buffer buffer_;
};

PackedLayout layout_of(const TensorRows& t) {
  const formats::CodeSpec& spec = t.format->codes;
  return choose_packing(spec).layout(spec, t.rows, t.depth);
}

bool accepts(std::span<const TensorRows> t) { return t[0].format->codes.fold != Fold::kFloat; }

size_t bytes(std::span<const TensorRows> t) { return layout_of(t[0]).bytes(); }

Result<std::unique_ptr<Term>> make(std::span<const TensorRows> tensors, uint8_t* storage, ThreadPool& pool) {
  STERNA_RETURN_IF_ERROR(kernels::first_active_isa().status());
  const TensorRows& tensor = tensors[0];
  const formats::Format& f = *tensor.format;
  const formats::CodeSpec& spec = f.codes;
  const PackedLayout layout = layout_of(tensor);
  const float scale = tensor.encoded() ? 1.0f : tensor.scale();
  if (!(scale - scale == 0)) return Status(Code::kCorrupt, "its scale is not a finite number");
  const size_t group = std::max<size_t>(1, layout.n_panels / (size_t(pool.size()) * 8));
  std::atomic<bool> finite{true}, memory{true};
  pool.run(ceil_div(layout.n_panels, group), [&](size_t task) {
    PanelScratch scratch(spec, tensor.depth, tensor.scratch_bytes());
    if (scratch.empty()) {
      memory = false;
      return;
    }
    float row_scales[16];
    for (size_t p = task * group; p < std::min(layout.n_panels, (task + 1) * group); p++) {
      const size_t n_rows = std::min<size_t>(16, tensor.rows - 16 * p);
      if (n_rows < 16) scratch.clear();
      for (size_t r = 0; r < 16; r++) row_scales[r] = r < n_rows ? scale : 0.0f;
      for (size_t r = 0; r < n_rows; r++) {
        const uint8_t* row = tensor.row(16 * p + r, scratch.more());
        if (!row) {
          finite = false;
          return;
        }
        f.unpack(row, tensor.depth, scratch.row(r));
      }
      if (!scratch.finite(spec)) finite = false;
      const formats::RowCodes c = scratch.row(0);
      const void* scales = spec.fold == Fold::kRow ? row_scales : scratch.scales(spec);
      pack_panel(layout, {c.codes, scales, c.m, c.sub_scale, c.sub_min}, storage + p * layout.panel_bytes);
    }
  });
  if (!memory) return Status(Code::kOutOfMemory, "no memory to pack it");
  if (!finite) return Status(Code::kCorrupt, "one of its scales or elements is not a finite number");
  return codes_term(layout, storage);
}

}  // namespace

Result<std::unique_ptr<Term>> codes_term(const PackedLayout& layout, const uint8_t* panels, int act_bits) {
  STERNA_ASSIGN(const Choice choice, choose(layout));
  return std::unique_ptr<Term>(new Codes(layout, panels, choice, act_bits));
}

const TermKind terms::codes{"codes", kWeight, whole_matrix, accepts, bytes, make};

}  // namespace sterna::cpu
