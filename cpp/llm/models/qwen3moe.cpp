// qwen3moe (Qwen3-30B-A3B and its like): qwen3's attention, and FFN blocks that are mixtures of experts, the
// weights of the chosen ones summing to 1.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_qwen3moe(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  spec.qk_norms = blocks::QkNorms::kHeads;
  return read_experts(file, spec);
}

}  // namespace sterna::models
