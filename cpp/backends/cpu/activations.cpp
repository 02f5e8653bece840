// Memory of the forms of activations, and how rows get into them.
#include "backends/cpu/activations.h"

#include <algorithm>
#include <string>

#include "backends/cpu/act_bits.h"
#include "base/checked_math.h"
#include "kernels/registry.h"

namespace sterna::cpu {

using kernels::Family;

void Activations::want(size_t n_rows, size_t depth) {
  max_rows_ = std::max(max_rows_, n_rows), max_depth_ = std::max(max_depth_, depth);
}

size_t Activations::want(size_t n_rows, size_t depth, const FormSpec& spec) {
  want(n_rows, depth);
  const auto known =
      std::find_if(forms_.begin(), forms_.end(), [&](const Form& f) { return f.spec == spec; });
  if (known != forms_.end()) return size_t(known - forms_.begin());
  forms_.emplace_back().spec = spec;
  forms_.back().quantize =
      kernels::find_fn<kernels::QuantizeFn>(Family::quantize, spec.block ? "block" : "row");
  return forms_.size() - 1;
}

void Activations::want_tables(size_t form, int bits) {
  forms_[form].tables[bits - 1].make = kernels::find_fn(kernels::TablesVariant{bits});
}

Status Activations::reserve() {
  bool ok = true;
  const auto bytes = [&](size_t n) {
    Buffer b = Buffer::allocate(n);
    ok &= !b.empty();
    return b;
  };
  floats_ = bytes(max_rows_ * max_depth_ * sizeof(float));
  for (Form& f : forms_) {
    const size_t n = max_rows_ * f.spec.planes();
    f.code_stride = round_up(max_depth_, 64) + 64;  // not a multiple of 4096: rows would share cache sets
    f.scale_stride = f.spec.block ? max_depth_ / f.spec.block : 1;
    f.sum_stride = f.spec.block ? max_depth_ / f.spec.sum_block : 1;
    f.codes = bytes(n * f.code_stride);
    f.scales = bytes(n * f.scale_stride * sizeof(float));
    f.sums = bytes(n * f.sum_stride * sizeof(int32_t));
    for (int bits = 1; bits <= 2; bits++) {
      Form::Tables& t = f.tables[bits - 1];
      t.step = 0;
      if (t.make)
        t.bytes = bytes(std::min(n, kTokenBlock * f.spec.planes()) *
                        kernels::table_bytes(ceil_div(max_depth_, 32), bits));
    }
  }
  if (ok) return {};
  return Status(Code::kOutOfMemory, "[activations] no memory for " + std::to_string(max_rows_) + " rows of " +
                                        std::to_string(max_depth_) + " elements; use a smaller n_batch");
}

void Activations::begin(size_t depth) {
  depth_ = depth, step_++;
  for (Form& f : forms_) f.active = false;
}

void Activations::quantize(size_t i) {
  for (const Form& f : forms_) {
    if (!f.active) continue;
    const size_t at = i * f.spec.planes();
    const kernels::QuantizeArgs args{row(i),
                                     depth_,
                                     f.spec.block,
                                     f.spec.sum_block,
                                     f.codes.as<int8_t>() + at * f.code_stride,
                                     f.scales.as<float>() + at * f.scale_stride,
                                     f.sums.as<int32_t>() + at * f.sum_stride,
                                     f.spec.floor};
    if (f.spec.bits == 8)
      f.quantize(args);
    else
      quantize_act(f.spec.bits, args, f.code_stride, f.scale_stride, f.sum_stride);
  }
}

void Activations::make_tables(ThreadPool& pool, size_t form, int bits, size_t first, size_t n) {
  Form& f = forms_[form];
  Form::Tables& t = f.tables[bits - 1];
  first *= f.spec.planes(), n *= f.spec.planes();
  if (t.step == step_ && t.first == first && t.n == n) return;  // made for another reader
  const size_t n_chunks = ceil_div(depth_, 32), bytes = kernels::table_bytes(n_chunks, bits);
  const auto row = [&](size_t i) {
    t.make({f.codes.as<int8_t>() + (first + i) * f.code_stride, n_chunks,
            kernels::tables_at(t.bytes.data() + i * bytes, n_chunks, bits)});
  };
  if (n == 1)
    row(0);  // shorter than waking the other threads
  else
    pool.run(n, row);
  t.first = first, t.n = n, t.step = step_;
}

kernels::QGemmRows Activations::rows(size_t form, size_t first, size_t n, int table_bits) const {
  const Form& f = forms_[form];
  first *= f.spec.planes(), n *= f.spec.planes();
  kernels::QGemmRows rows{f.codes.as<int8_t>() + first * f.code_stride,
                          f.code_stride,
                          f.scales.as<float>() + first * f.scale_stride,
                          f.scale_stride,
                          f.sums.as<int32_t>() + first * f.sum_stride,
                          f.sum_stride,
                          n};
  if (table_bits == 0) return rows;
  const Form::Tables& t = f.tables[table_bits - 1];
  rows.table_bytes = kernels::table_bytes(ceil_div(depth_, 32), table_bits);
  if (t.step == step_ && first >= t.first && first + n <= t.first + t.n)
    rows.tables = t.bytes.data() + (first - t.first) * rows.table_bytes;
  return rows;
}

}  // namespace sterna::cpu
