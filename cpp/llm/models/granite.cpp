// granite and granitemoe (IBM Granite 3): llama's graph with four scales: the embedding's rows are multiplied
// by one, scores by another (attention.scale), what a block adds to the stream by the third, and logits are
// divided by the fourth. With experts the weights of the chosen ones sum to 1.
#include "llm/models/architecture.h"
#include "llm/models/key_reader.h"

namespace sterna::models {

Status configure_granite(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  KeyReader r(file, arch);
  spec.rope.interleaved = true;
  STERNA_RETURN_IF_ERROR(r.factor("embedding_scale", &spec.embedding_scale));
  STERNA_RETURN_IF_ERROR(r.factor("residual_scale", &spec.residual_scale));
  STERNA_RETURN_IF_ERROR(r.factor("logit_scale", &spec.logit_scale));
  // In files of granite, not of granitemoe, the key says whether there are rotary positions at all.
  STERNA_ASSIGN(const bool rotary, file.get_bool("granite.rope.scaling.finetuned", true));
  if (!rotary) spec.rotated.assign(spec.n_layer, false);
  STERNA_ASSIGN(const uint64_t n_experts, file.get_uint(r.key("expert_count"), 0));
  return n_experts ? read_experts(file, spec) : Status();
}

}  // namespace sterna::models
