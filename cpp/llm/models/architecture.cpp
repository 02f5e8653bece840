// The hyper-parameters that all architectures share, bounded and checked against each other before any weight
// is touched.
#include "llm/models/architecture.h"

#include <cmath>

#include "base/detmath.h"
#include "io/file_kind.h"
#include "llm/models/key_reader.h"

namespace sterna::models {
namespace {

struct Entry {
  const char* name;
  Configure* configure;
};
#define STERNA_MODEL(name, configure) {name, configure},
constexpr Entry kModels[] = {
#include "llm/models/models.inc"
};
#undef STERNA_MODEL

/// As in llama.cpp any type may carry the factors of magnitude, and whether it is YaRN is up to its
/// extrapolation factor, of which the type is but the default. llama.cpp reads the yarn_* keys of some
/// architectures only; here they count for all, as in the configurations they come from.
Status read_yarn(const GgufFile& file, KeyReader& r, bool yarn, DecoderSpec& s) {
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.attn_factor", &s.rope.magnitude));
  double yarn_magnitude = 1;
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.yarn_attn_factor", &yarn_magnitude));
  STERNA_ASSIGN(const double ext, file.get_float(r.key("rope.scaling.yarn_ext_factor"), -1));
  if (!std::isfinite(ext))
    return r.range("rope.scaling.yarn_ext_factor", std::to_string(ext), "a finite number");
  s.rope.yarn_ext_factor = ext < 0 ? double(yarn) : ext;
  if (s.rope.yarn_ext_factor == 0) {
    s.rope.magnitude *= yarn_magnitude;
    return {};
  }
  if (yarn_magnitude != 1)
    s.warnings.push_back("key '" + r.key("rope.scaling.yarn_attn_factor") +
                         "' is not used: with YaRN its factor follows from the scaling, as in llama.cpp");
  if (s.rope.freq_scale < 1) s.rope.magnitude *= 1 + 0.1 * detmath::log(1 / s.rope.freq_scale);
  size_t original = s.n_ctx_train;
  STERNA_RETURN_IF_ERROR(r.count("rope.scaling.original_context_length", 1, size_t(1) << 30, &original));
  s.rope.yarn_original_ctx = double(original);
  STERNA_RETURN_IF_ERROR(r.positive("rope.scaling.yarn_beta_fast", &s.rope.yarn_beta_fast));
  return r.positive("rope.scaling.yarn_beta_slow", &s.rope.yarn_beta_slow);
}

Status read_rope(const GgufFile& file, KeyReader& r, DecoderSpec& s) {
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
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope")
    return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + r.key("rope.scaling.type") +
                                          "', got '" + type + "', expected none, linear, yarn or longrope");
  // Converters write the tensors, but not always the type.
  if (type == "longrope" ||
      (file.find_tensor("rope_factors_long.weight") && file.find_tensor("rope_factors_short.weight"))) {
    s.n_ctx_short = s.n_ctx_train;
    STERNA_RETURN_IF_ERROR(
        r.count("rope.scaling.original_context_length", 1, size_t(1) << 30, &s.n_ctx_short));
  }
  if (factor == 0 || type == "none" || type == "longrope") factor = 1;
  s.rope.freq_scale = 1 / factor;
  return read_yarn(file, r, type == "yarn", s);
}

Result<const Entry*> find_entry(const GgufFile& file, const std::string& arch) {
  std::string known;
  for (const Entry& e : kModels) {
    known += (known.empty() ? "" : ", ") + std::string(e.name);
    if (arch == e.name) return &e;
  }
  return Status(Code::kUnsupported, "[model] " + file.path() + ": general.architecture, got '" + arch +
                                        "', expected one of: " + known);
}

Status read_heads(const GgufFile& file, KeyReader& r, DecoderSpec& s) {
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
  STERNA_RETURN_IF_ERROR(r.count("attention.key_length", 1, cpu::kMaxHeadDim, &s.head_dim));
  size_t value_length = s.head_dim;
  STERNA_RETURN_IF_ERROR(r.count("attention.value_length", 1, cpu::kMaxHeadDim, &value_length));
  if (value_length != s.head_dim)
    return r.range("attention.value_length", std::to_string(value_length),
                   "the key length " + std::to_string(s.head_dim));
  if (s.n_head * s.head_dim > (1 << 20))
    return r.range("attention.head_count", std::to_string(s.n_head), "at most 2^20 query elements");
  return {};
}

/// Which layers' attention is local, by a period or layer by layer.
struct LocalLayers {
  size_t n_layer;
  std::vector<bool> operator()(const std::vector<bool>& local) const { return local; }
  std::vector<bool> operator()(uint64_t period) const { return local_layers(n_layer, period); }
  std::vector<bool> operator()(int64_t period) const {
    return period < 0 ? std::vector<bool>() : local_layers(n_layer, uint64_t(period));
  }
  template <class T>
  std::vector<bool> operator()(const GgufNumbers<T>& numbers) const {
    std::vector<bool> local;
    for (const T x : numbers) local.push_back(x != 0);
    return local;
  }
  template <class T>
  std::vector<bool> operator()(const T&) const {
    return {};
  }
};

/// What attention sees: all before, or in local layers a window; every layer is local unless the file or the
/// architecture says otherwise.
Status read_window(const GgufFile& file, KeyReader& r, DecoderSpec& s) {
  STERNA_ASSIGN(const bool causal, file.get_bool(r.key("attention.causal"), true));
  if (!causal)
    return Status(Code::kUnsupported,
                  "[model] " + file.path() + ": bidirectional attention is not implemented");
  if (file.find(r.key("attention.sliding_window")))
    STERNA_RETURN_IF_ERROR(r.count("attention.sliding_window", 0, size_t(1) << 30, &s.window));
  const char* const pattern = "attention.sliding_window_pattern";
  const GgufValue* v = file.find(r.key(pattern));
  if (s.window == 0 && !v) return {};
  s.local = v ? std::visit(LocalLayers{s.n_layer}, *v) : local_layers(s.n_layer, 0);
  if (s.local.size() != s.n_layer)
    return r.range(pattern, "another value",
                   "a period, or one boolean for each of the " + std::to_string(s.n_layer) + " layers");
  return {};
}

}  // namespace

std::vector<bool> local_layers(size_t n_layer, uint64_t period) {
  std::vector<bool> local(n_layer, true);
  for (size_t i = 0; period && i < n_layer; i++) local[i] = i % period < period - 1;
  return local;
}

Result<DecoderSpec> read_spec(const GgufFile& file, const SpecOptions& options) {
  STERNA_RETURN_IF_ERROR(io::require_model(file));
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  if (arch.empty())
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key 'general.architecture' is missing");
  STERNA_ASSIGN(const Entry* entry, find_entry(file, arch));
  if (!options.activation.empty() && (entry->configure != configure_bitnet ||
                                      (options.activation != "silu" && options.activation != "relu2")))
    return Status(Code::kInvalidArgument, "[model] activation, got '" + options.activation + "' for " + arch +
                                              ", expected silu or relu2, and only for bitnet architectures");
  for (const GgufKey& k : file.keys())
    if (k.name.rfind("prism.hadamard.", 0) == 0)
      return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + k.name +
                                            "': weights in a Hadamard-rotated basis are not implemented");

  KeyReader r(file, arch);
  DecoderSpec s;
  STERNA_RETURN_IF_ERROR(r.count("block_count", 1, 4096, &s.n_layer));
  STERNA_RETURN_IF_ERROR(r.count("embedding_length", 1, 1 << 20, &s.n_embd));
  STERNA_RETURN_IF_ERROR(r.count("feed_forward_length", 1, 1 << 22, &s.n_ff));
  STERNA_RETURN_IF_ERROR(r.count("context_length", 1, size_t(1) << 30, &s.n_ctx_train));
  STERNA_RETURN_IF_ERROR(r.count("attention.head_count", 1, 65536, &s.n_head));
  STERNA_RETURN_IF_ERROR(read_heads(file, r, s));
  double eps = 0;
  if (!file.find(r.key("attention.layer_norm_rms_epsilon")))
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key '" +
                                      r.key("attention.layer_norm_rms_epsilon") + "' is missing");
  STERNA_RETURN_IF_ERROR(r.positive("attention.layer_norm_rms_epsilon", &eps));
  s.eps = float(eps);
  STERNA_ASSIGN(double scale, file.get_float(r.key("attention.scale"), 0));
  if (scale == 0) scale = 1 / std::sqrt(double(s.head_dim));  // 0 is "not set", as in llama.cpp
  if (!(std::isfinite(float(scale)) && float(scale) > 0))
    return r.range("attention.scale", std::to_string(scale), "a finite number above 0");
  s.attention_scale = float(scale);
  STERNA_RETURN_IF_ERROR(read_rope(file, r, s));

  STERNA_RETURN_IF_ERROR(read_window(file, r, s));
  if (file.find(r.key("pooling_type")))
    s.warnings.push_back("this is an embedding model (pooling_type); it is run as a language model");
  STERNA_RETURN_IF_ERROR(entry->configure(file, options, s));
  if (s.window == 0) s.local.clear();
  STERNA_RETURN_IF_ERROR(refuse_foreign_keys(file, arch, s));
  return s;
}

}  // namespace sterna::models
