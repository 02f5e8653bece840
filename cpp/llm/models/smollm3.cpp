// smollm3 (SmolLM3, https://huggingface.co/blog/smollm3): llama's graph, neighbouring rotary pairs included,
// but for every fourth layer, whose heads are not rotated.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_smollm3(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.rope.interleaved = true;
  spec.rotated = local_layers(spec.n_layer, 4);
  return {};
}

}  // namespace sterna::models
