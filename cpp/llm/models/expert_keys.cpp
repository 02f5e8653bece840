// The keys of mixtures of experts, for the architectures that have them.
#include <algorithm>
#include <cmath>

#include "llm/models/architecture.h"

namespace sterna::models {

Status read_experts(const GgufFile& file, DecoderSpec& spec) {
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  const auto wrong = [&](const char* name, const std::string& got, const std::string& expected) {
    return Status(Code::kCorrupt, "[model] " + file.path() + ": key '" + arch + "." + name + "', got " + got +
                                      ", expected " + expected);
  };
  const auto count = [&](const char* name, uint64_t otherwise, uint64_t most, size_t* out) -> Status {
    STERNA_ASSIGN(const uint64_t n, file.get_uint(arch + "." + name, otherwise));
    if (n < 1 || n > most) return wrong(name, std::to_string(n), "1 to " + std::to_string(most));
    *out = size_t(n);
    return {};
  };
  cpu::Routing& r = spec.experts;
  STERNA_RETURN_IF_ERROR(count("expert_count", 0, 4096, &r.n_experts));
  STERNA_RETURN_IF_ERROR(count("expert_used_count", 0, r.n_experts, &r.n_used));
  STERNA_RETURN_IF_ERROR(count("expert_feed_forward_length", spec.n_ff, 1 << 22, &spec.n_ff));
  // Floats that a row needs beside the weights.
  constexpr size_t kMost = 1 << 18;
  if (r.n_used * std::max(spec.n_ff, spec.n_embd) > kMost)
    return wrong("expert_used_count", std::to_string(r.n_used),
                 "at most 2^18 elements of all experts that a token uses");
  STERNA_ASSIGN(const double scale, file.get_float(arch + ".expert_weights_scale", 0));
  if (!std::isfinite(float(scale)))
    return wrong("expert_weights_scale", std::to_string(scale), "a finite number");
  r.scale = scale == 0 ? 1.0f : float(scale);  // 0 is "not set", as in llama.cpp
  constexpr uint64_t kSoftmax = 1;
  STERNA_ASSIGN(const uint64_t gating, file.get_uint(arch + ".expert_gating_func", kSoftmax));
  if (gating > kSoftmax)
    return Status(Code::kUnsupported, "[model] " + file.path() + ": key '" + arch +
                                          ".expert_gating_func', got " + std::to_string(gating) +
                                          ", expected 1 (softmax): others are not implemented");
  return {};
}

}  // namespace sterna::models
