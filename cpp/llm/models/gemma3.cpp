// gemma3 (https://arxiv.org/abs/2503.19786): a scaled embedding, split-half rotary pairs, an RMS norm on
// every head of q and k before them, norms behind both blocks, too, and a tanh GELU. Five of six layers are
// local: they see a window, and their angles have another base and no scaling. Logits may be capped.
#include <cmath>

#include "llm/models/architecture.h"
#include "llm/models/key_reader.h"

namespace sterna::models {

Status configure_gemma3(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  constexpr size_t kLayersOf27B = 62;
  spec.embedding_scale = std::sqrt(float(spec.n_embd));
  spec.post_norms = true, spec.qk_norms = blocks::QkNorms::kHeads;
  spec.activation = "gelu";
  if (spec.n_layer == kLayersOf27B && !file.find("gemma3.attention.scale"))
    spec.attention_scale = 1 / std::sqrt(float(spec.n_embd / spec.n_head));
  if (spec.window > 0 && !file.find("gemma3.attention.sliding_window_pattern"))
    spec.local = local_layers(spec.n_layer, 6);
  spec.local_rope = cpu::RopeSpec{.n_rot = spec.rope.n_rot};
  STERNA_ASSIGN(const double base, file.get_float("gemma3.rope.freq_base_swa", 10000));
  if (!(std::isfinite(base) && base > 1))
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key 'gemma3.rope.freq_base_swa', got " +
                                      std::to_string(base) + ", expected a finite number above 1");
  spec.local_rope->base = base;
  return KeyReader(file, "gemma3").cap("final_logit_softcapping", &spec.logit_cap);
}

}  // namespace sterna::models
