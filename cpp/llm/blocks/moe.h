// The mixture of experts: x = RMS(h); p = softmax(Wrouter x); for the experts e with the largest p
// f_e = act(Wgate_e x) * (Wup_e x); sum of w_e Wdown_e f_e (backends/cpu/experts.h has the weights).
#pragma once

#include <memory>
#include <vector>

#include "backends/cpu/linear.h"
#include "llm/blocks/block.h"
#include "llm/blocks/loader.h"
#include "sterna/status.h"

namespace sterna::blocks {

struct MoeSpec {
  size_t n_embd = 0, n_ff = 0;  ///< n_ff: of one expert.
  float eps = 0;
  const char* activation = "silu";  ///< A name that cpu::Glu knows.
  cpu::Routing routing;
};

class Moe : public Block {
 public:
  static Result<std::unique_ptr<Block>> load(Loader& loader, size_t layer, const MoeSpec& spec);
  void run(cpu::RowOps& ops, cpu::Residual& x) const override;

 private:
  explicit Moe(const MoeSpec& spec) : spec_(spec), activation_(spec.activation) {}

  MoeSpec spec_;
  cpu::Glu activation_;
  std::vector<float> norm_;
  Matrix router_, gate_, up_, down_;
  const cpu::Linear* const router_reader_[1] = {&router_.linear};
  const cpu::Linear* const in_[2] = {&gate_.linear, &up_.linear};
  const cpu::Linear* const out_[1] = {&down_.linear};
};

}  // namespace sterna::blocks
