// qwen3 (Qwen3 dense, Bonsai): llama's graph with split-half rotary pairs and an RMS norm on every head of q
// and k before them.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_qwen3(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.qk_norms = blocks::QkNorms::kHeads;
  return {};
}

}  // namespace sterna::models
