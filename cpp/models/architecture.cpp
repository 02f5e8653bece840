// The hyper-parameters that all architectures share, bounded and checked against each other before any weight
// is touched.
#include "models/architecture.h"

#include <cmath>

#include "io/file_kind.h"
#include "kernels/contract/attention.h"

namespace sterna::models {
namespace {

struct Entry {
  const char* name;
  Configure* configure;
};
#define STERNA_MODEL(name, configure) {name, configure},
constexpr Entry kModels[] = {
#include "models/models.inc"
};
#undef STERNA_MODEL

class Reader {
 public:
  Reader(const GgufFile& file, std::string arch) : file_(file), arch_(std::move(arch)) {}
  std::string key(const char* name) const { return arch_ + "." + name; }

  /// A required or defaulted count in lo..hi. A per-layer array is accepted if all its entries agree.
  Status count(const char* name, size_t lo, size_t hi, size_t* out) {
    const GgufValue* v = file_.find(key(name));
    uint64_t n = *out;
    if (v && std::holds_alternative<GgufNumbers<uint64_t>>(*v)) {
      STERNA_RETURN_IF_ERROR(uniform(name, std::get<GgufNumbers<uint64_t>>(*v), &n));
    } else if (v && std::holds_alternative<GgufNumbers<int64_t>>(*v)) {
      STERNA_RETURN_IF_ERROR(uniform(name, std::get<GgufNumbers<int64_t>>(*v), &n));
    } else {
      if (!v && *out == 0)
        return Status(Code::kCorrupt, "[model] " + file_.path() + ": key '" + key(name) + "' is missing");
      STERNA_ASSIGN(n, file_.get_uint(key(name), n));
    }
    if (n < lo || n > hi)
      return range(name, std::to_string(n), std::to_string(lo) + " to " + std::to_string(hi));
    *out = size_t(n);
    return {};
  }

  /// A finite positive number.
  Status positive(const char* name, double* out) {
    STERNA_ASSIGN(*out, file_.get_float(key(name), *out));
    if (!(std::isfinite(*out) && *out > 0))
      return range(name, std::to_string(*out), "a finite number above 0");
    return {};
  }

  /// Refuses a key that changes the graph in a way that is not implemented, if it is present with a value
  /// that matters.
  Status refuse_number(const char* name, double neutral, const char* what) {
    const GgufValue* v = file_.find(key(name));
    if (!v) return {};
    const double x = std::holds_alternative<uint64_t>(*v)  ? double(std::get<uint64_t>(*v))
                     : std::holds_alternative<int64_t>(*v) ? double(std::get<int64_t>(*v))
                     : std::holds_alternative<double>(*v)  ? std::get<double>(*v)
                                                           : std::nan("");
    if (x == neutral || x == 0) return {};
    return Status(Code::kUnsupported, "[model] " + file_.path() + ": key '" + key(name) + "' asks for " +
                                          what + ", which is not implemented");
  }

  Status range(const char* name, const std::string& got, const std::string& expected) const {
    return Status(Code::kCorrupt, "[model] " + file_.path() + ": key '" + key(name) + "', got " + got +
                                      ", expected " + expected);
  }

 private:
  template <class T>
  Status uniform(const char* name, const GgufNumbers<T>& a, uint64_t* out) const {
    if (a.empty()) return range(name, "an empty array", "a number");
    for (const T x : a)
      if (x != a[0])
        return Status(Code::kUnsupported, "[model] " + file_.path() + ": key '" + key(name) +
                                              "' differs between layers, which is not implemented");
    *out = uint64_t(a[0]);
    return {};
  }

  const GgufFile& file_;
  std::string arch_;
};

Status read_rope(const GgufFile& file, Reader& r, DecoderSpec& s) {
  s.rope.n_rot = s.head_dim;
  STERNA_RETURN_IF_ERROR(r.count("rope.dimension_count", 2, s.head_dim, &s.rope.n_rot));
  if (s.rope.n_rot % 2)
    return r.range("rope.dimension_count", std::to_string(s.rope.n_rot), "an even number");
  STERNA_RETURN_IF_ERROR(r.positive("rope.freq_base", &s.rope.base));
  if (s.rope.base <= 1) return r.range("rope.freq_base", std::to_string(s.rope.base), "a number above 1");
  STERNA_ASSIGN(double factor, file.get_float(r.key("rope.scale_linear"), 0));
  STERNA_ASSIGN(factor, file.get_float(r.key("rope.scaling.factor"), factor));
  if (!std::isfinite(factor) || factor < 0)
    return r.range("rope.scaling.factor", std::to_string(factor), "a finite number");
  STERNA_ASSIGN(const std::string type, file.get_string(r.key("rope.scaling.type"), "linear"));
  if (type == "none" || factor == 0) return {};
  s.rope.freq_scale = 1 / factor;
  if (type == "linear") return {};
  if (type != "yarn")
    return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + r.key("rope.scaling.type") +
                                          "', got '" + type + "', expected none, linear or yarn");
  s.rope.yarn = true;
  size_t original = s.n_ctx_train;
  STERNA_RETURN_IF_ERROR(r.count("rope.scaling.original_context_length", 1, size_t(1) << 30, &original));
  s.rope.yarn_original_ctx = double(original);
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.attn_factor", &s.rope.attn_factor));
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.yarn_attn_factor", &s.rope.attn_factor));
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.yarn_beta_fast", &s.rope.yarn_beta_fast));
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.yarn_beta_slow", &s.rope.yarn_beta_slow));
  STERNA_RETURN_IF_ERROR(
      r.refuse_number("rope.scaling.yarn_ext_factor", 1, "another YaRN extrapolation factor"));
  return r.refuse_number("rope.scaling.yarn_log_multiplier", 0, "YaRN with a log multiplier");
}

}  // namespace

Result<DecoderSpec> read_spec(const GgufFile& file, const SpecOptions& options) {
  STERNA_RETURN_IF_ERROR(io::require_model(file));
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  if (arch.empty())
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key 'general.architecture' is missing");
  const Entry* entry = nullptr;
  std::string known;
  for (const Entry& e : kModels) {
    known += (known.empty() ? "" : ", ") + std::string(e.name);
    if (arch == e.name) entry = &e;
  }
  if (!entry)
    return Status(Code::kUnsupported, "[model] " + file.path() + ": general.architecture, got '" + arch +
                                          "', expected one of: " + known);
  if (!options.activation.empty() && (entry->configure != configure_bitnet ||
                                      (options.activation != "silu" && options.activation != "relu2")))
    return Status(Code::kInvalidArgument, "[model] activation, got '" + options.activation + "' for " + arch +
                                              ", expected silu or relu2, and only for bitnet architectures");
  for (const GgufKey& k : file.keys())
    if (k.name.rfind("prism.hadamard.", 0) == 0)
      return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + k.name +
                                            "': weights in a Hadamard-rotated basis are not implemented");

  Reader r(file, arch);
  DecoderSpec s;
  STERNA_RETURN_IF_ERROR(r.count("block_count", 1, 4096, &s.n_layer));
  STERNA_RETURN_IF_ERROR(r.count("embedding_length", 1, 1 << 20, &s.n_embd));
  STERNA_RETURN_IF_ERROR(r.count("feed_forward_length", 1, 1 << 22, &s.n_ff));
  STERNA_RETURN_IF_ERROR(r.count("context_length", 1, size_t(1) << 30, &s.n_ctx_train));
  STERNA_RETURN_IF_ERROR(r.count("attention.head_count", 1, 65536, &s.n_head));
  s.n_head_kv = s.n_head;
  STERNA_RETURN_IF_ERROR(r.count("attention.head_count_kv", 1, s.n_head, &s.n_head_kv));
  if (s.n_head % s.n_head_kv)
    return r.range("attention.head_count_kv", std::to_string(s.n_head_kv),
                   "a divisor of the " + std::to_string(s.n_head) + " heads");
  if (!file.find(r.key("attention.key_length"))) {
    if (s.n_embd % s.n_head)
      return r.range("attention.head_count", std::to_string(s.n_head),
                     "a divisor of the embedding length " + std::to_string(s.n_embd));
    s.head_dim = s.n_embd / s.n_head;
  }
  STERNA_RETURN_IF_ERROR(r.count("attention.key_length", 1, kernels::kMaxHeadDim, &s.head_dim));
  size_t value_length = s.head_dim;
  STERNA_RETURN_IF_ERROR(r.count("attention.value_length", 1, kernels::kMaxHeadDim, &value_length));
  if (value_length != s.head_dim)
    return r.range("attention.value_length", std::to_string(value_length),
                   "the key length " + std::to_string(s.head_dim));
  if (s.n_head * s.head_dim > (1 << 20))
    return r.range("attention.head_count", std::to_string(s.n_head), "at most 2^20 query elements");

  double eps = 0;
  if (!file.find(r.key("attention.layer_norm_rms_epsilon")))
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key '" +
                                      r.key("attention.layer_norm_rms_epsilon") + "' is missing");
  STERNA_RETURN_IF_ERROR(r.positive("attention.layer_norm_rms_epsilon", &eps));
  s.eps = float(eps);
  double scale = 1 / std::sqrt(double(s.head_dim));
  STERNA_RETURN_IF_ERROR(r.positive("attention.scale", &scale));
  s.attention_scale = float(scale);
  STERNA_RETURN_IF_ERROR(read_rope(file, r, s));

  STERNA_RETURN_IF_ERROR(r.refuse_number("expert_count", 0, "a mixture of experts"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("nextn_predict_layers", 0, "multi-token prediction layers"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("attn_logit_softcapping", 0, "attention soft-capping"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("final_logit_softcapping", 0, "logit soft-capping"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("logit_scale", 1, "a logit scale"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("embedding_scale", 1, "an embedding scale"));
  STERNA_RETURN_IF_ERROR(r.refuse_number("residual_scale", 1, "a residual scale"));
  STERNA_ASSIGN(const bool causal, file.get_bool(r.key("attention.causal"), true));
  if (!causal)
    return Status(Code::kUnsupported,
                  "[model] " + file.path() + ": bidirectional attention is not implemented");
  size_t window = size_t(1) << 30;
  if (file.find(r.key("attention.sliding_window")))
    STERNA_RETURN_IF_ERROR(r.count("attention.sliding_window", 0, window, &window));
  if (window > 0 && window < s.n_ctx_train) {
    s.warnings.push_back(
        "sliding-window attention is not implemented: the context is limited to the window of " +
        std::to_string(window) + " tokens, within which it makes no difference");
    s.n_ctx_train = window;
  }
  if (file.find(r.key("pooling_type")))
    s.warnings.push_back("this is an embedding model (pooling_type); it is run as a language model");
  STERNA_RETURN_IF_ERROR(entry->configure(file, options, s));
  return s;
}

}  // namespace sterna::models
