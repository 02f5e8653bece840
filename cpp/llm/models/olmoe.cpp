// olmoe (OLMoE): llama's graph with split-half rotary pairs, an RMS norm of all heads of q together and of k
// before them, and FFN blocks that are mixtures of experts, whose weights are the probabilities as they are.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_olmoe(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  spec.qk_norms = blocks::QkNorms::kWhole;
  STERNA_RETURN_IF_ERROR(read_experts(file, spec));
  spec.experts.renormalize = false;
  return {};
}

}  // namespace sterna::models
