// mistral3 (Ministral 3): llama's graph, neighbouring rotary pairs included. Scores beyond the original
// context have a temperature, and YaRN's magnitude has a divisor, 1 + 0.1 * yarn_log_multiplier * ln(factor),
// which with the multiplier of the files, 1, takes it back. With experts it is like Mixtral.
#include <cmath>

#include "base/detmath.h"
#include "llm/models/architecture.h"
#include "llm/models/key_reader.h"

namespace sterna::models {

Status configure_mistral3(const GgufFile& file, const SpecOptions&, DecoderSpec& spec) {
  KeyReader r(file, "mistral3");
  spec.rope.interleaved = true;

  const char* const multiplier = "rope.scaling.yarn_log_multiplier";
  STERNA_ASSIGN(spec.yarn_log_multiplier, file.get_float(r.key(multiplier), 0));
  if (!(std::isfinite(spec.yarn_log_multiplier) && spec.yarn_log_multiplier >= 0))
    return r.range(multiplier, std::to_string(spec.yarn_log_multiplier), "a finite number of at least 0");
  if (spec.rope.yarn_ext_factor != 0 && spec.rope.freq_scale < 1)
    spec.rope.magnitude /= 1 + 0.1 * spec.yarn_log_multiplier * detmath::log(1 / spec.rope.freq_scale);

  const char* const scale = "attention.temperature_scale";
  STERNA_ASSIGN(spec.temperature.scale, file.get_float(r.key(scale), 0));
  if (!std::isfinite(float(spec.temperature.scale)))
    return r.range(scale, std::to_string(spec.temperature.scale), "a finite number");
  spec.temperature.length = spec.n_ctx_train;
  STERNA_RETURN_IF_ERROR(
      r.count("rope.scaling.original_context_length", 1, size_t(1) << 30, &spec.temperature.length));

  STERNA_ASSIGN(const uint64_t n_experts, file.get_uint(r.key("expert_count"), 0));
  return n_experts ? read_experts(file, spec) : Status();
}

}  // namespace sterna::models
