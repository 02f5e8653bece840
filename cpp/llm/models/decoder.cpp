// The forward pass.
#include "llm/models/decoder.h"

namespace sterna::models {
uint64_t Decoder::bytes_per_token() const {
  return storage_.bytes() + formats::row_bytes(*embedding_.format, spec_.n_embd);
}

std::vector<cpu::KvState> Decoder::new_states() const {
  std::vector<cpu::KvState> states;
  for (size_t i = 0; i < spec_.n_layer; i++)
    states.emplace_back(*kv_type_, spec_.is_local(i) ? spec_.window : cpu::kNoWindow);
  return states;
}

Status Decoder::forward(const Pass& pass, head::Logits& logits, const std::function<bool()>& keep_going) {
  STERNA_RETURN_IF_ERROR(ops_.begin(pass.spans));
  cpu::Residual x{ops_.temporary(kHidden, spec_.n_embd), ops_.temporary(kDelta, spec_.n_embd)};
  x.scale = float(spec_.residual_scale);
  ops_.embed(embedding_, pass.tokens, x.h);
  const size_t per_layer = blocks_.size() / spec_.n_layer;
  for (size_t i = 0; i < blocks_.size(); i++) {
    if (keep_going && i % per_layer == 0 && !keep_going())
      return Status(Code::kCancelled, "[forward] cancelled");
    blocks_[i]->run(ops_, x);
  }
  return logits.begin(head_, ops_, x, pass.wanted);
}

}  // namespace sterna::models
