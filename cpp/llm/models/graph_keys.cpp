// Metadata that asks for another graph than the decoder's: refused by the key's name unless its value says
// that nothing of the kind is wanted. Names: llama.cpp's list of keys (src/llama-arch.cpp).
#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "llm/models/architecture.h"

namespace sterna::models {
namespace {

/// A key, or the beginning of keys if it ends in '.' or '_'.
struct Foreign {
  const char* key;
  const char* what;
  double neutral = 0;  ///< The value, besides 0, that changes nothing.
};

constexpr Foreign kForeign[] = {
    {"expert_", "a mixture of experts"},
    {"experts_per_group", "a mixture of experts"},
    {"interleave_moe_layer_step", "a mixture of experts"},
    {"moe_", "a mixture of experts"},
    {"leading_dense_block_count", "a mixture of experts"},
    {"router_logit_softcapping", "a mixture of experts"},
    {"nextn_predict_layers", "multi-token prediction layers"},
    {"n_deepstack_layers", "image features added to layers"},
    {"deepstack_mapping", "image features added to layers"},
    {"use_parallel_residual", "attention and FFN side by side"},
    {"swin_norm", "Swin norms"},
    {"rescale_every_n_layers", "rescaled layers"},
    {"swiglu_clamp_", "a clamped FFN"},
    {"full_attention_interval", "linear attention", 1},
    {"embedding_length_per_layer_input", "embeddings per layer"},
    {"decoder_", "an encoder and a decoder"},
    {"token_shift_count", "token shift"},
    {"time_", "time mixing"},
    {"altup.", "alternating updates"},
    {"activation_sparsity_scale", "sparse activations"},
    {"hash_layer_count", "hash layers"},
    {"norm_before_residual", "another place of the norms"},
    {"target_", "a draft model's links to its target"},
    {"hyper_connection.", "hyper-connections"},
    {"ssm.", "state-space layers"},
    {"wkv.", "RWKV layers"},
    {"kda.", "delta attention"},
    {"shortconv.", "convolutions"},
    {"posnet.", "a PosNet"},
    {"convnext.", "a ConvNeXt"},
    {"dense_", "layers behind the last one"},
    {"attention.max_alibi_bias", "ALiBi"},
    {"attention.clamp_kqv", "clamped queries, keys and values"},
    {"attention.group_norm_", "group norms"},
    {"attention.q_lora_rank", "low-rank attention"},
    {"attention.kv_lora_rank", "low-rank attention"},
    {"attention.decay_lora_rank", "low-rank attention"},
    {"attention.iclr_lora_rank", "low-rank attention"},
    {"attention.value_residual_mix_lora_rank", "low-rank attention"},
    {"attention.gate_lora_rank", "low-rank attention"},
    {"attention.output_lora_rank", "low-rank attention"},
    {"attention.output_group_count", "low-rank attention"},
    {"attention.key_length_mla", "latent attention"},
    {"attention.value_length_mla", "latent attention"},
    {"attention.relative_buckets_count", "relative positions"},
    {"attention.output_scale", "a scale of the attention's output", 1},
    {"attention.value_scale", "a scale of the values", 1},
    {"attention.indexer.", "sparse attention"},
    {"attention.compress_", "compressed attention"},
    {"attention.shared_kv_layers", "layers that share keys and values"},
    {"attention.recurrent_layers", "recurrent layers"},
    {"rope.dimension_sections", "rotary positions in several dimensions"},
    {"rope.scaling.alpha", "NTK scaling", 1},
};

/// Keys that are read elsewhere or that change nothing.
constexpr std::string_view kKnown[] = {
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "context_length",
    "vocab_size",
    "tensor_data_layout",
    "pooling_type",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_epsilon",  // of norms that are none of RMS
    "attention.layer_norm_rms_epsilon",
    "attention.scale",
    "attention.causal",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
};

/// Keys that read_experts() reads.
constexpr std::string_view kOfExperts[] = {"expert_count", "expert_used_count", "expert_feed_forward_length",
                                           "expert_weights_scale", "expert_gating_func"};

/// Whether a value, or each of an array, is 0, false, "" or `neutral`.
struct IsNeutral {
  double neutral;
  bool operator()(const std::string& x) const { return x.empty(); }
  bool operator()(double x) const { return x == 0 || x == neutral; }
  template <class T>
    requires requires(const T& x) { x.size(); }
  bool operator()(const T& x) const {
    return std::all_of(x.begin(), x.end(), [&](const auto& e) { return (*this)(e); });
  }
};

const Foreign* find(std::span<const Foreign> list, std::string_view name) {
  for (const Foreign& f : list) {
    const std::string_view key = f.key;
    if (key.ends_with('.') || key.ends_with('_') ? name.starts_with(key) : name == key) return &f;
  }
  return nullptr;
}

}  // namespace

Status refuse_foreign_keys(const GgufFile& file, const std::string& arch, DecoderSpec& spec) {
  const Foreign of_spec[] = {
      {"attn_logit_softcapping", "attention soft-capping", spec.attention_cap},
      {"final_logit_softcapping", "logit soft-capping", spec.logit_cap},
      {"logit_scale", "a logit scale", spec.logit_scale},
      {"embedding_scale", "an embedding scale", spec.embedding_scale},
      {"residual_scale", "a residual scale", spec.residual_scale},
      {"embedding_length_out", "an output of another length", double(spec.n_embd)},
      {"attention.key_length_swa", "heads of several lengths", double(spec.head_dim)},
      {"attention.value_length_swa", "heads of several lengths", double(spec.head_dim)},
      {"rope.dimension_count_swa", "several rotary embeddings", double(spec.rope.n_rot)},
      {"rope.freq_base_swa", "several rotary embeddings", spec.local_rope.value_or(spec.rope).base},
      {"rope.scaling.yarn_log_multiplier", "YaRN with a log multiplier", spec.yarn_log_multiplier},
      {"attention.temperature_scale", "an attention temperature", spec.temperature.scale},
      {"attention.temperature_length", "an attention temperature", double(spec.temperature.length)},
  };
  for (const GgufKey& key : file.keys()) {
    if (!key.name.starts_with(arch + ".")) continue;
    const std::string_view name = std::string_view(key.name).substr(arch.size() + 1);
    if (spec.experts.n_experts &&
        std::find(std::begin(kOfExperts), std::end(kOfExperts), name) != std::end(kOfExperts))
      continue;
    const Foreign* foreign = find(kForeign, name);
    if (!foreign) foreign = find(of_spec, name);
    if (foreign && !std::visit(IsNeutral{foreign->neutral}, key.value))
      return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + key.name + "' asks for " +
                                            foreign->what + ", which is not implemented");
    if (!foreign && std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown))
      spec.warnings.push_back("key '" + key.name + "' is not known and not used");
  }
  return {};
}

}  // namespace sterna::models
