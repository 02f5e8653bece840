// Loading a Decoder: the blocks of every layer, the embedding and the output matrix; every tensor that the
// graph has no place for is refused if it would change the result.
#include <algorithm>
#include <cstring>

#include "formats/format.h"
#include "llm/blocks/attention.h"
#include "llm/blocks/ffn.h"
#include "llm/blocks/loader.h"
#include "llm/blocks/moe.h"
#include "llm/models/decoder.h"

namespace sterna::models {

class Decoder::Load {
 public:
  Load(Decoder& d, const GgufFile& file, const Options& options)
      : d_(d), options_(options), loader_(file, d.ops_) {}

  Status run(const std::function<bool(float)>& progress) {
    STERNA_RETURN_IF_ERROR(embedding());
    STERNA_RETURN_IF_ERROR(layers());
    const bool tied = !loader_.has("output.weight");
    const cpu::LogitMap map{1 / float(d_.spec_.logit_scale), float(d_.spec_.logit_cap)};
    STERNA_RETURN_IF_ERROR(d_.head_.load(loader_, tied ? "token_embd" : "output", d_.spec_.n_embd,
                                         d_.n_vocab_, d_.spec_.eps, map, options_.head));
    STERNA_RETURN_IF_ERROR(refuse_leftovers());
    STERNA_RETURN_IF_ERROR(loader_.pack(d_.storage_, progress));
    STERNA_RETURN_IF_ERROR(d_.head_.screen(loader_, options_.head));
    STERNA_RETURN_IF_ERROR(keep_embedding());
    describe_tensors();
    take_spec();
    if (progress && !progress(1.0f)) return Status(Code::kCancelled, "[model] loading was cancelled");
    std::vector<cpu::Linear*> layers;
    for (const blocks::Loader::Plan& p : loader_.plans()) layers.push_back(&p.to->linear);
    d_.ops_.want(kHidden, d_.spec_.n_embd), d_.ops_.want(kDelta, d_.spec_.n_embd);
    return d_.ops_.reserve(d_.n_batch_, layers);
  }

 private:
  Status embedding() {
    const GgufTensor* t = loader_.file().find_tensor("token_embd.weight");
    if (!t) return loader_.error("token_embd.weight", "is missing");
    if (t->shape.size() < 2)
      return loader_.error(t->name, "shape, got " + blocks::shape_text(t->shape) +
                                        ", expected [embedding length, vocabulary]");
    d_.n_vocab_ = t->shape[1];
    if (d_.n_vocab_ > (size_t(1) << 24))
      return loader_.error(t->name, "got " + std::to_string(d_.n_vocab_) + " rows, expected at most 2^24");
    const uint64_t shape[] = {d_.spec_.n_embd, d_.n_vocab_};
    STERNA_RETURN_IF_ERROR(loader_.find(t->name, shape, true).status());
    STERNA_ASSIGN(const formats::Format* f, loader_.matrix_format(*t));
    d_.embedding_ = {f, nullptr, d_.spec_.n_embd,
                     formats::tensor_scale(*f, t->data, d_.spec_.n_embd, d_.n_vocab_),
                     float(d_.spec_.embedding_scale)};
    return {};
  }

  /// Those of the context's length, if there are several.
  Result<std::vector<float>> rotary_factors() {
    const DecoderSpec& s = d_.spec_;
    const auto read = [&](const char* name, bool required) -> Result<std::vector<float>> {
      std::vector<float> factors;
      STERNA_RETURN_IF_ERROR(loader_.vector(name, s.rope.n_rot / 2, required, factors));
      for (const float f : factors)
        if (!(f > 0)) return loader_.error(name, "got " + std::to_string(f) + ", expected numbers above 0");
      return factors;
    };
    if (s.n_ctx_short == 0) return read("rope_freqs.weight", false);
    STERNA_ASSIGN(std::vector<float> within, read("rope_factors_short.weight", true));
    STERNA_ASSIGN(std::vector<float> beyond, read("rope_factors_long.weight", true));
    return options_.n_ctx > s.n_ctx_short ? std::move(beyond) : std::move(within);
  }

  Status layers() {
    const DecoderSpec& s = d_.spec_;
    STERNA_ASSIGN(const std::vector<float> factors, rotary_factors());
    const size_t n = std::min<size_t>(options_.n_ctx, 1 << 29);  // more than any memory holds
    if (!cpu::rope_is_exact(s.rope, factors, n) ||
        (s.local_rope && !cpu::rope_is_exact(*s.local_rope, {}, n)))
      return Status(Code::kUnsupported,
                    "[model] " + loader_.file().path() + ": the rope keys and tensors turn the last of " +
                        std::to_string(n) + " positions by 2^30 and more, where no cosine is exact");
    d_.kv_type_ = cpu::make_kv_type(options_.kv_type, {s.n_head_kv, s.head_dim});
    d_.ops_.set_attention(*d_.kv_type_, s.n_head, float(s.attention_cap));
    const size_t rotation = d_.ops_.add_rotation(s.rope, factors);
    const size_t local_rotation = s.local_rope ? d_.ops_.add_rotation(*s.local_rope, {}) : rotation;
    blocks::AttentionSpec attention{.n_embd = s.n_embd,
                                    .n_head = s.n_head,
                                    .n_head_kv = s.n_head_kv,
                                    .head_dim = s.head_dim,
                                    .eps = s.eps,
                                    .scale = s.attention_scale,
                                    .temperature = s.temperature,
                                    .pre_norm = s.pre_norms,
                                    .sub_norm = s.sub_norms,
                                    .post_norm = s.post_norms,
                                    .qk_norms = s.qk_norms,
                                    .qkv_bias = s.qkv_bias};
    const blocks::FfnSpec ffn{s.n_embd,    s.n_ff,          s.eps,        s.activation,
                              s.sub_norms, s.fused_gate_up, s.post_norms, s.pre_norms, s.gated};
    const blocks::MoeSpec moe{s.n_embd, s.n_ff, s.eps, s.activation, s.experts};
    for (size_t i = 0; i < s.n_layer; i++) {
      attention.rotation = s.is_local(i) ? local_rotation : rotation;
      if (!s.is_rotated(i)) attention.rotation = cpu::HeadOps::kNoRotation;
      attention.window = d_.ops_.add_window(s.is_local(i) ? s.window : cpu::kNoWindow);
      STERNA_RETURN_IF_ERROR(add(blocks::Attention::load(loader_, i, attention)));
      STERNA_RETURN_IF_ERROR(
          add(s.experts.n_experts ? blocks::Moe::load(loader_, i, moe) : blocks::Ffn::load(loader_, i, ffn)));
    }
    return {};
  }

  Status add(Result<std::unique_ptr<blocks::Block>> block) {
    STERNA_RETURN_IF_ERROR(block.status());
    d_.blocks_.push_back(std::move(block.value()));
    return {};
  }

  /// Tensors with no place in the graph change the result, so they are refused. Left out are those that hold
  /// nothing new: the rotary factors again, frequencies that follow from the metadata, the constant of a
  /// mask; and, without a warning, the scales for activations of other kinds than ours, one for each matrix.
  Status refuse_leftovers() {
    const GgufTensor* factors = loader_.file().find_tensor("rope_freqs.weight");
    for (const GgufTensor& t : loader_.file().tensors()) {
      const bool of_embedding = t.name == "token_embd.bias" || t.name == "token_embd.scale";
      if ((loader_.used(t.name) && !of_embedding) || t.name.ends_with(".input_scale")) continue;
      const bool again = t.name.ends_with(".rope_freqs.weight") && factors && t.format == factors->format &&
                         t.shape == factors->shape && std::memcmp(t.data, factors->data, t.bytes) == 0;
      constexpr const char* kNothingNew[] = {".attn_rot_embd", ".attn_rot_embd.weight", ".masked_bias"};
      if (!again && std::none_of(std::begin(kNothingNew), std::end(kNothingNew),
                                 [&](const char* end) { return t.name.ends_with(end); }))
        return loader_.error(t.name, "has no place in the graph of this architecture", Code::kUnsupported);
      d_.spec_.warnings.push_back("tensor '" + t.name + "' is not used");
    }
    return {};
  }

  /// Rows of the embedding as in the file: those of the output matrix, if that holds the same, or a copy.
  Status keep_embedding() {
    const GgufTensor& t = *loader_.file().find_tensor("token_embd.weight");
    const blocks::Loader::Plan& head = loader_.weight_of(d_.head_.matrix());
    const size_t bytes = d_.n_vocab_ * formats::row_bytes(*d_.embedding_.format, d_.spec_.n_embd);
    if (const uint8_t* rows = head.made->floats; rows && head.tensors[0] == &t) {
      d_.embedding_.rows = rows;
    } else {
      d_.embedding_copy_ = Buffer::allocate(bytes);
      if (d_.embedding_copy_.empty())
        return loader_.error(t.name, "no memory for its " + std::to_string(bytes) + " bytes",
                             Code::kOutOfMemory);
      std::memcpy(d_.embedding_copy_.data(), t.data, bytes);
      d_.embedding_.rows = d_.embedding_copy_.data();
    }
    if (head.tensors[0] != &t) loader_.take({t.data, bytes});
    loader_.file().release(t);
    loader_.file().release(*head.tensors[0]);
    return {};
  }

  /// The rest of what keys and values depend on.
  void take_spec() {
    constexpr double kArithmetic = 1;  // changes with every change of bits
    const DecoderSpec& s = d_.spec_;
    std::vector<double> numbers = {kArithmetic, double(s.n_layer), double(s.n_head), double(s.head_dim),
                                   s.eps,       s.attention_scale};
    const auto add_rope = [&](const cpu::RopeSpec& r) {
      numbers.insert(numbers.end(),
                     {double(r.interleaved), double(r.n_rot), r.base, r.freq_scale, r.magnitude,
                      r.yarn_ext_factor, r.yarn_beta_fast, r.yarn_beta_slow, r.yarn_original_ctx});
    };
    add_rope(s.rope);
    if (s.local_rope) add_rope(*s.local_rope);
    if (s.embedding_scale != 1) numbers.push_back(s.embedding_scale);
    if (s.attention_cap != 0) numbers.push_back(s.attention_cap);
    for (size_t i = 0; i < s.n_layer && !s.local.empty(); i++)
      numbers.push_back(s.is_local(i) ? double(s.window) : 0);
    if (s.n_ctx_short) numbers.push_back(options_.n_ctx > s.n_ctx_short);  // which factors
    loader_.take_keys();
    const auto bytes = [](const auto* p, size_t n) {
      return std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(p), n);
    };
    loader_.take(bytes(numbers.data(), numbers.size() * sizeof(double)));
    loader_.take(bytes(s.activation, std::strlen(s.activation)));
    loader_.take(bytes(options_.kv_type.data(), options_.kv_type.size()));
    d_.fingerprint_ = loader_.fingerprint();
  }

  /// What tensors() tells.
  void describe_tensors() {
    for (const GgufTensor& t : loader_.file().tensors()) {
      TensorInfo info{t.name, t.format, t.shape, t.bytes, "", ""};
      for (const blocks::Loader::Plan& p : loader_.plans()) {
        if (std::find(p.tensors.begin(), p.tensors.end(), &t) == p.tensors.end()) continue;
        const cpu::Linear& l = p.to->linear;
        info.kernel = p.made->kernel, info.why = p.made->why;
        if (&l != &d_.head_.matrix().linear) continue;
        if (t.name == "token_embd.weight") info.why += "; also the output matrix";
        if (d_.head_.screen_bytes()) info.why += "; screened with two 4-bit planes";
      }
      d_.tensors_.push_back(std::move(info));
    }
  }

  Decoder& d_;
  const Options& options_;
  blocks::Loader loader_;
};

Result<std::unique_ptr<Decoder>> Decoder::load(const GgufFile& file, DecoderSpec spec, const Threads& threads,
                                               const Options& options,
                                               const std::function<bool(float)>& progress) {
  std::unique_ptr<Decoder> d(new Decoder(std::move(spec), threads));
  d->n_batch_ = options.n_batch;
  STERNA_RETURN_IF_ERROR(Load(*d, file, options).run(progress));
  return d;
}

}  // namespace sterna::models
