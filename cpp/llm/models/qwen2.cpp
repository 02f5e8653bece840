// qwen2: llama's graph with split-half rotary pairs and biases on q, k and v.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_qwen2(const GgufFile&, const SpecOptions&, DecoderSpec& spec) {
  spec.qkv_bias = true;
  return {};
}

}  // namespace sterna::models
