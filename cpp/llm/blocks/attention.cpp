// Tensors and operations of the attention block.
#include "llm/blocks/attention.h"

namespace sterna::blocks {

Result<std::unique_ptr<Block>> Attention::load(Loader& loader, size_t layer, const AttentionSpec& s) {
  std::unique_ptr<Attention> b(new Attention(layer, s));
  const std::string p = "blk." + std::to_string(layer) + ".";
  const size_t q = s.n_head * s.head_dim, kv = s.n_head_kv * s.head_dim;
  if (s.pre_norm) STERNA_RETURN_IF_ERROR(loader.vector(p + "attn_norm.weight", s.n_embd, true, b->norm_));
  if (s.sub_norm) STERNA_RETURN_IF_ERROR(loader.vector(p + "attn_sub_norm.weight", q, true, b->sub_norm_));
  if (s.post_norm)
    STERNA_RETURN_IF_ERROR(loader.vector(p + "post_attention_norm.weight", s.n_embd, true, b->post_norm_));
  if (s.qk_norms != QkNorms::kNone) {
    const bool whole = s.qk_norms == QkNorms::kWhole;
    STERNA_RETURN_IF_ERROR(loader.vector(p + "attn_q_norm.weight", whole ? q : s.head_dim, true, b->q_norm_));
    STERNA_RETURN_IF_ERROR(
        loader.vector(p + "attn_k_norm.weight", whole ? kv : s.head_dim, true, b->k_norm_));
  }
  STERNA_RETURN_IF_ERROR(b->load_qkv(loader, p));
  STERNA_RETURN_IF_ERROR(loader.matrix(p + "attn_output", s.n_embd, q, b->o_));
  loader.ops().want(0, q), loader.ops().want(1, kv), loader.ops().want(2, kv);
  return std::unique_ptr<Block>(std::move(b));
}

/// In one matrix or in three.
Status Attention::load_qkv(Loader& loader, const std::string& p) {
  const size_t q = spec_.n_head * spec_.head_dim, kv = spec_.n_head_kv * spec_.head_dim;
  if (loader.has(p + "attn_qkv.weight"))
    return loader.matrices(p + "attn_qkv", spec_.n_embd, {{&q_, q}, {&k_, kv}, {&v_, kv}}, spec_.qkv_bias);
  STERNA_RETURN_IF_ERROR(loader.matrix(p + "attn_q", q, spec_.n_embd, q_, spec_.qkv_bias));
  STERNA_RETURN_IF_ERROR(loader.matrix(p + "attn_k", kv, spec_.n_embd, k_, spec_.qkv_bias));
  return loader.matrix(p + "attn_v", kv, spec_.n_embd, v_, spec_.qkv_bias);
}

void Attention::run(cpu::RowOps& ops, cpu::Residual& x) const {
  const cpu::Rows q = ops.temporary(0, spec_.n_head * spec_.head_dim);
  const cpu::Rows k = ops.temporary(1, spec_.n_head_kv * spec_.head_dim), v = ops.temporary(2, k.width);
  ops.norm(x, norm_, spec_.eps, qkv_);
  ops.multiply({q, k, v});
  ops.rotate_and_store(layer_, {q_norm_, k_norm_, spec_.eps, spec_.rotation, spec_.temperature}, q, k, v);
  ops.attend(layer_, spec_.window, q, spec_.scale, sub_norm_, spec_.eps, out_);
  ops.multiply({x.delta});
  x.pending = true, x.post = post_norm_, x.post_eps = spec_.eps;
}

}  // namespace sterna::blocks
