// gemma2 (https://arxiv.org/abs/2408.00118): a scaled embedding, split-half rotary pairs, norms behind both
// blocks, too, a tanh GELU, and soft caps of the scores and of the logits. Every second layer, from the first
// on, is local: it sees a window.
#include <cmath>

#include "llm/models/architecture.h"
#include "llm/models/key_reader.h"

namespace sterna::models {

Status configure_gemma2(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  constexpr size_t kLayersOf27B = 46, kWindow = 4096;
  KeyReader r(file, "gemma2");
  spec.embedding_scale = std::sqrt(float(spec.n_embd));
  spec.post_norms = true;
  spec.activation = "gelu";
  if (spec.n_layer == kLayersOf27B && !file.find("gemma2.attention.scale"))
    spec.attention_scale = 1 / std::sqrt(float(spec.n_embd / spec.n_head));
  if (!file.find("gemma2.attention.sliding_window")) spec.window = kWindow;
  if (spec.window > 0 && !file.find("gemma2.attention.sliding_window_pattern"))
    spec.local = local_layers(spec.n_layer, 2);
  spec.attention_cap = 50, spec.logit_cap = 30;
  STERNA_RETURN_IF_ERROR(r.cap("attn_logit_softcapping", &spec.attention_cap));
  return r.cap("final_logit_softcapping", &spec.logit_cap);
}

}  // namespace sterna::models
