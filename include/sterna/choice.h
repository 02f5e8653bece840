// Which of several kernels that compute the same bits runs. It is measured per machine and kind of weights,
// once, and remembered in $XDG_CACHE_HOME/sterna/kernels.txt (else ~/.cache/sterna/kernels.txt).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sterna/status.h"

namespace sterna {

/// "measured": the fastest, from the file or measured at first use (the default); "fresh": measured anew, the
/// file is written; "builtin": the best instruction set's first kernel; "" or "auto": as the environment
/// variable STERNA_CHOICE says. Affects what is loaded or packed afterwards, and only speed. While an
/// instruction set is forced the choice is the built-in one. Errors: kInvalidArgument for another name; a
/// wrong STERNA_CHOICE is reported by the first load() or pack().
Status set_kernel_choice(std::string_view mode);

/// One kernel multiplying a matrix with a number of tokens, in one thread.
struct KernelTiming {
  std::string kernel;
  size_t n_tokens;
  double seconds;
  double gmac_per_s, gb_per_s;  ///< 1e9 products, 1e9 bytes of packed weights per second.
  bool chosen;                  ///< In use for this number of tokens.
};

struct KernelExplanation {
  std::string why;  ///< Of the choice: "measured", "cached", "builtin", or "forced" (an instruction set is).
  std::vector<KernelTiming> timings;
};

/// Times every kernel of a variant of qgemm ("w2_row", "w4m_super32") that can be chosen here, on a matrix of
/// arbitrary codes, and tells which of them is in use.
/// Errors: kUnsupported for an unknown variant; kInvalidArgument for a shape that the variant cannot have or
/// of more than 2^30 elements, or more than 4096 tokens; kOutOfMemory.
Result<KernelExplanation> explain_kernels(std::string_view variant, size_t rows, size_t depth,
                                          std::span<const size_t> n_tokens);

}  // namespace sterna
