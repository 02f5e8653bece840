// phi3 (Phi-3 and Phi-4 mini): llama's graph with split-half rotary pairs, perhaps of a part of each head,
// and gate and up projections in one matrix. Long contexts have rotary factors of their own
// (rope.scaling.type longrope).
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_phi3(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.fused_gate_up = true;
  return {};
}

}  // namespace sterna::models
