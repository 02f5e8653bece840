// llama: Llama 1-3, Mistral-like, Falcon3 and Falcon-E 1.58 bit, TriLM. Rows of attn_q and attn_k are stored
// permuted so that rotary pairs are neighbours; Llama-3 scaling comes as the tensor rope_freqs.weight.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_llama(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.rope.interleaved = true;
  if (spec.rope.n_rot != spec.head_dim)
    return Status(Code::kUnsupported, "[llama] llama.rope.dimension_count, got " +
                                          std::to_string(spec.rope.n_rot) + ", expected the head dimension " +
                                          std::to_string(spec.head_dim));
  return {};
}

}  // namespace sterna::models
