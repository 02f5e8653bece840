// exaone4 (EXAONE 4.0, https://arxiv.org/abs/2507.11407): split-half rotary pairs, an RMS norm on each head
// of q and k before them, and norms behind the blocks instead of before them. With a window the last of every
// four layers sees all, and the heads of such layers are not rotated. llama.cpp takes that from the 64 layers
// of the 32B model, whatever the window's key says of others; here the key counts for all.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_exaone4(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  constexpr size_t kLayersOf32B = 64, kWindowOf32B = 4096;
  spec.pre_norms = false, spec.post_norms = true;
  spec.qk_norms = blocks::QkNorms::kHeads;
  if (spec.n_layer == kLayersOf32B && !file.find("exaone4.attention.sliding_window"))
    spec.window = kWindowOf32B;
  if (spec.window == 0) return {};
  if (spec.local.empty() || !file.find("exaone4.attention.sliding_window_pattern"))
    spec.local = local_layers(spec.n_layer, 4);
  spec.rotated = spec.local;
  return {};
}

}  // namespace sterna::models
