// Rows of floats as a file has them, times the rows of activations as they are.
#include <algorithm>
#include <cstring>

#include "backends/cpu/terms/term.h"
#include "base/checked_math.h"
#include "kernels/contract/fgemm.h"
#include "kernels/registry.h"

namespace sterna::cpu {
namespace {

class Floats : public Term {
 public:
  Floats(const TensorRows& t, const uint8_t* data, const kernels::Kernel& k)
      : fgemm_(kernels::as<kernels::FGemmFn>(k)) {
    rows = t.rows, depth = t.depth;
    unit_bytes = formats::row_bytes(*t.format, depth), floats = data;
    kernel = kernels::full_name(k), why = "float weights are read as they are in the file";
  }

  Status bind(Activations& acts, size_t n_rows) override {
    acts.want(n_rows, depth);
    return {};
  }
  bool prepares(size_t) const override { return false; }
  void prepare(ThreadPool&, Activations&, size_t, size_t) const override {}
  void multiply(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows, float* out,
                size_t stride) const override {
    fgemm_({floats + row * unit_bytes, unit_bytes, depth, acts.row(first), depth, out, stride, n_rows, n});
  }

 private:
  kernels::FGemmFn* fgemm_;
};

bool accepts(std::span<const TensorRows> t) { return t[0].format->codes.fold == Fold::kFloat; }

size_t bytes(std::span<const TensorRows> t) {
  return t[0].rows * formats::row_bytes(*t[0].format, t[0].depth);
}

Result<std::unique_ptr<Term>> make(std::span<const TensorRows> tensors, uint8_t* storage, ThreadPool& pool) {
  STERNA_RETURN_IF_ERROR(kernels::first_active_isa().status());
  const TensorRows& t = tensors[0];
  const std::string_view name = t.format->name;
  const std::string variant = name == "F32" ? "f32" : name == "F16" ? "f16" : "bf16";
  const kernels::Kernel* k = kernels::find(kernels::Family::fgemm, variant);
  if (!k) return Status(Code::kUnsupported, "no kernel for weights of the kind " + variant);
  const size_t row_bytes = formats::row_bytes(*t.format, t.depth);
  const size_t group = std::max<size_t>(1, t.rows / (size_t(pool.size()) * 8));
  pool.run(ceil_div(t.rows, group), [&](size_t task) {
    const size_t first = task * group * row_bytes;
    std::memcpy(storage + first, t.data + first, std::min(group * row_bytes, t.rows * row_bytes - first));
  });
  return std::unique_ptr<Term>(new Floats(t, storage, *k));
}

}  // namespace

const TermKind terms::floats{"floats", kWeight, whole_matrix, accepts, bytes, make};

}  // namespace sterna::cpu
