// Tensors and operations of the feed-forward block.
#include "llm/blocks/ffn.h"

namespace sterna::blocks {

Result<std::unique_ptr<Block>> Ffn::load(Loader& loader, size_t layer, const FfnSpec& s) {
  std::unique_ptr<Ffn> b(new Ffn(s));
  const std::string p = "blk." + std::to_string(layer) + ".";
  if (s.pre_norm) STERNA_RETURN_IF_ERROR(loader.vector(p + "ffn_norm.weight", s.n_embd, true, b->norm_));
  if (s.sub_norm)
    STERNA_RETURN_IF_ERROR(loader.vector(p + "ffn_sub_norm.weight", s.n_ff, true, b->sub_norm_));
  if (s.post_norm)
    STERNA_RETURN_IF_ERROR(loader.vector(p + "post_ffw_norm.weight", s.n_embd, true, b->post_norm_));
  if (s.fused_gate_up) {
    STERNA_RETURN_IF_ERROR(
        loader.matrices(p + "ffn_up", s.n_embd, {{&b->gate_, s.n_ff}, {&b->up_, s.n_ff}}, false));
  } else {
    if (s.gated) STERNA_RETURN_IF_ERROR(loader.matrix(p + "ffn_gate", s.n_ff, s.n_embd, b->gate_));
    STERNA_RETURN_IF_ERROR(loader.matrix(p + "ffn_up", s.n_ff, s.n_embd, b->up_));
  }
  STERNA_RETURN_IF_ERROR(loader.matrix(p + "ffn_down", s.n_embd, s.n_ff, b->down_));
  loader.ops().want(0, s.n_ff), loader.ops().want(1, s.n_ff);
  if (!s.gated) loader.ops().want_ungated(s.n_ff);
  return std::unique_ptr<Block>(std::move(b));
}

void Ffn::run(cpu::RowOps& ops, cpu::Residual& x) const {
  const cpu::Rows gate = ops.temporary(0, spec_.n_ff), up = ops.temporary(1, spec_.n_ff);
  if (spec_.gated) {
    ops.norm(x, norm_, spec_.eps, in_);
    ops.multiply({gate, up});
    ops.glu(activation_, gate, up, sub_norm_, spec_.eps, out_);
  } else {
    ops.norm(x, norm_, spec_.eps, ungated_in_);
    ops.multiply({up});
    ops.activate(activation_, up, sub_norm_, spec_.eps, out_);
  }
  ops.multiply({x.delta});
  x.pending = true, x.post = post_norm_, x.post_eps = spec_.eps;
}

}  // namespace sterna::blocks
