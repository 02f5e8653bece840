// llama: Llama 1-3, Mistral-like, Falcon3 and Falcon-E 1.58 bit, TriLM. Rows of attn_q and attn_k are stored
// permuted so that rotary pairs are neighbours; Llama-3 scaling comes as the tensor rope_freqs.weight. With
// experts it is Mixtral: the weights of the chosen ones sum to 1.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_llama(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  spec.rope.interleaved = true;
  if (spec.rope.n_rot != spec.head_dim)
    return Status(Code::kUnsupported, "[llama] llama.rope.dimension_count, got " +
                                          std::to_string(spec.rope.n_rot) + ", expected the head dimension " +
                                          std::to_string(spec.head_dim));
  STERNA_ASSIGN(const uint64_t n_experts, file.get_uint("llama.expert_count", 0));
  return n_experts ? read_experts(file, spec) : Status();
}

}  // namespace sterna::models
