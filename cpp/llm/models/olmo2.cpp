// olmo2 (OLMo 2, https://arxiv.org/abs/2501.00656): split-half rotary pairs, an RMS norm of all heads of q
// together and of k before them, and norms behind the blocks instead of before them. With a window it is
// OLMo 3: the last of every four layers sees all, and the angles of the others are not scaled.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_olmo2(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  spec.pre_norms = false, spec.post_norms = true;
  spec.qk_norms = blocks::QkNorms::kWhole;
  if (spec.window == 0) return {};
  if (!file.find("olmo2.attention.sliding_window_pattern")) spec.local = local_layers(spec.n_layer, 4);
  spec.local_rope = cpu::RopeSpec{.n_rot = spec.rope.n_rot, .base = spec.rope.base};
  return {};
}

}  // namespace sterna::models
