// The feed-forward block: x = [RMS](x); f = act(Wgate x) * (Wup x), or act(Wup x) without a gate;
// [f = RMS(f)]; Wdown f; [RMS of it].
#pragma once

#include <memory>
#include <vector>

#include "backends/cpu/linear.h"
#include "llm/blocks/block.h"
#include "llm/blocks/loader.h"
#include "sterna/status.h"

namespace sterna::blocks {

struct FfnSpec {
  size_t n_embd = 0, n_ff = 0;
  float eps = 0;
  const char* activation = "silu";  ///< A name that cpu::Glu knows.
  bool sub_norm = false;            ///< ffn_sub_norm before Wdown (BitNet).
  bool fused_gate_up = false;       ///< The rows of Wgate, then those of Wup, in ffn_up (Phi-3).
  bool post_norm = false;           ///< post_ffw_norm behind Wdown (Gemma).
  bool pre_norm = true;             ///< ffn_norm before Wgate and Wup (not in OLMo 2).
  bool gated = true;
};

class Ffn : public Block {
 public:
  static Result<std::unique_ptr<Block>> load(Loader& loader, size_t layer, const FfnSpec& spec);
  void run(cpu::RowOps& ops, cpu::Residual& x) const override;

 private:
  explicit Ffn(const FfnSpec& spec) : spec_(spec), activation_(spec.activation) {}

  FfnSpec spec_;
  cpu::Glu activation_;
  std::vector<float> norm_, sub_norm_, post_norm_;
  Matrix gate_, up_, down_;
  const cpu::Linear* const in_[2] = {&gate_.linear, &up_.linear};
  const cpu::Linear* const ungated_in_[1] = {&up_.linear};
  const cpu::Linear* const out_[1] = {&down_.linear};
};

}  // namespace sterna::blocks
