// Choosing the next token: repeat penalty, top-k, top-p, min-p, temperature, then a draw; llama.cpp's order.
// Our own generator and elementary functions, so a seed gives the same text on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/screen.h"
#include "base/random.h"
#include "sterna/model.h"

namespace sterna::engine {

class Sampler {
 public:
  explicit Sampler(const GenerateOptions& options) : options_(options), random_(options.seed) {}
  /// What sample() has to see of `rows` logits; more never changes its choice.
  cpu::Query query(size_t rows) const;
  /// `candidates`: by increasing id; may be changed (penalty). `history`: all tokens so far. Ties go to the
  /// smaller id.
  int32_t sample(std::span<cpu::Candidate> candidates, std::span<const int32_t> history);

 private:
  bool penalized() const { return options_.repeat_penalty != 1.0f && options_.repeat_last_n != 0; }
  GenerateOptions options_;
  Random random_;
  std::vector<double> weights_;  // exp(logit - the largest), then probabilities
};

}  // namespace sterna::engine
