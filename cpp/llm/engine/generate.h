// Generating texts, one or many together.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "llm/engine/runtime.h"
#include "sterna/model.h"
#include "sterna/status.h"

namespace sterna::engine {

/// A text to be generated. Those without a sequence get one of their own; no sequence may be in two.
struct Request {
  std::span<const int32_t> prompt;
  const GenerateOptions* options;  ///< keep_going is not asked.
  Sequence* sequence = nullptr;
};

/// Runs all requests together: a pass has the next token of every text that is being generated, then as much
/// of the waiting prompts as fits into n_batch. Each text has the bits that it would have alone. `on_token`
/// (may be empty) gets the index of the request; false ends that one. `keep_going` (may be empty) is asked
/// between layers; false ends all (Stop::kCallback). Errors: those of check_options() and check_tokens() for
/// any request before anything runs, and those of Runtime::run().
Result<std::vector<GenerateResult>> generate(Runtime& runtime, std::span<const Request> requests,
                                             const std::function<bool(size_t, const Token&)>& on_token,
                                             const KeepGoing& keep_going);

}  // namespace sterna::engine
