// The keys of mixtures of experts, for the architectures that have them.
#include <algorithm>
#include <cmath>

#include "llm/models/architecture.h"
#include "llm/models/key_reader.h"

namespace sterna::models {

Status read_experts(const GgufFile& file, DecoderSpec& spec) {
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  KeyReader r(file, arch);
  cpu::Routing& experts = spec.experts;
  STERNA_RETURN_IF_ERROR(r.count("expert_count", 1, 4096, &experts.n_experts));
  STERNA_RETURN_IF_ERROR(r.count("expert_used_count", 1, experts.n_experts, &experts.n_used));
  STERNA_RETURN_IF_ERROR(r.count("expert_feed_forward_length", 1, 1 << 22, &spec.n_ff));
  // Floats that a row needs beside the weights.
  constexpr size_t kMost = 1 << 18;
  if (experts.n_used * std::max(spec.n_ff, spec.n_embd) > kMost)
    return r.range("expert_used_count", std::to_string(experts.n_used),
                   "at most 2^18 elements of all experts that a token uses");
  STERNA_ASSIGN(const double scale, file.get_float(r.key("expert_weights_scale"), 0));
  if (!std::isfinite(float(scale)))
    return r.range("expert_weights_scale", std::to_string(scale), "a finite number");
  experts.scale = scale == 0 ? 1.0f : float(scale);  // 0 is "not set", as in llama.cpp
  constexpr uint64_t kSoftmax = 1;
  STERNA_ASSIGN(const uint64_t gating, file.get_uint(r.key("expert_gating_func"), kSoftmax));
  if (gating > kSoftmax)
    return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + r.key("expert_gating_func") +
                                          "', got " + std::to_string(gating) +
                                          ", expected 1 (softmax): others are not implemented");
  return {};
}

}  // namespace sterna::models
