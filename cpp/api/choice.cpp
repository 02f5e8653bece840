// The public choice of kernels, and their comparison: times what the backend would choose from.
#include "backends/cpu/choice.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/checked_math.h"
#include "base/public_call.h"
#include "packing/example.h"
#include "sterna/choice.h"

namespace sterna {
namespace {

constexpr uint64_t kMaxElements = 1 << 30, kMaxSum = 65536;  ///< Of the matrix; of an exact integer sum.
constexpr size_t kMaxTokens = 4096;

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[explain] " + what); }

}  // namespace

Status set_kernel_choice(std::string_view mode) {
  return public_call("set_kernel_choice", [&](FloatEnvironment&) { return cpu::set_choice_mode(mode); });
}

Result<KernelExplanation> explain_kernels(std::string_view variant, size_t rows, size_t depth,
                                          std::span<const size_t> n_tokens) {
  return public_call("explain", [&](FloatEnvironment&) -> Result<KernelExplanation> {
    const kernels::QGemmVariant* typed = kernels::qgemm_variant(variant);
    if (!typed)
      return Status(Code::kUnsupported,
                    "[explain] unknown variant '" + std::string(variant) + "'; sterna kernels lists them");
    const formats::CodeSpec spec = cpu::example_spec(*typed);
    const size_t step = spec.block ? spec.block : 1;
    uint64_t n;
    if (rows == 0 || depth == 0 || depth % step || (!spec.block && depth > kMaxSum) ||
        !checked_mul(rows, depth, &n) || n > kMaxElements)
      return bad("shape, got " + std::to_string(rows) + " x " + std::to_string(depth) +
                 ", expected at most 2^30 elements and a depth " +
                 (spec.block ? "that is a multiple of " + std::to_string(step) : "of at most 65536"));
    for (const size_t t : n_tokens)
      if (t < 1 || t > kMaxTokens) return bad("tokens, got " + std::to_string(t) + ", expected 1 to 4096");

    const cpu::PackedLayout layout = cpu::packing_of(*typed).layout(spec, rows, depth);
    STERNA_ASSIGN(const cpu::Choice choice, cpu::choose(layout));
    const auto kernels = cpu::plausible(variant);
    const double bytes = double(layout.bytes());
    KernelExplanation result{choice.why, {}};
    for (const size_t t : n_tokens) {
      STERNA_ASSIGN(const std::vector<double> seconds, cpu::measure(kernels, layout, t));
      for (size_t i = 0; i < kernels.size(); i++) {
        const double s = std::max(seconds[i], 1e-9);
        result.timings.push_back({kernels::full_name(*kernels[i]), t, s,
                                  double(rows) * double(depth) * double(t) / s / 1e9, bytes / s / 1e9,
                                  choice.kernel[cpu::token_case(t)] == kernels[i]});
      }
    }
    return result;
  });
}

}  // namespace sterna
