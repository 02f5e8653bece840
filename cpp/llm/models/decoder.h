// The decoder-only transformer that the supported architectures share: blocks that add to a residual stream,
// an attention block (blocks/attention.h) and a gated FFN block (blocks/ffn.h) or a mixture of them
// (blocks/moe.h) per layer, then the output matrix (head/head.h). What differs between architectures is data
// in a DecoderSpec, which their files fill in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/rows.h"
#include "llm/blocks/attention.h"
#include "llm/blocks/block.h"
#include "llm/head/head.h"
#include "sterna/gguf.h"
#include "sterna/model.h"
#include "sterna/status.h"
#include "sterna/threads.h"

namespace sterna::models {

struct DecoderSpec {
  size_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0, head_dim = 0, n_ctx_train = 0;
  size_t n_ctx_short = 0;   ///< Longrope: other rotary factors for contexts that are longer; 0: none.
  size_t window = 0;        ///< Positions that attention of local layers sees, its own included.
  std::vector<bool> local;  ///< [layer], or empty if none is.
  float eps = 0;
  float attention_scale = 0;
  double attention_cap = 0;  ///< Soft cap of the scores; 0: none.
  double embedding_scale = 1;
  double residual_scale = 1;  ///< Of what a block adds to the stream.
  double logit_scale = 1;     ///< Logits are divided by it.
  double logit_cap = 0;       ///< Their soft cap after that; 0: none.
  cpu::RopeSpec rope;
  std::optional<cpu::RopeSpec> local_rope;  ///< Of local layers, if it is another one.
  std::vector<bool> rotated;                ///< [layer], or empty if heads of all are.
  double yarn_log_multiplier = 0;           ///< That rope.magnitude has been made with.
  cpu::Temperature temperature;
  const char* activation = "silu";          ///< A name that cpu::Glu knows.
  bool gated = true;                        ///< FFNs have a gate.
  bool fused_gate_up = false;               ///< Gate and up in one matrix, ffn_up (Phi-3).
  cpu::Routing experts;     ///< FFN blocks are mixtures of them, each of n_ff, if there are any.
  bool pre_norms = true;    ///< attn_norm and ffn_norm before the first matrices (not in OLMo 2).
  bool sub_norms = false;   ///< attn_sub_norm before Wo, ffn_sub_norm before Wdown (BitNet).
  bool post_norms = false;  ///< post_attention_norm behind Wo, post_ffw_norm behind Wdown (Gemma).
  blocks::QkNorms qk_norms = blocks::QkNorms::kNone;
  bool qkv_bias = false;  ///< Required biases of q, k and v (Qwen2); elsewhere biases are optional.
  std::vector<std::string> warnings;

  bool is_local(size_t layer) const { return !local.empty() && local[layer]; }
  bool is_rotated(size_t layer) const { return rotated.empty() || rotated[layer]; }
};

/// The rows of a pass: `tokens` in the order of `spans`, which follow each other.
struct Pass {
  std::span<const int32_t> tokens;
  std::span<const cpu::Span> spans;  ///< With pages for all their rows.
  std::span<const size_t> wanted;    ///< Rows whose logits may be asked for.
};

/// The weights of one model and the passes over them. Weights never change after load(), and nothing of a
/// sequence is in here; a pass uses the scratch memory of the row operations.
class Decoder {
 public:
  struct Options {
    size_t n_batch, n_ctx;
    std::string_view kv_type;  ///< A checked name.
    head::HeadOptions head = {};
  };

  /// Checks every tensor against `spec`, packs the weights and copies what is read as it is; `file` is not
  /// needed afterwards. `progress` may be empty. Errors: kCorrupt (missing, misshapen, not finite),
  /// kUnsupported (a tensor that the graph has no place for), kOutOfMemory, kCancelled.
  static Result<std::unique_ptr<Decoder>> load(const GgufFile& file, DecoderSpec spec, const Threads& threads,
                                               const Options& options,
                                               const std::function<bool(float)>& progress);

  const DecoderSpec& spec() const { return spec_; }
  size_t n_vocab() const { return n_vocab_; }  ///< Rows of the embedding: ids must be below.
  size_t n_batch() const { return n_batch_; }  ///< Most rows of a pass.
  uint64_t weight_bytes() const { return storage_.bytes() + embedding_copy_.bytes(); }  ///< In memory.
  uint64_t bytes_per_token() const;  ///< Weight bytes that decoding one token reads.
  uint64_t kv_bytes_per_token() const { return spec_.n_layer * kv_type_->page_bytes() / cpu::kPagePositions; }
  uint64_t screen_bytes() const { return head_.screen_bytes(); }
  uint64_t fingerprint() const { return fingerprint_; }  ///< Of all that keys and values depend on.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  ///< With the kernel of each.

  /// What a sequence keeps, for each layer; still without pages.
  std::vector<cpu::KvState> new_states() const;

  /// Runs up to n_batch rows: their keys and values are kept, and `logits` can give those of the wanted rows.
  /// Rows of any sequences in any mix have the bits that they have alone. kCancelled if keep_going (may be
  /// empty), asked between layers, says false; kCorrupt for a hidden state that is not finite; kOutOfMemory.
  Status forward(const Pass& pass, head::Logits& logits, const std::function<bool()>& keep_going);

 private:
  class Load;
  /// Temporaries of the residual stream; blocks use those below.
  static constexpr size_t kHidden = 3, kDelta = 4;
  Decoder(DecoderSpec spec, const Threads& threads) : spec_(std::move(spec)), ops_(threads) {}

  DecoderSpec spec_;
  size_t n_vocab_ = 0, n_batch_ = 0;
  std::unique_ptr<const cpu::KvType> kv_type_;
  cpu::RowOps ops_;
  std::vector<std::unique_ptr<blocks::Block>> blocks_;  ///< In the order of the stream.
  head::Head head_;
  cpu::Embedding embedding_;  ///< Rows as in the file: the output matrix, or the copy.
  Buffer embedding_copy_;
  Buffer storage_;  ///< All other weights.
  uint64_t fingerprint_ = 0;
  std::vector<TensorInfo> tensors_;
};

}  // namespace sterna::models
