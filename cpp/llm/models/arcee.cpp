// arcee (AFM 4.5B): llama's graph with an FFN that has no gate and squares what a ReLU leaves.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_arcee(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.rope.interleaved = true;
  spec.gated = false, spec.activation = "relu2";
  return {};
}

}  // namespace sterna::models
