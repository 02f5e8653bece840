// Tensors and operations of the mixture of experts.
#include "llm/blocks/moe.h"

namespace sterna::blocks {

Result<std::unique_ptr<Block>> Moe::load(Loader& loader, size_t layer, const MoeSpec& s) {
  std::unique_ptr<Moe> b(new Moe(s));
  const std::string p = "blk." + std::to_string(layer) + ".";
  const size_t n = s.routing.n_experts, used = s.routing.n_used;
  STERNA_RETURN_IF_ERROR(loader.vector(p + "ffn_norm.weight", s.n_embd, true, b->norm_));
  STERNA_RETURN_IF_ERROR(loader.matrix(p + "ffn_gate_inp", n, s.n_embd, b->router_));
  STERNA_RETURN_IF_ERROR(loader.experts(p + "ffn_gate_exps", n, s.n_ff, s.n_embd, b->gate_));
  STERNA_RETURN_IF_ERROR(loader.experts(p + "ffn_up_exps", n, s.n_ff, s.n_embd, b->up_));
  STERNA_RETURN_IF_ERROR(loader.experts(p + "ffn_down_exps", n, s.n_embd, s.n_ff, b->down_));
  loader.ops().want_experts(s.routing);
  loader.ops().want(0, used * s.n_ff), loader.ops().want(1, used * s.n_ff);
  loader.ops().want(2, std::max(n, used * s.n_embd));
  return std::unique_ptr<Block>(std::move(b));
}

void Moe::run(cpu::RowOps& ops, cpu::Residual& x) const {
  const cpu::Rows logits = ops.temporary(2, spec_.routing.n_experts), y = ops.temporary(2, spec_.n_embd);
  const cpu::Rows gate = ops.temporary(0, spec_.n_ff), up = ops.temporary(1, spec_.n_ff);
  ops.norm(x, norm_, spec_.eps, router_reader_);
  ops.multiply({logits});
  ops.choose_experts(spec_.routing, logits, in_);
  ops.multiply({gate, up});
  ops.glu(activation_, gate, up, {}, spec_.eps, out_);
  ops.multiply({y});
  ops.join_experts(y, x.delta);
  x.pending = true;
}

}  // namespace sterna::blocks
