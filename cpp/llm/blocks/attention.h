// The attention block: q,k,v = W [RMS](x) (+ bias); [RMS of q,k]; [RoPE]; [q * temperature]; o = attention;
// [o = RMS(o)]; Wo o; [RMS of it].
#pragma once

#include <memory>
#include <vector>

#include "backends/cpu/linear.h"
#include "llm/blocks/block.h"
#include "llm/blocks/loader.h"
#include "sterna/status.h"

namespace sterna::blocks {

/// RMS norms of q and k before their rotation: of each head alike (Qwen3), or of all heads together (OLMo).
enum class QkNorms { kNone, kHeads, kWhole };

struct AttentionSpec {
  size_t n_embd = 0, n_head = 0, n_head_kv = 0, head_dim = 0;
  float eps = 0, scale = 0;
  size_t rotation = 0, window = 0;  ///< Of RowOps; HeadOps::kNoRotation: heads are not rotated.
  cpu::Temperature temperature;
  bool pre_norm = true;             ///< attn_norm before Wq, Wk and Wv (not in OLMo 2).
  bool sub_norm = false;            ///< attn_sub_norm before Wo (BitNet).
  bool post_norm = false;           ///< post_attention_norm behind Wo (Gemma).
  QkNorms qk_norms = QkNorms::kNone;
  bool qkv_bias = false;  ///< Required biases of q, k and v (Qwen2); elsewhere biases are optional.
};

/// Keeps keys and values in the sequence's state of `layer`.
class Attention : public Block {
 public:
  static Result<std::unique_ptr<Block>> load(Loader& loader, size_t layer, const AttentionSpec& spec);
  void run(cpu::RowOps& ops, cpu::Residual& x) const override;

 private:
  Attention(size_t layer, const AttentionSpec& spec) : layer_(layer), spec_(spec) {}
  Status load_qkv(Loader& loader, const std::string& prefix);

  size_t layer_;
  AttentionSpec spec_;
  std::vector<float> norm_, sub_norm_, post_norm_, q_norm_, k_norm_;
  Matrix q_, k_, v_, o_;
  const cpu::Linear* const qkv_[3] = {&q_.linear, &k_.linear, &v_.linear};
  const cpu::Linear* const out_[1] = {&o_.linear};
};

}  // namespace sterna::blocks
