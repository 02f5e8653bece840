// One text being generated: which tokens it wants in the next pass, and what it makes of their logits. Passes
// are made by others (generate.cpp), who may run many of these together.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "llm/engine/lookup.h"
#include "llm/engine/output.h"
#include "llm/engine/runtime.h"
#include "llm/engine/sampler.h"
#include "llm/text/tokenizer.h"
#include "sterna/model.h"

namespace sterna::engine {

/// A bos that several put in front (the tokenizer, a chat template, the text itself) counts once.
std::span<const int32_t> with_one_bos(std::span<const int32_t> prompt, int32_t bos);

class Generation {
 public:
  using OnToken = std::function<bool(const Token&)>;

  /// Of checked arguments; what `s` has in common with the prompt is used again.
  Generation(Runtime& runtime, Sequence& s, std::span<const int32_t> prompt, const GenerateOptions& options,
             OnToken on_token);

  bool done() const { return done_; }
  /// Whether tokens of the prompt are still to be run; afterwards each pass gives at least one new token.
  bool prompting() const { return n_run_ < result_.n_prompt; }
  std::span<const int32_t> prompt() const { return {history_.data(), result_.n_prompt}; }
  size_t n_run() const { return n_run_; }  ///< Tokens of the prompt that are in the sequence.

  /// Takes pages of others that have more of the prompt.
  void adopt();
  /// At most `room` (1 or more) tokens for the next pass.
  Part next(size_t room);
  /// After that pass: samples as far as its logits go, which are from row `first` of the runtime's on.
  Status took(const Part& part, size_t first);
  /// Ends it as a callback would.
  void cancel() { stop(GenerateResult::Stop::kCallback); }
  /// What is left of the text goes out; the sequence has the prompt and what was generated.
  GenerateResult finish();

 private:
  void stop(GenerateResult::Stop why) { result_.stop = why, done_ = true; }
  bool full() const {
    return options_.max_tokens >= 0 && result_.tokens.size() >= size_t(options_.max_tokens);
  }
  void emit(int32_t id, const std::string& text);
  /// What becomes of a sampled token.
  void take(int32_t id);
  /// Takes guesses of the last pass that did not come true out of the sequence.
  void drop_guesses();

  using Clock = std::chrono::steady_clock;
  Runtime& runtime_;
  Sequence& s_;
  GenerateOptions options_;
  OnToken on_token_;
  Sampler sampler_;
  Lookup lookup_;
  text::Utf8Stream utf8_;
  Output output_;
  cpu::Query query_;
  GenerateResult result_;
  std::vector<int32_t> history_;  // the prompt, and what was generated
  size_t n_run_ = 0;
  std::vector<int32_t> pass_;           // the newest token and guesses of those after it
  size_t guesses_ = 0, confirmed_ = 0;  // of the last pass; of these, generated since
  std::vector<cpu::Candidate> candidates_;
  Clock::time_point start_ = Clock::now(), decode_start_ = start_;
  bool done_ = false;
};

}  // namespace sterna::engine
