// Finding, checking and packing the tensors of a model.
#include "llm/blocks/loader.h"

#include <algorithm>
#include <cmath>

namespace sterna::blocks {

std::string shape_text(std::span<const uint64_t> shape) {
  std::string s = "[";
  for (uint64_t n : shape) s += (s.size() > 1 ? ", " : "") + std::to_string(n);
  return s + "]";
}

Status Loader::error(const std::string& tensor, const std::string& what, Code code) const {
  return Status(code, "[model] " + file_.path() + ": tensor '" + tensor + "': " + what);
}

Result<const GgufTensor*> Loader::find(const std::string& name, std::span<const uint64_t> shape,
                                       bool required) {
  const GgufTensor* t = file_.find_tensor(name);
  if (!t) {
    if (required) return error(name, "is missing");
    return t;
  }
  std::vector<uint64_t> ne = t->shape;
  while (ne.size() > shape.size() && ne.back() == 1) ne.pop_back();
  if (!std::equal(ne.begin(), ne.end(), shape.begin(), shape.end()))
    return error(name, "shape, got " + shape_text(t->shape) + ", expected " + shape_text(shape));
  used_.insert(name);
  return t;
}

Status Loader::vector(const std::string& name, size_t n, bool required, std::vector<float>& out) {
  const uint64_t shape[] = {n};
  STERNA_ASSIGN(const GgufTensor* t, find(name, shape, required));
  if (!t) return {};
  const formats::Format* f = formats::by_name(t->format.c_str());
  if (!f || f->codes.fold != Fold::kFloat)
    return error(name, "type, got " + t->format + ", expected F32, F16 or BF16");
  out.resize(n);
  f->decode(t->data, n, 1, out.data());
  take({reinterpret_cast<const uint8_t*>(out.data()), n * sizeof(float)});
  for (size_t i = 0; i < n; i++)
    if (!std::isfinite(out[i]))
      return error(name, "element " + std::to_string(i) + " is not a finite number");
  return {};
}

Result<const formats::Format*> Loader::matrix_format(const GgufTensor& t) const {
  const formats::Format* f = formats::by_name(t.format.c_str());
  if (!f) return error(t.name, "type " + t.format + " cannot be multiplied with", Code::kUnsupported);
  return f;
}

Status Loader::matrix(const std::string& name, size_t rows, size_t depth, Matrix& to, bool bias_required) {
  const uint64_t shape[] = {depth, rows};
  STERNA_ASSIGN(const GgufTensor* t, find(name + ".weight", shape, true));
  STERNA_ASSIGN(const formats::Format* f, matrix_format(*t));
  STERNA_RETURN_IF_ERROR(vector(name + ".bias", rows, bias_required, to.bias));
  std::vector<float> scale;
  STERNA_RETURN_IF_ERROR(vector(name + ".scale", 1, false, scale));
  plans_.push_back({t, f, 0, rows, depth, &to, scale.empty() ? 1.0f : scale[0], f});
  return {};
}

Status Loader::split_matrix(const std::string& name, size_t depth, std::initializer_list<Part> parts,
                            bool bias_required) {
  size_t rows = 0;
  for (const Part& p : parts) rows += p.rows;
  const uint64_t shape[] = {depth, rows};
  STERNA_ASSIGN(const GgufTensor* t, find(name + ".weight", shape, true));
  STERNA_ASSIGN(const formats::Format* f, matrix_format(*t));
  if (f->tail_bytes)
    return error(t->name, "a fused matrix of type " + t->format + " is not implemented", Code::kUnsupported);
  std::vector<float> bias, scale;
  STERNA_RETURN_IF_ERROR(vector(name + ".bias", rows, bias_required, bias));
  STERNA_RETURN_IF_ERROR(vector(name + ".scale", 1, false, scale));
  size_t first = 0;
  for (const Part& p : parts) {
    const auto at = bias.begin() + ptrdiff_t(first);
    if (!bias.empty()) p.to->bias.assign(at, at + ptrdiff_t(p.rows));
    plans_.push_back({t, f, first, p.rows, depth, p.to, scale.empty() ? 1.0f : scale[0], f});
    first += p.rows;
  }
  return {};
}

Status Loader::pack(Buffer& storage, const std::function<bool(float)>& progress) {
  uint64_t total = 0, done = 0;
  for (const Plan& p : plans_) total += cpu::packed_bytes(*p.packed, p.rows, p.depth);
  storage = Buffer::allocate(total, /*huge=*/true);
  if (total && storage.empty())
    return Status(Code::kOutOfMemory, "[model] no memory for " + std::to_string(total) + " bytes of weights");
  for (const Plan& p : plans_) {
    if (progress && !progress(total ? float(double(done) / double(total)) : 0.0f))
      return Status(Code::kCancelled, "[model] loading was cancelled");
    auto w = ops_.pack(p.source(), storage.data() + done);
    if (!w.ok()) return error(p.tensor->name, w.status().message(), w.status().code());
    p.to->weight = std::move(w.value());
    p.to->weight.out_scale = p.out_scale;
    p.to->weight.bias = p.to->bias.empty() ? nullptr : p.to->bias.data();
    take({p.source().data, p.rows * formats::row_bytes(*p.format, p.depth)});
    if (&p != &plans_.back()) file_.release(*p.tensor);  // screening reads the output matrix again
    done += cpu::packed_bytes(*p.packed, p.rows, p.depth);
  }
  return {};
}

}  // namespace sterna::blocks
