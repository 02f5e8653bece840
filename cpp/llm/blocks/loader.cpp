// Finding, checking and packing the tensors of a model.
#include "llm/blocks/loader.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <variant>

#include "base/checked_math.h"

namespace sterna::blocks {

std::string shape_text(std::span<const uint64_t> shape, const char* zero) {
  std::string s = "[";
  for (uint64_t n : shape) s += (s.size() > 1 ? ", " : "") + (n ? std::to_string(n) : zero);
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
  ne.resize(std::max(ne.size(), shape.size()), 1);
  while (ne.size() > shape.size() && ne.back() == 1) ne.pop_back();
  const auto fits = [](uint64_t got, uint64_t expected) { return got == expected || expected == 0; };
  if (!std::equal(ne.begin(), ne.end(), shape.begin(), shape.end(), fits))
    return error(name, "shape, got " + shape_text(t->shape) + ", expected " + shape_text(shape, "any"));
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

Status Loader::plan(const cpu::TermKind& kind, const std::string& name, size_t depth,
                    std::initializer_list<Part> parts, size_t n_experts) {
  size_t rows = 0;
  for (const Part& p : parts) rows += p.rows;
  Plan whole{&kind, nullptr, {}, {}, nullptr};
  for (size_t i = 0; i < kind.tensors.size(); i++) {
    const auto [elements, n_rows] = kind.shape(i, rows / std::max<size_t>(1, n_experts), depth);
    const uint64_t shape[] = {elements, n_rows, n_experts};
    STERNA_ASSIGN(const GgufTensor* t,
                  find(name + kind.tensors[i], std::span(shape).first(n_experts ? 3 : 2), i > 0));
    if (!t) return {};
    STERNA_ASSIGN(const formats::Format* f, matrix_format(*t));
    if (parts.size() > 1 && f->tail_bytes)
      return error(t->name, "a fused matrix of type " + t->format + " is not implemented",
                   Code::kUnsupported);
    whole.tensors.push_back(t);
    size_t n_source = 1;
    for (size_t d = 1; d < t->shape.size(); d++) n_source *= t->shape[d];
    whole.sources.push_back({f, t->data, n_source, t->shape[0], f});
  }
  if (!kind.accepts(whole.sources)) {
    if (kind.tensors.size() == 1) return {};  // it is another kind's
    return error(whole.tensors[0]->name, "type " + whole.tensors[0]->format + " of " + kind.name,
                 Code::kUnsupported);
  }
  size_t first = 0;
  for (const Part& p : parts) {
    Plan& plan = plans_.emplace_back(whole);
    plan.to = p.to;
    for (size_t i = 0; i < plan.sources.size(); i++) {
      cpu::TensorRows& s = plan.sources[i];
      if (kind.shape(i, rows, depth)[1] == rows)  // not one that all parts share
        s.data += first * formats::row_bytes(*s.stored, s.depth), s.rows = p.rows;
    }
    first += p.rows;
  }
  return {};
}

Status Loader::matrices(const std::string& name, size_t depth, std::initializer_list<Part> parts,
                        bool bias_required) {
  size_t rows = 0;
  for (const Part& p : parts) rows += p.rows;
  const size_t n_plans = plans_.size();
  for (const cpu::TermKind* kind : cpu::term_kinds()) STERNA_RETURN_IF_ERROR(plan(*kind, name, depth, parts));
  if (plans_.size() == n_plans) return error(name + ".weight", "is missing");
  std::vector<float> bias, scale;
  STERNA_RETURN_IF_ERROR(vector(name + ".bias", rows, bias_required, bias));
  STERNA_RETURN_IF_ERROR(vector(name + ".scale", 1, false, scale));
  size_t first = 0;
  for (const Part& p : parts) {
    if (!bias.empty()) p.to->bias.assign(bias.data() + first, bias.data() + first + p.rows);
    cpu::Linear& l = p.to->linear;
    l.rows = p.rows, l.depth = depth;
    l.scale = scale.empty() ? 1.0f : scale[0], l.bias = bias.empty() ? nullptr : p.to->bias.data();
    first += p.rows;
  }
  return {};
}

Status Loader::experts(const std::string& name, size_t n_experts, size_t rows, size_t depth, Matrix& to) {
  const size_t n_plans = plans_.size();
  for (const cpu::TermKind* kind : cpu::term_kinds())
    if (kind->tensors.size() == 1)
      STERNA_RETURN_IF_ERROR(plan(*kind, name, depth, {{&to, n_experts * rows}}, n_experts));
  if (plans_.size() == n_plans) return error(name + ".weight", "is missing");
  constexpr size_t kPanel = 16;  // the rows of a panel must not be of two experts
  if (rows % kPanel)
    return error(name + ".weight", "experts of " + std::to_string(rows) + " rows, expected a multiple of 16",
                 Code::kUnsupported);
  to.linear.rows = n_experts * rows, to.linear.depth = depth, to.linear.n_experts = n_experts;
  return {};
}

namespace {

template <class T>
void append(std::string& text, const T& value) {
  if constexpr (std::is_arithmetic_v<T>)
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
  else if constexpr (std::is_same_v<T, std::string>)
    text += value + '\0';
  else
    for (const auto& element : value) append(text, typename T::value_type(element));
}

}  // namespace

void Loader::take_keys() {
  const auto* arch = std::get_if<std::string>(file_.find("general.architecture"));
  std::string all;
  for (const GgufKey& k : file_.keys())
    if (arch && k.name.starts_with(*arch + ".")) {
      append(all, k.name);
      std::visit([&](const auto& v) { append(all, v); }, k.value);
    }
  take({reinterpret_cast<const uint8_t*>(all.data()), all.size()});
}

Loader::Plan& Loader::weight_of(const Matrix& to) {
  return *std::find_if(plans_.begin(), plans_.end(),
                       [&](const Plan& p) { return p.to == &to && p.kind->tensors.data() == cpu::kWeight; });
}

Status Loader::pack(Buffer& storage, const std::function<bool(float)>& progress) {
  uint64_t total = 0, done = 0;
  const auto bytes = [](const Plan& p) { return round_up(p.kind->bytes(p.sources), 64); };
  for (const Plan& p : plans_) total += bytes(p);
  storage = Buffer::allocate(total, /*huge=*/true);
  if (total && storage.empty())
    return Status(Code::kOutOfMemory, "[model] no memory for " + std::to_string(total) + " bytes of weights");
  for (Plan& p : plans_) {
    if (progress && !progress(total ? float(double(done) / double(total)) : 0.0f))
      return Status(Code::kCancelled, "[model] loading was cancelled");
    auto term = ops_.make(*p.kind, p.sources, storage.data() + done);
    if (!term.ok()) return error(p.tensors[0]->name, term.status().message(), term.status().code());
    p.made = term.value().get();
    p.to->linear.terms.push_back(std::move(term.value()));
    for (const cpu::TensorRows& s : p.sources) {
      take({s.data, s.rows * formats::row_bytes(*s.stored, s.depth)});
      const float scale = s.scale();
      take({reinterpret_cast<const uint8_t*>(&scale), sizeof scale});
    }
    if (p.to != plans_.back().to)  // screening reads the output matrix again
      for (const GgufTensor* t : p.tensors) file_.release(*t);
    done += bytes(p);
  }
  return {};
}

}  // namespace sterna::blocks
