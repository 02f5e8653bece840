// The decoder-only transformer that the supported architectures share: a pre-norm attention block and a gated
// FFN block per layer.
//   x = RMS(h); q,k,v = W x (+ bias); [per-head RMS of q,k]; RoPE; o = attention; [o = RMS(o)]; h += Wo o
//   x = RMS(h); f = act(Wgate x) * (Wup x); [f = RMS(f)]; h += Wdown f
//   logits = Wout RMS(h)
// What differs between architectures is data in a DecoderSpec, which the files of the architectures fill in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/attention.h"
#include "backends/cpu/kv_cache.h"
#include "backends/cpu/linear.h"
#include "backends/cpu/screen.h"
#include "llm/models/rope.h"
#include "sterna/gguf.h"
#include "sterna/model.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::models {

struct DecoderSpec {
  size_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0, head_dim = 0, n_ctx_train = 0;
  size_t n_ctx_max = ~size_t(0);  ///< Beyond it the graph would be another one.
  float eps = 0;
  float attention_scale = 0;
  RopeSpec rope;
  const char* activation = "silu";  ///< A variant of the glu kernels.
  bool sub_norms = false;           ///< attn_sub_norm before Wo, ffn_sub_norm before Wdown (BitNet).
  bool qk_norms = false;            ///< Per-head RMS of q and k before RoPE (Qwen3).
  bool qkv_bias = false;            ///< Required biases of q, k and v (Qwen2); elsewhere biases are optional.
  std::vector<std::string> warnings;
};

/// What is done with the output matrix; LoadOptions has the words.
struct HeadOptions {
  enum class Screen { kAuto, kOn, kOff } screen = Screen::kAuto;
  int bits = 0;
};

/// The weights of one model and the passes over them. Weights never change after load(); a pass uses the
/// scratch memory inside.
class Decoder {
 public:
  struct Layer {
    std::vector<float> attn_norm, attn_sub_norm, ffn_norm, ffn_sub_norm, q_norm, k_norm;
    std::vector<float> bias_q, bias_k, bias_v, bias_o, bias_gate, bias_up, bias_down;
    cpu::Weight q, k, v, o, gate, up, down;
  };

  struct PassOptions {
    size_t n_ctx, n_batch;
    cpu::KvType kv_type;
    HeadOptions head = {};
  };

  /// Checks every tensor against `spec`, packs the weights and copies what is read as it is; `file` is not
  /// needed afterwards. `progress` may be empty. Errors: kCorrupt (missing, misshapen, not finite),
  /// kUnsupported (a tensor that the graph has no place for), kOutOfMemory.
  static Result<std::unique_ptr<Decoder>> load(const GgufFile& file, DecoderSpec spec, ThreadPool& pool,
                                               const PassOptions& options,
                                               const std::function<bool(float)>& progress);

  const DecoderSpec& spec() const { return spec_; }
  size_t n_vocab() const { return n_vocab_; }  ///< Rows of the embedding: ids must be below.
  size_t n_ctx() const { return n_ctx_; }
  size_t n_batch() const { return n_batch_; }
  uint64_t weight_bytes() const;     ///< In memory.
  uint64_t bytes_per_token() const;  ///< Weight bytes that decoding one token reads.
  uint64_t kv_bytes_per_token() const { return kv_cache_.bytes_per_token(); }
  uint64_t screen_bytes() const { return screen_ ? screen_->bytes() : 0; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  ///< With the kernel of each.

  /// Runs up to n_batch tokens at positions pos, pos+1, ... and keeps their keys and values. Afterwards
  /// logits() can give the last n_wanted tokens' logits. kCancelled if keep_going (may be empty), asked
  /// between layers, says false.
  Status forward(std::span<const int32_t> tokens, size_t pos, size_t n_wanted,
                 const std::function<bool()>& keep_going);
  /// Logits of wanted tokens first .. first + n - 1 of the last pass: out[n][n_vocab].
  /// kCorrupt if one is not a finite number.
  Status logits(size_t first, size_t n, float* out);
  /// The logits of wanted token `token` of the last pass that `query` asks for, and perhaps others, by
  /// increasing id: the same floats, from less memory. The tokens that follow are prepared with it, so
  /// several are cheapest in order.
  Status candidates(size_t token, const cpu::Query& query, std::vector<cpu::Candidate>& out);
  const ScreenStats& screen_stats() const { return screen_stats_; }  ///< Of all calls of candidates().

 private:
  struct Kernels;
  class Loader;
  Decoder(DecoderSpec spec, ThreadPool& pool);
  void embed(int32_t token, float* out) const;
  Status allocate(cpu::KvType kv_type);

  DecoderSpec spec_;
  ThreadPool& pool_;
  size_t n_vocab_ = 0, n_ctx_ = 0, n_batch_ = 0;
  std::shared_ptr<const Kernels> kernels_;

  std::vector<Layer> layers_;
  std::vector<float> output_norm_, rope_factors_;
  cpu::Weight head_;
  std::vector<float> head_bias_;
  std::unique_ptr<cpu::Screen> screen_;
  const formats::Format* embedding_format_ = nullptr;
  const uint8_t* embedding_ = nullptr;  // rows as in the file: the output matrix, or the copy
  Buffer embedding_copy_;
  float embedding_scale_ = 1;
  Buffer storage_;  // all other weights
  std::vector<const cpu::Weight*> weights_;
  std::vector<TensorInfo> tensors_;

  cpu::KvCache kv_cache_;
  cpu::Attention attention_;
  // Scratch of a pass, rows of n_batch tokens.
  cpu::Activations acts_;
  Buffer h_, q_, k_, v_, gate_, up_, out_, cos_, sin_;

  // Wanted tokens of the last pass, and the group of them for which candidates() has read the output matrix:
  // wholly (logits_ holds the result) or its first plane.
  size_t n_wanted_ = 0;
  struct {
    size_t first = 0, n = 0;
    bool full = false;
  } group_;
  std::vector<float> logits_;
  ScreenStats screen_stats_;
};

}  // namespace sterna::models
